import { copyOf } from "../message/bytes.ts";
import { Message } from "../message/message.ts";

/** Chunks below this size are copied, and joined until they are taken: a view would keep the whole buffer. */
const SMALL = 4_096;

/**
 * What has arrived on a stream and was not taken yet. Bytes have no borders, so that a sender of single bytes costs no
 * more memory than one of large chunks.
 */
export class ReceiveQueue {
  readonly #messages: boolean;
  #kept: (Message | undefined)[] = [];
  #first = 0;
  /** The last chunk while it has room for more. */
  #open: Message | undefined;

  /** `messages`: whole messages flow, not bytes. */
  constructor(messages: boolean) {
    this.#messages = messages;
  }

  get isEmpty(): boolean {
    return this.#first === this.#kept.length;
  }

  /** Keeps a borrowed message. */
  add(message: Message): void {
    if (this.#messages) {
      this.#kept.push(message.retain());
      return;
    }
    const { payloadStart, end } = message;
    const size = end - payloadStart;
    const open = this.#open;
    if (open !== undefined && open.end + size <= open.bytes.length) {
      open.bytes.set(message.view(payloadStart, end), open.end);
      open.end += size;
    } else if (size < SMALL) {
      this.#open = Message.ofBytes(new Uint8Array(SMALL));
      this.#open.bytes.set(message.view(payloadStart, end));
      this.#open.end = size;
      this.#kept.push(this.#open);
    } else {
      this.#open = undefined;
      this.#kept.push(keptBytes(message));
    }
  }

  /** The oldest. */
  take(): Message | undefined {
    const message = this.#kept[this.#first];
    if (message === undefined) return undefined;
    this.#kept[this.#first++] = undefined;
    if (message === this.#open) this.#open = undefined;
    if (this.#first * 2 > this.#kept.length) {
      this.#kept = this.#kept.slice(this.#first);
      this.#first = 0;
    }
    return message;
  }
}

/** A borrowed chunk, to be kept. */
export function keptBytes(message: Message): Message {
  return Message.ofBytes(keptPayload(message));
}

/** The bytes of a borrowed chunk, to be kept. */
export function keptPayload(message: Message): Uint8Array {
  const { bytes, payloadStart, end } = message;
  return end - payloadStart < SMALL ? copyOf(bytes, payloadStart, end) : message.payload();
}
