/** What the side in TypeScript does for Python, and expects of it. */
import { LintelError } from "../../src/message/failure.ts";
import type { Peer } from "../../src/peer/peer.ts";
import { defer } from "../cli/cli-process.ts";

/** The payload limit of both sides. Bytes. */
export const MIB = 1_048_576;

export const refusal = (code: string, reason: string, retryable = false): object => ({
  code,
  reason,
  retryable,
});

/** What the worker in TypeScript does for Python; `python_peer.py` has the same under `py.`. */
export async function serve(peer: Peer): Promise<void> {
  await peer.serve("ts.echo", (value, context) => {
    context.reply.headers["x-echo"] = context.headers.get("x-sent") ?? "";
    return value;
  });
  await peer.serve("ts.fail", () => {
    throw new LintelError("not_found", "no order 12", { reason: "NO_SUCH_ORDER", details: { order: 12 } });
  });
  await peer.serve("ts.left", (_, { deadline }) => deadline - Date.now());
  await peer.serve("ts.size", (value) => (value as Uint8Array).length);
}

/** A handler that answers none before it holds as many requests as this. */
export function together(count: number): () => Promise<number> {
  const all = defer<number>();
  let held = 0;
  return () => {
    if (++held === count) all.resolve(count);
    return all.promise;
  };
}

/** Says why the signal fired when it does, and ends the handler. */
export function untilAborted(signal: AbortSignal, told: (reason: string) => void): Promise<void> {
  return new Promise((resolve) => {
    signal.addEventListener("abort", () => {
      told((signal.reason as LintelError).reason);
      resolve();
    });
  });
}
