/** The end of a stream as a peer holds it: what arrives waits here until it is taken, what leaves waits for credit. */
import { ReceiveQueue, keptBytes } from "../../stream/receive-queue.ts";
import { defer } from "../../runtime/deferred.ts";
import { LintelError, type Failure } from "../../message/failure.ts";
import { Message, type StreamEnd, type StreamEvents } from "../../message/message.ts";
import { OpenStreams, type OpenStream } from "../../stream/open-streams.ts";
import { ReadBudget, ReadWindow } from "../../stream/read-window.ts";
import { CreditPump, type PumpSource } from "../../stream/credit-pump.ts";
import { discardStreams, messageCost } from "../../stream/stream.ts";
import type { SharedByStreams } from "./values.ts";

/** What the other end may send ahead of the reader. Bytes. */
const WINDOW = 1_048_576;
/** Sends that may wait for those before them. */
const MAX_LINE = 1_024;

/** Who waits for what arrives. */
export interface Taker {
  resolve(message: Message | undefined): void;
  reject(error: Error): void;
}

/** Whose end it is: that of a pump, for as long as it is open, or a user's, who has opened a channel or received the stream. */
export type Holder = "pump" | "opener" | "receiver";

/** Something that is sent, and who waits for it to have left. */
interface Leaving {
  readonly message: Message;
  /** There must be room for more then. */
  readonly needsRoom: boolean;
  resolve(): void;
  reject(error: Error): void;
}

