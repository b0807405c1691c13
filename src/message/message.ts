import { copyOf, sizeOf, viewOf } from "./bytes.ts";
import { LintelError, type Failure } from "./failure.ts";
import { MessageHeaders } from "./headers.ts";
import type { BufferLease } from "./buffer-lease.ts";
import type { Attached } from "./attached.ts";
import { encodeUtf8, readUtf8 } from "./text.ts";

/** How a payload is to be read where its headers do not say it. Travels in two flag bits of the frame. */
export const Format = {
  /** By the `content-type` header; without one it is JSON, and empty means no value. */
  typed: 0,
  /** Bytes as they are. */
  bytes: 1,
  /** UTF-8 text. */
  text: 2,
} as const;
export type Format = (typeof Format)[keyof typeof Format];

/** A payload's bytes, made now. */
export function encodeBody(encoder: Encoder, value: unknown): Uint8Array {
  const encoded = encodedBy(encoder, value);
  return typeof encoded === "string" ? encodeUtf8(encoded) : encoded;
}

/** What an encoder makes of a value. Throws `BAD_PAYLOAD` when that is neither text nor as many bytes as it says. */
export function encodedBy(encoder: Encoder, value: unknown): Uint8Array | string {
  const encoded: Uint8Array | string | undefined | null = encoder.encode(value);
  if (typeof encoded === "string") return encoded;
  if (encoded instanceof Uint8Array && sizeOf(encoded) === encoded.length) return encoded;
  throw LintelError.of("BAD_PAYLOAD", "the codec returned neither text nor a Uint8Array");
}

/** Turns a value into the bytes, or the text to be sent as UTF-8, that a payload carries. */
export interface Encoder {
  encode(value: unknown): Uint8Array | string;
}

const NO_BYTES = new Uint8Array(0);

/** Who sent a message through the text gateway of this hub, and its headers as they were spelled. */
export interface TextSender {
  /** The GUID of the connection, and its user. */
  readonly cid: string;
  readonly uid: string;
  /** `Name:value` and CRLF each. */
  readonly headerLines: string;
}

/**
 * One message on its way. It has two forms, so that bytes are made only where they are needed:
 * - *received*: `head` is undefined and `bytes` holds header block and payload between the offsets;
 * - *made here*: `head` is the header block as text, and the payload is either `bytes[payloadStart..end]` or, when
 *   `encoder` is set, `value` not yet encoded (it never is, if the receiver sits in the same process).
 *
 * A message handed to a callback is borrowed: when the callback returns the object is reused, and so are the bytes of one
 * that was received. Code that keeps the message calls `retain()`; code that keeps its bytes calls `payload()`.
 */
export class Message {
  format: Format = Format.typed;
  head: string | undefined = "";
  bytes: Uint8Array = NO_BYTES;
  headStart = 0;
  payloadStart = 0;
  end = 0;
  value: unknown = undefined;
  encoder: Encoder | undefined = undefined;
  /** Ends of the streams it carries, for its receiver. A value refers to them by their place in this list. */
  streams: readonly StreamEnd[] | undefined = undefined;
  /** Set where `bytes` were received and are lent. */
  loan: BufferLease | undefined = undefined;
  /** Of an answer: tells its worker why it could not be sent. The caller gets a failure. */
  onUnsent: ((error: unknown) => void) | undefined = undefined;
  /** Set by the text gateway, and by nobody else. It does not leave the process. */
  text: TextSender | undefined = undefined;
  /** True for what `retain` has made. */
  isKept = false;

  /** A message whose payload is these bytes, not copied. */
  static ofBytes(payload: Uint8Array, head = "", format: Format = Format.bytes): Message {
    const message = new Message();
    message.format = format;
    message.head = head;
    message.bytes = payload;
    message.end = payload.length;
    return message;
  }

  /** A message whose payload is made by `encoder` when, and if, it leaves the process. */
  static ofValue(value: unknown, encoder: Encoder, format: Format, head = ""): Message {
    const message = new Message();
    message.format = format;
    message.head = head;
    message.value = value;
    message.encoder = encoder;
    return message;
  }

  /** The headers, parsed when they are looked at. */
  get headers(): MessageHeaders {
    return new MessageHeaders(this.headText());
  }

  /** The header block as text, unparsed. */
  headText(): string {
    return this.head ?? readUtf8(this.bytes, this.headStart, this.payloadStart);
  }

  /** The payload's bytes, to be kept: a view where they were made here, encoded now where they were not made yet. */
  payload(): Uint8Array {
    const { encoder, loan, payloadStart, end } = this;
    if (encoder !== undefined) return encodeBody(encoder, this.value);
    return loan === undefined ? viewOf(this.bytes, payloadStart, end) : loan.keep(payloadStart, end);
  }

  /** Part of `bytes`, which may be lent. */
  view(start: number, end: number): Uint8Array {
    return this.loan === undefined ? viewOf(this.bytes, start, end) : this.loan.view(start, end);
  }

  /**
   * This message as it is now, safe to keep and not to be changed: with bytes of its own, and a value encoded, because its owner may change it
   * later. Throws what the encoder throws.
   */
  retain(): Message {
    if (this.isKept) return this;
    const copy = new Message();
    copy.isKept = true;
    copy.format = this.format;
    copy.head = this.head;
    copy.streams = this.streams;
    copy.text = this.text;
    if (this.encoder !== undefined) {
      copy.bytes = this.payload();
      copy.end = copy.bytes.length;
    } else {
      copy.bytes = copyOf(this.bytes, this.headStart, this.end);
      copy.payloadStart = this.payloadStart - this.headStart;
      copy.end = this.end - this.headStart;
    }
    return copy;
  }
}

/** What may be done with an end, as its holder sees it. */
export interface StreamShape {
  readonly receives: boolean;
  readonly sends: boolean;
  /** Whole messages, with headers and streams of their own, instead of bytes. */
  readonly messages: boolean;
}

/** One end of a stream. Credit is its holder's to keep: sending more than was granted violates the protocol. */
export interface StreamEnd extends StreamShape {
  /** Set where it stands for a socket or file that its holder may take. */
  readonly attached?: Attached | undefined;
  /** From now on events go there; those that came before come first. To be called once, or never. */
  listen(events: StreamEvents): void;
  /** True when the way to the other end has room; when not, `writable` is called once it has. */
  ready(): boolean;
  /**
   * Sends a message, or bytes as a message's payload. The message is borrowed. Throws `TOO_LARGE`, `HEADERS_TOO_LARGE`,
   * `TOO_MANY` or `STREAMS_UNSUPPORTED` for what the other end would not take; nothing is sent then.
   */
  send(message: Message): void;
  /** Nothing more comes from this end. */
  end(): void;
  /** The other end may send this many bytes more. */
  grant(bytes: number): void;
  /** The sender to this end may continue: there is room again. */
  resume(): void;
  /** Ends both directions at once; the other end learns why. */
  reset(why: Failure): void;
  /** As `reset`, and the listener of this end, now or later, is told too. */
  discard(why: Failure): void;
}

/** What the holder of an end hears. Calls must not throw. */
export interface StreamEvents {
  /** Borrowed until the call returns. */
  data(message: Message): void;
  ended(): void;
  granted(bytes: number): void;
  /** Asked before more is sent: false when there is no room, and `resume` follows. */
  ready(): boolean;
  /** There is room again after `ready` returned false. */
  writable(): void;
  /** Both directions are over. Nothing follows. */
  reset(why: Failure): void;
}
