import { copyOf } from "../../message/bytes.ts";
import { failure, type Failure } from "../../message/failure.ts";
import { Message, type StreamEnd, type StreamEvents } from "../../message/message.ts";
import { CreditPump, type PumpSource } from "../../stream/credit-pump.ts";
import type {
  DescriptorSocket,
  DescriptorSocketHandler,
} from "../../transport/descriptors/descriptor-socket.ts";
import { adoptSocket, closeDescriptor } from "../../transport/descriptors/endpoints.ts";
import { TakenWindow } from "./taken-window.ts";
import type { Attachments, InUse } from "./attachments.ts";

/** A byte stream of the hub and a socket as one: each direction runs at the speed of its reader and ends by itself (B-46). */
export class ByteBridge implements StreamEvents, PumpSource, InUse {
  readonly #socket: DescriptorSocket;
  readonly #end: StreamEnd;
  readonly #attachments: Attachments;
  readonly #window: TakenWindow;
  #isOver = false;
  // From the socket into the hub.
  readonly #pump: CreditPump;
  // From the hub to the socket.
  #receiving: boolean;
  #full = false;

  constructor(descriptor: number, end: StreamEnd, attachments: Attachments) {
    this.#socket = adoptSocket(descriptor);
    this.#end = end;
    this.#attachments = attachments;
    this.#pump = new CreditPump(end, this);
    this.#receiving = end.receives;
    this.#window = new TakenWindow(end, attachments.site.budget, () => !this.#full);
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

  // PumpSource

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  sentAll(): void {
    this.#settle();
  }

  // StreamEvents

  data(message: Message): void {
    if (this.#isOver) return;
    const { payloadStart, end } = message;
    if (!this.#socket.send(message.view(payloadStart, end))) this.#full = true;
    this.#window.sent(end - payloadStart);
  }

  ended(): void {
    this.#receiving = false;
    this.#socket.end();
    this.#settle();
  }

  granted(bytes: number): void {
    this.#pump.granted(bytes);
  }

  ready(): boolean {
    return true; // what may come is bounded by credit
  }

  writable(): void {
    this.#pump.writable();
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
      if (this.#pump.isOpen) this.#pump.push(Message.ofBytes(copyOf(bytes, 0, bytes.length)));
    },
    ended: () => this.#pump.finish(),
    drained: () => {
      this.#full = false;
      this.#window.taken();
      this.#settle();
    },
    closed: (error) => this.#closed(error),
  };

  #settle(): void {
    if (this.#pump.isOpen || this.#receiving || this.#full || this.#isOver) return;
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
    this.#window.close();
    this.#pump.stop();
  }
}
