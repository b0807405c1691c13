import assert from "node:assert/strict";
import { PATIENCE_MS } from "./until.ts";

/** What `connect` says when no attempt has come to anything in its time. */
const NO_ATTEMPT = /^no connection to /;

/** The error that tells how an attempt to connect was refused. On a busy machine the first attempt may need more time. */
export async function refusalOf(
  connect: (timeoutMs: number) => Promise<unknown>,
): Promise<{ reason?: unknown; message: string }> {
  for (let timeoutMs = 100; ; timeoutMs *= 4) {
    const error = await connect(timeoutMs).then(
      () => assert.fail("it has connected"),
      (why: { reason?: unknown; message: string }) => why,
    );
    if (!NO_ATTEMPT.test(error.message) || timeoutMs > PATIENCE_MS) return error;
  }
}
