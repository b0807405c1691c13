import { copyOf, viewOf } from "../../message/bytes.ts";
import { failure, type Failure } from "../../message/failure.ts";
import { Message, type StreamEnd, type StreamEvents } from "../../message/message.ts";
import { ReadWindow } from "../../stream/read-window.ts";
import { INITIAL_CREDIT } from "../../stream/stream.ts";
import type {
  DescriptorSocket,
  DescriptorSocketHandler,
} from "../../transport/descriptors/descriptor-socket.ts";
import { adoptSocket, closeDescriptor } from "../../transport/descriptors/endpoints.ts";
import type { Attachments, InUse } from "./attachments.ts";

/** How far the hub's side may be ahead of the peer. Bytes. */
const WINDOW = 262_144;

/** A byte stream of the hub and a socket as one: each direction goes as fast as its reader and ends by itself (B-46). */
export class ByteBridge implements StreamEvents, InUse {
  readonly #socket: DescriptorSocket;
  readonly #end: StreamEnd;
  readonly #attachments: Attachments;
  readonly #window: ReadWindow;
  #isOver = false;
  // From the socket into the hub.
  #sending: boolean;
  #credit = INITIAL_CREDIT;
  /** What has arrived and waits for credit, one chunk after the other; no more comes once the socket has paused. */
  readonly #waiting: Uint8Array[] = [];
  #inputEnded = false;
  // From the hub to the socket.
  #receiving: boolean;
  #full = false;
  #unread = 0;
  #granting: ReturnType<typeof setImmediate> | undefined;

  constructor(descriptor: number, end: StreamEnd, attachments: Attachments) {
    this.#socket = adoptSocket(descriptor);
    this.#end = end;
    this.#attachments = attachments;
    this.#sending = end.sends;
    this.#receiving = end.receives;
    this.#window = new ReadWindow(end, WINDOW, attachments.site.budget);
  }

  start(): void {
    this.#attachments.add(this);
    this.#socket.open(this.#handler);
    this.#end.listen(this);
    if (this.#receiving) this.#window.open();
    else this.#socket.end();
  }

  /** Ends both directions at once. */
  abort(why: Failure): void {
    if (this.#isOver) return;
    this.#end.reset(why);
    this.reset(why);
  }

  // StreamEvents

  data(message: Message): void {
    if (this.#isOver) return;
    const { payloadStart, end } = message;
    this.#unread += end - payloadStart;
    if (!this.#socket.send(message.view(payloadStart, end))) this.#full = true;
    this.#taken();
  }

  ended(): void {
    this.#receiving = false;
    this.#socket.end();
    this.#settle();
  }

  granted(bytes: number): void {
    this.#credit += bytes;
    this.#pump();
  }

  ready(): boolean {
    return true; // what may come is bounded by credit
  }

  writable(): void {
    this.#pump();
  }

  /** A stream that was cut off must not look like one that is complete, but a socket of this kind knows only its end. */
  reset(_why: Failure): void {
    if (this.#isOver) return;
    this.#finish();
    this.#socket.abort();
  }

  readonly #handler: DescriptorSocketHandler = {
    data: (bytes, descriptors) => {
      for (const descriptor of descriptors) closeDescriptor(descriptor);
      if (this.#isOver || !this.#sending) return;
      this.#waiting.push(copyOf(bytes, 0, bytes.length));
      this.#pump();
    },
    ended: () => {
      this.#inputEnded = true;
      this.#pump();
    },
    drained: () => {
      this.#full = false;
      this.#taken();
      this.#settle();
    },
    closed: (error) => this.#closed(error),
  };

  #pump(): void {
    if (this.#isOver) return;
    for (let bytes = this.#waiting[0]; bytes !== undefined; bytes = this.#waiting[0]) {
      if (this.#credit <= 0 || !this.#end.ready()) return this.#socket.pause();
      const size = Math.min(bytes.length, this.#credit);
      this.#credit -= size;
      if (size === bytes.length) this.#waiting.shift();
      else this.#waiting[0] = viewOf(bytes, size, bytes.length);
      this.#end.send(Message.ofBytes(size === bytes.length ? bytes : viewOf(bytes, 0, size)));
    }
    if (!this.#inputEnded) return this.#socket.resume();
    if (this.#sending) this.#end.end();
    this.#sending = false;
    return this.#settle();
  }

  /** What the system has taken, the hub's side may send anew. Not now, for the reason that a channel has. */
  #taken(): void {
    if (!this.#full && !this.#isOver) this.#granting ??= setImmediate(() => this.#grant());
  }

  #grant(): void {
    this.#granting = undefined;
    if (this.#full || this.#isOver) return;
    this.#window.read(this.#unread);
    this.#unread = 0;
  }

  #settle(): void {
    if (this.#sending || this.#receiving || this.#full || this.#isOver) return;
    this.#finish();
    this.#socket.close();
  }

  #closed(error: Error | undefined): void {
    this.#attachments.delete(this);
    if (this.#isOver) return;
    this.#finish();
    const text = error === undefined ? "the reader has left" : `the attachment was cut off: ${error.message}`;
    this.#end.reset(failure("CALLER_GONE", text));
  }

  #finish(): void {
    this.#isOver = true;
    clearImmediate(this.#granting);
    this.#window.close();
    this.#waiting.length = 0;
  }
}
