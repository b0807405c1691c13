/** Why sessions end, where it takes more than a reason to say it. */
import { failure, type Failure } from "../message/failure.ts";

/** P-62 */
export function stalled(waiting: number, timeoutMs: number): Failure {
  const text = `the other end did not read for ${timeoutMs} ms, or too slowly, while ${waiting} bytes waited for it`;
  return failure("SLOW_CONSUMER", text);
}

export function connectionLost(error: Error | undefined): Failure {
  return failure(
    "CONNECTION_LOST",
    error === undefined ? undefined : `the connection was lost: ${error.message}`,
  );
}
