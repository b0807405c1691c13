/** How requests end in a broker. Looked up once: overload must not cost more than work. */
import { failure, toFailure, type Failure } from "../message/failure.ts";
import type { Message } from "../message/message.ts";

export const NO_RESPONDERS: Failure = failure("NO_RESPONDERS");
export const QUEUE_FULL: Failure = failure("QUEUE_FULL");
export const IN_FLIGHT_FULL: Failure = failure("IN_FLIGHT_FULL");
export const DRAINING: Failure = failure("DRAINING");
export const DEADLINE: Failure = failure("DEADLINE");
export const CALLER_GONE: Failure = failure("CALLER_GONE");
export const WORKER_LOST: Failure = failure("WORKER_LOST");
export const CLOSED: Failure = failure("CLOSED");

/** The request with bytes of its own, or why there are none. */
export function keptRequest(request: Message): Message | Failure {
  try {
    return request.retain();
  } catch (error) {
    return toFailure(error, failure("BAD_PAYLOAD"));
  }
}
