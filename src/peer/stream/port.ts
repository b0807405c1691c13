/** The end of a stream as a peer holds it: what arrives waits here until it is taken, what leaves waits for credit. */
import { copyOf, viewOf } from "../../message/bytes.ts";
import { defer } from "../../message/deferred.ts";
import { LintelError, type Failure } from "../../message/failure.ts";
import { Message, type StreamEnd, type StreamEvents } from "../../message/message.ts";
import { ReadWindow, type ReadBudget } from "../../message/read-window.ts";
import { INITIAL_CREDIT, discardStreams, messageCost } from "../../message/stream.ts";

/** What the other end may send ahead of the reader. Bytes. */
const WINDOW = 1_048_576;
/** Below this size a payload is copied: a view would keep the chunk it came in. */
const SMALL = 4_096;

export class Port implements StreamEvents {
  readonly #end: StreamEnd;
  readonly #window: ReadWindow;
  readonly #over = defer();
  #error: LintelError | undefined;
  // Arriving.
  #arrived: Message[] = [];
  #receiving: boolean;
  #awaiting: { resolve(message: Message | undefined): void; reject(error: Error): void } | undefined;
  // Leaving.
  #sending: boolean;
  #credit = INITIAL_CREDIT;
  #onRoom: { resolve(): void; reject(error: Error): void } | undefined;

  constructor(end: StreamEnd, budget: ReadBudget) {
    this.#end = end;
    this.#window = new ReadWindow(end, WINDOW, budget);
    this.#receiving = end.receives;
    this.#sending = end.sends;
    this.#over.promise.catch(() => undefined); // who wants to know looks at `closed`
    end.listen(this);
  }

  /** Resolves when both directions have ended; rejects when the stream was aborted. */
  get closed(): Promise<void> {
    return this.#over.promise;
  }

  /** True while the stream is of use to somebody. */
  get isOpen(): boolean {
    return this.#receiving || this.#sending;
  }

  /** The next that arrived; undefined at the end. Rejects when the stream was aborted. One call at a time. */
  take(): Promise<Message | undefined> {
    if (this.#error !== undefined) return Promise.reject(this.#error);
    if (this.#receiving) this.#window.open();
    const message = this.#arrived.shift();
    if (message !== undefined) return Promise.resolve(this.#account(message));
    if (!this.#receiving) return Promise.resolve(undefined);
    if (this.#awaiting !== undefined) return Promise.reject(new TypeError("somebody reads from it already"));
    return new Promise((resolve, reject) => {
      this.#awaiting = { resolve, reject };
    });
  }

  /** Sends bytes as credit allows. Resolves when all have left and more may follow. */
  async write(bytes: Uint8Array): Promise<void> {
    let at = 0;
    while (at < bytes.length) {
      while (this.#credit <= 0 || !this.#end.ready()) await this.#room();
      this.#checkSending();
      const length = Math.min(bytes.length - at, this.#credit);
      if (length <= 0) continue;
      this.#credit -= length;
      this.#end.send(Message.ofBytes(length === bytes.length ? bytes : viewOf(bytes, at, at + length)));
      at += length;
    }
  }

  /** Sends a message, whose payload is bytes already. Resolves when it has left. */
  async send(message: Message): Promise<void> {
    while (this.#credit <= 0 || !this.#end.ready()) await this.#room();
    this.#checkSending();
    this.#end.send(message);
    this.#credit -= messageCost(message);
  }

  /** Nothing more is sent; what the other end sends still arrives. */
  end(): void {
    if (!this.#sending) return;
    this.#sending = false;
    this.#onRoom?.reject(closedError());
    this.#end.end();
    this.#settle();
  }

  /** Ends both directions; the other end hears why. */
  abort(why: Failure): void {
    if (!this.isOpen && this.#arrived.length === 0) return;
    this.#end.reset(why);
    this.reset(why);
  }

  // StreamEvents

  data(message: Message): void {
    if (this.#awaiting === undefined) {
      this.#arrived.push(this.#kept(message));
      return;
    }
    const awaiting = this.#awaiting;
    this.#awaiting = undefined;
    awaiting.resolve(this.#account(this.#kept(message)));
  }

  ended(): void {
    this.#receiving = false;
    this.#awaiting?.resolve(undefined);
    this.#awaiting = undefined;
    this.#settle();
  }

  granted(bytes: number): void {
    this.#credit += bytes;
    if (this.#credit > 0) this.#go();
  }

  ready(): boolean {
    return true; // what may come is bounded by credit
  }

  writable(): void {
    this.#go();
  }

  reset(why: Failure): void {
    this.#receiving = false;
    this.#sending = false;
    this.#error = LintelError.from(why);
    for (const message of this.#arrived.splice(0)) discardStreams(message, why);
    this.#awaiting?.reject(this.#error);
    this.#awaiting = undefined;
    this.#onRoom?.reject(this.#error);
    this.#onRoom = undefined;
    this.#settle();
  }

  #account(message: Message): Message {
    if (!this.#receiving) return message;
    this.#window.read(this.#end.messages ? messageCost(message) : message.end - message.payloadStart);
    return message;
  }

  #kept(message: Message): Message {
    const { bytes, payloadStart, end } = message;
    if (this.#end.messages) return message.encoder === undefined ? message.retain() : message;
    if (end - payloadStart < SMALL) return Message.ofBytes(copyOf(bytes, payloadStart, end));
    return Message.ofBytes(viewOf(bytes, payloadStart, end));
  }

  #room(): Promise<void> {
    this.#checkSending();
    if (this.#onRoom !== undefined) return Promise.reject(new TypeError("somebody writes to it already"));
    return new Promise((resolve, reject) => {
      this.#onRoom = { resolve, reject };
    });
  }

  #go(): void {
    const waiting = this.#onRoom;
    if (waiting === undefined || this.#credit <= 0 || !this.#end.ready()) return;
    this.#onRoom = undefined;
    waiting.resolve();
  }

  #checkSending(): void {
    if (this.#error !== undefined) throw this.#error;
    if (!this.#sending) throw closedError();
  }

  #settle(): void {
    if (this.isOpen) return;
    this.#window.close();
    if (this.#error === undefined) this.#over.resolve();
    else this.#over.reject(this.#error);
  }
}

function closedError(): LintelError {
  return LintelError.of("CLOSED", "this end of the stream was closed");
}
