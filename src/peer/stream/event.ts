import { LintelError } from "../../message/failure.ts";
import { checkOptions } from "../../message/options.ts";
import { headerLine } from "../../message/headers.ts";

/** What a value of a sequence is called where the sequence is sent as server-sent events. */
export interface EventOptions {
  /** What a caller that comes back sends as `Last-Event-ID`. */
  readonly id?: string;
  /** The event's name; browsers take it for `message` when it is left out. */
  readonly event?: string;
  /** How long a caller waits before it comes back after the connection was lost. Milliseconds. */
  readonly retryMs?: number;
}

/** A value of a sequence with the headers that go with it. Made by `event`. */
export class SequenceEvent {
  readonly data: unknown;
  readonly head: string;

  /** Made by `event`. */
  constructor(data: unknown, head: string) {
    this.data = data;
    this.head = head;
  }
}

/**
 * To be yielded by a handler whose answer is an async iterable: over HTTP an event with these fields, to any other caller
 * just the value. Throws `BAD_HEADER` for a line end or other control character in a field, and `invalid_argument` for a
 * `retryMs` that is no whole number.
 */
export function event(data: unknown, options: EventOptions = {}): SequenceEvent {
  checkOptions("event", options, {});
  const { id, event: name, retryMs } = options;
  let head = "";
  if (id !== undefined) head += headerLine(":id", id);
  if (name !== undefined) head += headerLine(":event", name);
  if (retryMs !== undefined) {
    if (!Number.isSafeInteger(retryMs) || retryMs < 0)
      throw new LintelError(
        "invalid_argument",
        `retryMs is ${retryMs}, it must be a whole number of milliseconds`,
      );
    head += headerLine(":retry", String(retryMs));
  }
  return new SequenceEvent(data, head);
}
