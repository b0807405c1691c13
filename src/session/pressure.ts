/**
 * Backpressure of one session, both ways. It is *full* while more waits for the other end than it should (P-62): its owner
 * sends nothing new then, and an acceptor does not read what asks for more. It is *held* while it is not read (P-66), for its
 * own sake or for another session's.
 *
 * No two ends wait for each other: the dialer of a session always reads, so what an acceptor has to send is taken in the
 * end, or the session is ended as stalled. An acceptor holds a session only until another has taken what waits for it.
 */
import type { Connection } from "../transport/transport.ts";
import type { FrameReader } from "../wire/frame-reader.ts";
import type { Heartbeat } from "../runtime/heartbeat.ts";
import type { SessionOptions } from "./options.ts";
import type { Outbox } from "./outbox.ts";
import { StallWatch } from "./stall-watch.ts";

/** The part of `limits.sessionBuffer` that may wait before a session is full. */
const MARK = 1 / 8;
/** It is full until no more than this part of the mark waits. */
const EASED = 1 / 2;
/**
 * So many times the buffer may wait if nobody can be held back: publications have four, and what the other end asks for
 * the rest. Nothing that keeps to the protocol gets there.
 */
const MOST = 6;
/** In a process that is short of room this part of what waits must be taken within the timeout. */
const SHARE = 1 / 8;

/** Parts of the session. */
export interface PressureParts {
  readonly outbox: Outbox;
  readonly heartbeat: Heartbeat;
  /** What streams may add to what waits, by the credit of the other end, in bytes. */
  readonly streams: { readonly room: number };
  readonly reader: Pick<FrameReader, "pause">;
  /** Reads the frames that have come meanwhile, and goes on. */
  readonly resume: () => void;
  /** The other end has taken too little for too long. */
  readonly stalled: () => void;
  /** There is more than can be kept. */
  readonly overflowed: () => void;
}

type PressureOptions = Pick<
  SessionOptions<never>,
  "role" | "flusher" | "clock" | "limits" | "isShort" | "lifecycle"
>;

export class Pressure {
  readonly #options: PressureOptions;
  readonly #connection: Connection;
  readonly #parts: PressureParts;
  readonly #watch: StallWatch;
  /** Bytes that may wait before the session is full, besides those of streams. */
  readonly mark: number;
  readonly #most: number;
  #isFull = false;
  /** Full of what the other end has asked for. */
  #holdsItself = false;
  #holds = 0;
  #isHeld = false;
  #isResuming = false;
  #isOver = false;

  constructor(connection: Connection, options: PressureOptions, parts: PressureParts) {
    const { clock, limits, isShort, role } = options;
    const { outbox, stalled } = parts;
    this.#connection = connection;
    this.#options = options;
    this.#parts = parts;
    this.mark = limits.sessionBuffer * MARK;
    const canHold = role === "acceptor" && connection.read !== undefined;
    this.#most = canHold ? Infinity : limits.sessionBuffer * MOST;
    this.#watch = new StallWatch({
      clock,
      timeoutMs: limits.stallTimeout,
      taken: () => outbox.handedOver - (connection.unsent ?? 0),
      required: () => (isShort?.() === true ? Math.max(this.mark, outbox.queued * SHARE) : 1),
      stalled,
    });
  }

  get isFull(): boolean {
    return this.#isFull;
  }

  /** More waits than the mark. `isAnswer`: the other end has asked for what was written last. */
  filled(isAnswer: boolean): void {
    if (this.#isOver) return;
    const { role, lifecycle } = this.#options;
    const { outbox, streams, overflowed } = this.#parts;
    if (outbox.queued > this.#most + streams.room) return overflowed();
    if (!this.#isFull) {
      this.#isFull = true;
      if (role === "acceptor") this.#watch.start();
      lifecycle.pressure?.("full");
    }
    if (!isAnswer || role === "dialer") return;
    lifecycle.pressure?.("answered");
    if (this.#holdsItself) return;
    this.#holdsItself = true;
    this.hold();
  }

  /** The connection has taken something. */
  taken(): void {
    if (!this.#isFull) return;
    const { outbox, streams } = this.#parts;
    const { lifecycle } = this.#options;
    if (outbox.queued - streams.room > this.mark * EASED) return lifecycle.pressure?.("less");
    this.#isFull = false;
    this.#watch.stop();
    if (this.#holdsItself) this.release();
    this.#holdsItself = false;
    return lifecycle.pressure?.("room");
  }

  /** Reads nothing more, until it is released as often. */
  hold(): void {
    this.#holds++;
    const { heartbeat, reader } = this.#parts;
    if (this.#isHeld || this.#isOver || this.#connection.read === undefined) return;
    this.#isHeld = true;
    reader.pause();
    this.#connection.read(false);
    heartbeat.hold();
  }

  /** Goes on at the end of this turn of the loop, unless it is held by then. */
  release(): void {
    this.#holds--;
    if (this.#holds > 0 || !this.#isHeld || this.#isResuming) return;
    this.#isResuming = true;
    this.#options.flusher.schedule(this);
  }

  /** For the flusher. */
  flush(): void {
    this.#isResuming = false;
    if (this.#holds > 0 || !this.#isHeld || this.#isOver) return;
    const { heartbeat, resume } = this.#parts;
    this.#isHeld = false;
    heartbeat.release();
    this.#connection.read?.(true);
    resume();
  }

  /** The session ends: what still comes is read, and ignored. */
  stop(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#watch.stop();
    if (this.#isHeld) this.#connection.read?.(true);
    this.#isHeld = false;
  }
}
