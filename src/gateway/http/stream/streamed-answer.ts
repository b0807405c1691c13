import { failure, type Failure } from "../../../message/failure.ts";
import type { Message, StreamEnd, StreamEvents } from "../../../message/message.ts";
import { ReadWindow, type ReadBudget } from "../../../stream/read-window.ts";
import { discardStreams, messageCost, takeBytes } from "../../../stream/stream.ts";
import { badAnswer } from "../encode.ts";
import type { Exchange } from "../connection.ts";
import type { HttpSettings } from "../options.ts";
import type { StreamForm } from "./form.ts";

/** How far the worker may be ahead of the caller. Bytes. */
const WINDOW = 262_144;
/** A head that goes out with the first piece waits this long for it. Milliseconds. */
const HEAD_WAIT_MS = 1_000;

/** A piece costs as much as so many bytes, however short it is. */
const PIECE_COST = 1_024;

const IDLE = Object.freeze(failure("DEADLINE", "the answer's stream was silent for too long"));

/** The owner of the exchange. */
export interface StreamOwner {
  /** The head is to be written. */
  opened(answer: StreamedAnswer): void;
  /** Nothing was written, and the stream has failed: `why` is the answer. */
  refused(answer: StreamedAnswer, why: Failure): void;
  /** Everything is written, or cut off for this reason. */
  over(answer: StreamedAnswer, reason: string | undefined): void;
  /** It has something to write: `flush` is to be called, at the end of this turn of the loop or of one soon. */
  written(answer: StreamedAnswer): void;
}

/**
 * An answer whose body is sent as it is produced. The worker may be ahead of the caller by one window: credit is granted
 * for what the connection has taken.
 *
 * | state   | meaning                                           | next                                             |
 * |---------|---------------------------------------------------|--------------------------------------------------|
 * | waiting | the head is held back for the first piece         | flowing, over (failed: a problem is the answer)  |
 * | flowing | the head is written                               | ending, over (failed, caller gone)               |
 * | ending  | the worker has ended; pieces wait to be written   | over (complete, failed, caller gone)             |
 * | over    | nothing more is written                           |                                                  |
 */
export class StreamedAnswer implements StreamEvents {
  readonly exchange: Exchange;
  state: "waiting" | "flowing" | "ending" | "over" = "waiting";
  readonly #end: StreamEnd;
  readonly #form: StreamForm;
  readonly #settings: HttpSettings;
  readonly #owner: StreamOwner;
  readonly #window: ReadWindow;
  /** Not written yet: what comes in one turn goes out together. Bounded by the worker's credit. */
  #pieces: Uint8Array[] = [];
  /** Not taken by the connection when it was last asked. As credit counts it. */
  #unread = 0;
  /** When the worker and when this end last said something. */
  #heardAt: number;
  #saidAt: number;
  #timer: unknown;

  constructor(
    exchange: Exchange,
    end: StreamEnd,
    form: StreamForm,
    settings: HttpSettings,
    budget: ReadBudget,
    owner: StreamOwner,
  ) {
    this.exchange = exchange;
    this.#end = end;
    this.#form = form;
    this.#settings = settings;
    this.#owner = owner;
    this.#window = new ReadWindow(end, WINDOW, budget);
    this.#heardAt = this.#saidAt = settings.clock.now();
  }