export class Port implements StreamEvents, PumpSource, OpenStream {
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
  readonly #pump: CreditPump;
  /** The other end has asked for more than every stream begins with: somebody reads there. */
  #isGranted = false;
  /** Something was sent here, or will be. */
  #isFed: boolean;
  /** What is with the pump, and what stands in line behind it, so that nothing overtakes what waits for credit. */
  #leaving: Leaving | undefined;
  readonly #line: Leaving[] = [];
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
    this.#pump = new CreditPump(end, this);
    this.#over.promise.catch(() => undefined); // code that needs to know uses `closed`
    end.listen(this);
  }

  /** Resolves when both directions have ended; rejects when the stream was aborted. */
  get closed(): Promise<void> {
    return this.#over.promise;
  }

  /** True while the stream is of use to somebody. */
  get isOpen(): boolean {
    return this.#receiving || this.#pump.isOpen;
  }

  /** True while somebody reads at this end, or at the other and somebody sends here. */
  get isAwaited(): boolean {
    // A pump reads for whoever gave it a target: that somebody writes shows when something comes.
    if (this.#awaiting !== undefined && (this.#holder !== "pump" || this.moves > 0)) return true;
    // The handler of a channel has returned, most likely, and what is sent to it is dropped.
    if (this.#holder === "opener" && this.#end.receives && !this.#receiving) return false;
    return this.#pump.isOpen && this.#isFed && this.#isGranted && this.#pump.credit > 0;
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
    if (this.#awaiting !== undefined) return taker.reject(new TypeError("it already has a reader"));
    this.#awaiting = taker;
    return undefined;
  }

  /** Sends bytes as credit allows. Resolves when all have left and more may follow; undefined when they have already. */
  write(bytes: Uint8Array): Promise<void> | undefined {
    return this.#send(Message.ofBytes(bytes), true);
  }

  /** True while more may be sent. */
  get isSending(): boolean {
    return this.#pump.isOpen && !this.#ending;
  }

  /**
   * Sends a message, whose payload is bytes already. Resolves when it has left; undefined when it has already. Rejects
   * with `SLOW_CONSUMER` when too many wait, because their sender does not wait for them; throws what the connection does
   * not take.
   */
  send(message: Message): Promise<void> | undefined {
    return this.#send(message, false);
  }

  #send(message: Message, needsRoom: boolean): Promise<void> | undefined {
    if (!this.isSending) return Promise.reject(this.#error ?? closedError());
    this.#isFed = true;
    const isFirst = this.#leaving === undefined;
    if (isFirst) {
      this.#pump.push(message);
      if (this.#error !== undefined) return Promise.reject(this.#error);
      if (this.#pump.isIdle && (!needsRoom || this.#end.ready())) {
        if (this.#isGranted) this.moves++;
        return undefined;
      }
    } else if (this.#line.length >= MAX_LINE) {
      return Promise.reject(
        LintelError.of(
          "SLOW_CONSUMER",
          "the other end does not keep up, and send() was called without awaiting it",
        ),
      );
    }
    return new Promise((resolve, reject) => {
      const leaving = { message, needsRoom, resolve, reject };
      if (isFirst) this.#leaving = leaving;
      else this.#line.push(leaving);
    });
  }

  /** Nothing more is sent after what is being sent; what the other end sends still arrives. */
  end(): void {
    if (!this.isSending) return;
    this.#ending = true;
    if (this.#leaving === undefined) this.#pump.finish();
  }

  /** What has arrived and still arrives is dropped, so that who sends it does not wait for a reader. */
  ignoreRest(): void {
    this.#ignores = true;
    for (let one = this.#arrived.take(); one !== undefined; one = this.#arrived.take()) {
      discardStreams(this.#account(one));
    }
    this.#uncount();
  }

  /** Ends both directions; the other end gets the reason. */
  abort(why: Failure): void {
    if (!this.isOpen && this.#arrived.isEmpty) return;
    this.#end.reset(why);
    this.reset(why);
  }

  /** Nothing flows any more, and both ends know: what the stream stood for was handed over. */
  over(): void {
    this.#receiving = false;
    this.#pump.stop();
    this.#settle();
  }

  // PumpSource

  pause(): void {
    // what is in line waits
  }

  resume(): void {
    this.#left();
  }

  sentAll(): void {
    this.#settle();
    this.#uncount();
  }

  refused(error: unknown): void {
    this.#leaving?.reject(error as Error);
    this.#leaving = undefined;
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
    this.#isGranted = true;
    this.moves++;
    this.#pump.granted(bytes);
    this.#left();
  }

  ready(): boolean {
    return true; // what may come is bounded by credit
  }

  writable(): void {
    if (this.#isGranted && this.#pump.credit > 0) this.moves++;
    this.#pump.writable();
    this.#left();
  }

  reset(why: Failure): void {
    this.#receiving = false;
    this.#pump.stop(why);
    this.#error = LintelError.from(why);
    for (let one = this.#arrived.take(); one !== undefined; one = this.#arrived.take()) {
      discardStreams(one, why);
    }
    this.#awaiting?.reject(this.#error);
    this.#awaiting = undefined;
    this.#leaving?.reject(this.#error);
    this.#leaving = undefined;
    for (const leaving of this.#line.splice(0)) leaving.reject(this.#error);
    this.#settle();
  }

  #account(message: Message): Message {
    this.moves++;
    if (!this.#receiving) return message;
    this.#window.read(this.#end.messages ? messageCost(message) : message.end - message.payloadStart);
    return message;
  }

  /** Sends what is next in line, when what was before it has left. */
  #left(): void {
    while (this.#pump.isIdle) {
      const left = this.#leaving;
      if (left?.needsRoom === true && !this.#end.ready()) return; // it may still lie where it was given
      this.#leaving = this.#line.shift();
      left?.resolve();
      if (this.#leaving === undefined) break;
      this.#push(this.#leaving);
    }
    if (this.#ending && this.#leaving === undefined) this.#pump.finish();
  }

  #push({ message }: Leaving): void {
    try {
      this.#pump.push(message);
    } catch (error) {
      this.refused(error);
    }
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
    if (this.#pump.isOpen || (this.#receiving && !this.#ignores)) return;
    this.#open?.closed(this);
    this.#open = undefined;
  }
}

function closedError(): LintelError {
  return LintelError.of("CLOSED", "this end of the stream was closed");
}
