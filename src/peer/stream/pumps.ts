/** What moves bytes and values between the platform's streams and ports. */
import { LintelError, failure, toFailure, type Failure } from "../../message/failure.ts";
import type { Port } from "./port.ts";
import type { Source, Target } from "./stream-sources.ts";
import type { Values } from "./values.ts";

/** Moves everything from a source into a port, as fast as the other end takes it. */
export async function pump(
  source: Source,
  port: Port,
  values: Pick<Values, "report">,
  put: (chunk: unknown) => Promise<void> | undefined,
): Promise<void> {
  let done = false;
  port.closed.catch((error: Error) => {
    if (!done) source.stop(error);
    done = true;
  });
  try {
    for (let next = await source.next(); next.done !== true; next = await source.next()) {
      const left = put(next.value);
      if (left !== undefined) await left;
    }
    done = true;
    port.end();
  } catch (error) {
    if (done) return; // it was stopped
    done = true;
    if (!(error instanceof LintelError)) values.report(error, "the source of a stream");
    source.stop(error as Error);
    port.abort(failureOf(error));
  }
}

/** Moves everything that arrives at a port into a target. */
export async function drain(port: Port, target: Target): Promise<void> {
  port.closed.catch((error: Error) => target.stop(error));
  try {
    for (let message = await port.take(); message !== undefined; message = await port.take()) {
      await target.write(message.payload());
    }
    await target.end();
  } catch (error) {
    target.stop(error as Error);
    port.abort(failureOf(error));
  }
}

/** What the other end gets. Texts of unexpected errors may hold secrets. */
export function failureOf(error: unknown): Failure {
  return toFailure(error, failure("SOURCE_FAILED"));
}