  begin(): void {
    const { response } = this.exchange;
    response.on("drain", () => {
      this.#heardAt = this.#settings.clock.now(); // the worker could not say anything before
      this.#taken();
    });
    if (this.#form.eager) this.#flushHead();
    else this.#timer = this.#settings.clock.after(HEAD_WAIT_MS, () => this.#flushHead());
    this.#end.listen(this);
    takeBytes(this.#end);
    this.#window.open();
  }

  /** The caller has left. */
  leave(): void {
    if (this.state === "over") return;
    this.#stop();
    this.#end.reset(failure("CALLER_GONE"));
    this.#owner.over(this, failure("CALLER_GONE").reason);
  }

  /** Ends it before its time; caller and worker learn why, the worker as `told` says. */
  abort(why: Failure, told: Failure = why): void {
    if (this.state === "over") return;
    this.#end.reset(told);
    this.reset(why);
  }

  // StreamEvents

  data(message: Message): void {
    if (this.state === "over") return discardStreams(message);
    if (message.streams !== undefined) {
      const why = badAnswer("a value of its sequence contains a stream");
      discardStreams(message, why);
      return this.abort(why);
    }
    const piece = this.#form.piece(message);
    if (!(piece instanceof Uint8Array)) return this.abort(piece);
    this.#open();
    this.#heardAt = this.#saidAt = this.#settings.clock.now();
    this.#unread += this.#end.messages ? messageCost(message) : piece.length;
    if (this.#pieces.push(piece) === 1) this.#owner.written(this);
  }

  ended(): void {
    if (this.state === "over") return;
    const missing = this.#form.missing();
    if (missing !== undefined) return this.reset(missing);
    this.#open();
    this.state = "ending";
    if (this.#pieces.length === 0) this.#complete();
  }

  /** Writes what has come. Returns what that has cost: its bytes, and what each piece costs besides. */
  flush(): number {
    if (this.state === "over") return 0;
    const cost = this.#write();
    if (this.state === "ending") this.#complete();
    return cost;
  }

  /** Each piece in a chunk of its own, all of them in one system call. */
  #write(): number {
    const pieces = this.#pieces;
    if (pieces.length === 0) return 0;
    const { response } = this.exchange;
    const { socket } = response;
    this.#pieces = [];
    let cost = pieces.length * PIECE_COST;
    let isTaken = true;
    socket?.cork();
    for (const piece of pieces) {
      isTaken = response.write(piece);
      cost += piece.length;
    }
    socket?.uncork();
    if (isTaken) this.#taken();
    return cost;
  }

  #complete(): void {
    this.#stop();
    const { response } = this.exchange;
    if (this.#form.trailers.length > 0) response.addTrailers(this.#form.trailers);
    response.end();
    this.#owner.over(this, undefined);
  }

  granted(): void {
    // nothing is sent from here
  }

  ready(): boolean {
    return true; // what may come is bounded by credit
  }

  writable(): void {
    // nothing is sent from here
  }

  reset(why: Failure): void {
    if (this.state === "over") return;
    const began = this.state !== "waiting";
    if (began) this.#write();
    this.#stop();
    if (!began) return this.#owner.refused(this, why);
    const lastWords = this.#form.lastWords(why);
    if (lastWords === undefined) this.exchange.connection.breakOff(this.exchange.response);
    else this.exchange.response.end(lastWords);
    this.#owner.over(this, why.reason);
  }

  #flushHead(): void {
    this.#open();
    this.exchange.response.flushHeaders();
  }

  #open(): void {
    if (this.state !== "waiting") return;
    this.state = "flowing";
    this.#settings.clock.clear(this.#timer);
    this.#owner.opened(this);
    this.#watch();
  }

  /** The connection has room again for what the worker may send. */
  #taken(): void {
    const taken = this.#unread;
    this.#unread = 0; // first, because the worker may send before this returns
    this.#window.read(taken);
  }

  #stop(): void {
    this.state = "over";
    this.#pieces = [];
    this.#settings.clock.clear(this.#timer);
    this.#window.close();
  }

  /** Sets the clock for what is to be done if all stays quiet. */
  #watch(): void {
    const { clock, sseKeepAliveMs, streamIdleMs } = this.#settings;
    const comment = this.#form.comment === undefined ? Infinity : this.#saidAt + sseKeepAliveMs;
    const idle = streamIdleMs === 0 ? Infinity : this.#heardAt + streamIdleMs;
    const due = Math.min(comment, idle);
    if (due === Infinity) return;
    this.#timer = clock.after(Math.max(1, due - clock.now()), () => this.#quiet());
  }

  #quiet(): void {
    const { clock, sseKeepAliveMs, streamIdleMs } = this.#settings;
    const { response } = this.exchange;
    const now = clock.now();
    if (response.writableNeedDrain) {
      this.#heardAt = this.#saidAt = now; // the caller is the slow side
    } else if (streamIdleMs > 0 && now - this.#heardAt >= streamIdleMs) {
      return this.abort(IDLE);
    } else if (this.#form.comment !== undefined && now - this.#saidAt >= sseKeepAliveMs) {
      response.write(this.#form.comment);
      this.#saidAt = now;
    }
    this.#watch();
  }
}
