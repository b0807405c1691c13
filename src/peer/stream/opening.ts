import { LintelError, failure } from "../../message/failure.ts";
import { findHeader, headerLine } from "../../message/headers.ts";
import type { Message } from "../../message/message.ts";
import { Channel } from "./channel.ts";

/** Marks a request that opens a channel, its first stream, and the answer that accepts it. */
const OPEN = ":open";
export const ACCEPTED_LINE: string = headerLine(OPEN, "accepted");

/** True for a request that opens a channel. */
export function opensChannel(request: Message): boolean {
  return findHeader(request.headText(), OPEN) === "channel";
}

/** A channel that a caller wants to open, from the request's arrival to the handler's end. */
export class Opening {
  readonly #channel: Channel;
  readonly #onAccept: () => void;
  #accepted = false;

  /** `onAccept` tells the caller. */
  constructor(channel: Channel, onAccept: () => void) {
    this.#channel = channel;
    this.#onAccept = onAccept;
  }

  get accepted(): boolean {
    return this.#accepted;
  }

  accept(): Channel {
    if (!this.#accepted) {
      this.#accepted = true;
      this.#onAccept();
    }
    return this.#channel;
  }

  /** The handler has returned: the channel is closed, unless it was passed on. */
  finish(): void {
    if (!Channel.isGone(this.#channel)) Channel.leave(this.#channel);
  }

  /** The handler has thrown. */
  fail(error: unknown): void {
    if (Channel.isGone(this.#channel)) return;
    this.#channel.abort(error instanceof LintelError ? error : LintelError.from(failure("HANDLER_FAILED")));
  }
}
