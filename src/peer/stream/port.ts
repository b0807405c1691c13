/** The end of a stream as a peer holds it: what arrives waits here until it is taken, what leaves waits for credit. */
import { ReceiveQueue, keptBytes } from "../../stream/receive-queue.ts";
import { viewOf } from "../../message/bytes.ts";
import { defer } from "../../runtime/deferred.ts";
import { LintelError, type Failure } from "../../message/failure.ts";
import { Message, type StreamEnd, type StreamEvents } from "../../message/message.ts";
import { OpenStreams, type OpenStream } from "../../stream/open-streams.ts";
import { ReadBudget, ReadWindow } from "../../stream/read-window.ts";
import { INITIAL_CREDIT, discardStreams, messageCost } from "../../stream/stream.ts";
import type { SharedByStreams } from "./values.ts";

/** What the other end may send ahead of the reader. Bytes. */
const WINDOW = 1_048_576;
const NOTHING = new Uint8Array(0);
/** Sends that may wait for those before them. */
const MAX_LINE = 1_024;

/** Who waits for what arrives. */
export interface Taker {
  resolve(message: Message | undefined): void;
  reject(error: Error): void;
}

/** Whose end it is: that of a pump, for as long as it is open, or a user's, who has opened a channel or received the stream. */
export type Holder = "pump" | "opener" | "receiver";

export class Port implements StreamEvents, OpenStream {
  readonly #end: StreamEnd;
  readonly #window: ReadWindow;
  /** Where it is counted, as long as it is. */
  #open: OpenStreams | undefined;
  readonly #holder: Holder;
  moves = 0;
  readonly #over = defer();
  #error: LintelError | undefined;
  // Arriving.
  readonly #arrived: ReceiveQueue;
  /** Nobody reads: what arrives is dropped. */
  #ignores = false;
  #receiving: boolean;
  #awaiting: Taker | undefined;
  // Leaving.
  #sending: boolean;
  #credit = INITIAL_CREDIT;
  /** The other end has asked for more than every stream begins with: somebody reads there. */
  #isGranted = false;
  /** Something was sent here, or will be. */
  #isFed: boolean;
  #onRoom: { readonly credit: number; resolve(): void; reject(error: Error): void } | undefined;
  /** Somebody is sending; others stand in line, so that nothing overtakes what waits for credit. */
  #busy = false;
  readonly #line: (() => void)[] = [];
  /** END follows what is being sent. */
  #ending = false;

