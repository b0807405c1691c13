/** How requests end in a broker. Made once: overload must not cost more than work. */
import { LintelError, failure, type Failure } from "../message/failure.ts";
import type { Message } from "../message/message.ts";

export const NO_RESPONDERS: Failure = Object.freeze(failure("NO_RESPONDERS"));
export const QUEUE_FULL: Failure = Object.freeze(failure("QUEUE_FULL"));
export const IN_FLIGHT_FULL: Failure = Object.freeze(failure("IN_FLIGHT_FULL"));
export const DRAINING: Failure = Object.freeze(failure("DRAINING"));
export const DEADLINE: Failure = Object.freeze(failure("DEADLINE"));
export const CALLER_GONE: Failure = Object.freeze(failure("CALLER_GONE"));
export const WORKER_LOST: Failure = Object.freeze(failure("WORKER_LOST"));
export const CLOSED: Failure = Object.freeze(failure("CLOSED"));
const BAD_PAYLOAD = Object.freeze(failure("BAD_PAYLOAD"));

/** The request with bytes of its own, or why there are none. */
export function keptRequest(request: Message): Message | Failure {
  try {
    return request.retain();
  } catch (error) {
    return error instanceof LintelError ? error.toFailure() : BAD_PAYLOAD;
  }
}