  /** Without `shared` its window and its end are nobody else's business. */
  constructor(
    end: StreamEnd,
    shared?: Pick<SharedByStreams, "budget" | "open">,
    holder: Holder = "receiver",
  ) {
    const { budget, open } = shared ?? { budget: new ReadBudget(), open: new OpenStreams() };
    this.#end = end;
    this.#open = open;
    this.#holder = holder;
    this.#isFed = holder === "pump";
    open.opened(this);
    this.#window = new ReadWindow(end, WINDOW, budget);
    this.#arrived = new ReceiveQueue(end.messages);
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

  /** True while somebody reads at this end, or at the other and somebody sends here. */
  get isAwaited(): boolean {
    // A pump reads for whoever gave it a target: that somebody writes shows when something comes.
    if (this.#awaiting !== undefined && (this.#holder !== "pump" || this.moves > 0)) return true;
    // The handler of a channel has returned, most likely, and what is sent to it is dropped.
    if (this.#holder === "opener" && this.#end.receives && !this.#receiving) return false;
    return this.#sending && this.#isFed && this.#isGranted && this.#credit > 0;
  }

  /** The next that arrived; undefined at the end. Rejects when the stream was aborted. One call at a time. */
  take(): Promise<Message | undefined> {
    return new Promise((resolve, reject) => this.takeFor({ resolve, reject }));
  }

  /** As `take`, without a promise: `taker` is told, at once if something has arrived. */
  takeFor(taker: Taker): void {
    if (this.#error !== undefined) return taker.reject(this.#error);
    if (this.#receiving) this.#window.open();
    const message = this.#arrived.take();
    if (message !== undefined) return taker.resolve(this.#account(message));
    if (!this.#receiving) return taker.resolve(undefined);
    if (this.#awaiting !== undefined) return taker.reject(new TypeError("somebody reads from it already"));
    this.#awaiting = taker;
    return undefined;
  }

  /** Sends bytes as credit allows. Resolves when all have left and more may follow; undefined when they have already. */
  write(bytes: Uint8Array): Promise<void> | undefined {
    const isFree = this.isSending && !this.#busy;
    if (!isFree || bytes.length > this.#credit || !this.#end.ready()) return this.#writeInParts(bytes);
    this.#credit -= bytes.length;
    this.#sends();
    if (bytes.length > 0) this.#end.send(Message.ofBytes(bytes));
    return this.#end.ready() ? undefined : this.#writeInParts(NOTHING);
  }

  async #writeInParts(bytes: Uint8Array): Promise<void> {
    this.#checkSending();
    if (this.#busy) await this.#stand();
    this.#busy = true;
    try {
      for (let at = 0; at < bytes.length;) {
        while (this.#credit <= 0 || !this.#end.ready()) await this.#room(1);
        this.#checkOpen();
        const length = Math.min(bytes.length - at, this.#credit);
        this.#credit -= length;
        this.#sends();
        this.#end.send(Message.ofBytes(length === bytes.length ? bytes : viewOf(bytes, at, at + length)));
        at += length;
      }
      while (!this.#end.ready()) await this.#room(-Infinity); // what was sent may still lie where it was given
    } finally {
      this.#next();
    }
  }

  /** True while more may be sent. */
  get isSending(): boolean {
    return this.#sending && !this.#ending;
  }

  /**
   * Sends a message, whose payload is bytes already. Resolves when it has left; undefined when it has already. Rejects
   * with `SLOW_CONSUMER` when too many wait, because their sender does not wait for them; throws what the connection does
   * not take.
   */
  send(message: Message): Promise<void> | undefined {
    const isFree = this.isSending && !this.#busy && this.#credit > 0;
    if (!isFree || !this.#end.ready()) return this.#sendLater(message);
    this.#sends();
    this.#end.send(message);
    this.#credit -= messageCost(message);
    return undefined;
  }

  async #sendLater(message: Message): Promise<void> {
    this.#checkSending();
    if (this.#busy) await this.#stand();
    this.#busy = true;
    try {
      while (this.#credit <= 0 || !this.#end.ready()) await this.#room(1);
      this.#checkOpen();
      this.#sends();
      this.#end.send(message);
      this.#credit -= messageCost(message);
    } finally {
      this.#next();
    }
  }

  /** Nothing more is sent after what is being sent; what the other end sends still arrives. */
  end(): void {
    if (!this.#sending || this.#ending) return;
    this.#ending = true;
    if (!this.#busy) this.#finish();
  }

  /** What has arrived and still arrives is dropped, so that who sends it does not wait for a reader. */
  ignoreRest(): void {
    this.#ignores = true;
    for (let one = this.#arrived.take(); one !== undefined; one = this.#arrived.take()) {
      discardStreams(this.#account(one));
    }
    this.#uncount();
  }

  /** Ends both directions; the other end hears why. */
  abort(why: Failure): void {
    if (!this.isOpen && this.#arrived.isEmpty) return;
    this.#end.reset(why);
    this.reset(why);
  }

  /** Nothing flows any more, and both ends know: what the stream stood for was handed over. */
  over(): void {
    this.#receiving = false;
    this.#sending = false;
    this.#settle();
  }

  // StreamEvents

  data(message: Message): void {
    const awaiting = this.#awaiting;
    if (awaiting !== undefined) {
      this.#awaiting = undefined;
      const kept = this.#end.messages ? message.retain() : keptBytes(message);
      awaiting.resolve(this.#account(kept));
    } else if (this.#ignores) {
      discardStreams(this.#account(message));
    } else {
      this.#arrived.add(message);
    }
  }

  ended(): void {
    this.#receiving = false;
    this.#awaiting?.resolve(undefined);
    this.#awaiting = undefined;
    this.#settle();
  }

  granted(bytes: number): void {
    this.#credit += bytes;
    this.#isGranted = true;
    this.moves++;
    this.#go();
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
    for (let one = this.#arrived.take(); one !== undefined; one = this.#arrived.take()) {
      discardStreams(one, why);
    }
    this.#awaiting?.reject(this.#error);
    this.#awaiting = undefined;
    this.#onRoom?.reject(this.#error);
    this.#onRoom = undefined;
    this.#settle();
  }

  #account(message: Message): Message {
    this.moves++;
    if (!this.#receiving) return message;
    this.#window.read(this.#end.messages ? messageCost(message) : message.end - message.payloadStart);
    return message;
  }

  #sends(): void {
    if (this.#isGranted) this.moves++;
    this.#isFed = true;
  }

  /** Waits for its turn. */
  #stand(): Promise<void> {
    if (this.#line.length >= MAX_LINE) {
      return Promise.reject(
        LintelError.of("SLOW_CONSUMER", "the other end does not keep up, and nobody waits for what is sent"),
      );
    }
    return new Promise((resolve) => this.#line.push(resolve));
  }

  /** Whoever is next in line may send. */
  #next(): void {
    const next = this.#line.shift();
    if (next !== undefined) return next();
    this.#busy = false;
    if (this.#ending) this.#finish();
  }

  #finish(): void {
    if (!this.#sending) return;
    this.#sending = false;
    this.#end.end();
    this.#settle();
    this.#uncount();
  }

  /** Resolves when there is this much credit, and the way to the other end has room. */
  #room(credit: number): Promise<void> {
    this.#checkOpen();
    return new Promise((resolve, reject) => {
      this.#onRoom = { credit, resolve, reject };
    });
  }

  #go(): void {
    const waiting = this.#onRoom;
    if (waiting === undefined || this.#credit < waiting.credit || !this.#end.ready()) return;
    this.#onRoom = undefined;
    waiting.resolve();
  }

  #checkSending(): void {
    this.#checkOpen();
    if (this.#ending) throw closedError();
  }

  #checkOpen(): void {
    if (this.#error !== undefined) throw this.#error;
    if (!this.#sending) throw closedError();
  }

  #settle(): void {
    if (this.isOpen) return;
    this.#window.close();
    this.#uncount();
    if (this.#error === undefined) this.#over.resolve();
    else this.#over.reject(this.#error);
  }

  /** Nobody waits for its end any more, once it is of use to nobody at this end. */
  #uncount(): void {
    if (this.#sending || (this.#receiving && !this.#ignores)) return;
    this.#open?.closed(this);
    this.#open = undefined;
  }
}

function closedError(): LintelError {
  return LintelError.of("CLOSED", "this end of the stream was closed");
}
