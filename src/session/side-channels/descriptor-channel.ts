/** The socket beside a session on which descriptors pass. It is opened when one is to pass for the first time. */
import type { Clock } from "../../runtime/clock.ts";
import { failure, type Failure } from "../../message/failure.ts";
import type { Passed } from "../../message/attached.ts";
import { encodeUtf8 } from "../../message/text.ts";
import type { DescriptorSocket } from "../../transport/descriptors/descriptor-socket.ts";
import type { DescriptorPassing } from "../../transport/transport.ts";
import { FrameType, HEADER_SIZE, readU32, writeHeader } from "../../wire/frame.ts";

/** A lane that is not there by then will not be. */
const OPEN_TIMEOUT_MS = 5_000;
/** Descriptors that are fetched, or wait to be sent, at a time: this process holds no more of them for one session. */
const MAX_UNDER_WAY = 64;
const NO_BYTES = new Uint8Array(0);

export interface DescriptorChannelOptions {
  readonly passing: DescriptorPassing;
  readonly clock: Clock;
  /** Asks the other end, which has dialed, to open the lane. Left out by the end that has. */
  readonly ask?: () => void;
  /** A descriptor has come for a stream. Returns what is wrong with that. */
  readonly passed: (stream: number, passed: Passed) => string | undefined;
  /** The other end breaks the protocol, or has cut the lane off. */
  readonly broken: (why: Failure) => void;
}

/**
 * State of a lane.
 *
 * | state   | meaning                                        | next               |
 * |---------|------------------------------------------------|--------------------|
 * | none    | it was not needed, or could not be opened      | opening, open, over |
 * | opening | dialing, or the other end was asked to         | none, open, over   |
 * | open    | descriptors pass                               | over               |
 * | over    | the session has ended                          |                    |
 */
type LaneState = "none" | "opening" | "open" | "over";

export class DescriptorChannel {
  readonly #options: DescriptorChannelOptions;
  #state: LaneState = "none";
  /** What the acceptor lets in, and the dialer shows. */
  token = "";
  #socket: DescriptorSocket | undefined;
  #timer: unknown;
  #waiting: ((isOpen: boolean) => void)[] = [];
  #underWay = 0;
  #isFull = false;
  /** What has arrived of a frame, and descriptors whose frame is not complete. */
  #rest: Uint8Array = NO_BYTES;
  #arrived: number[] = [];

  constructor(options: DescriptorChannelOptions) {
    this.#options = options;
  }

  /**
   * Calls back when a descriptor may be fetched to be passed, with true; `settle` must follow. With false when the lane
   * cannot be opened. Nothing is called once the session is over.
   */
  whenReady(then: (isOpen: boolean) => void): void {
    this.#waiting.push(then);
    if (this.#state === "open") this.#go();
    else this.open();
  }

  /** What was fetched was passed, or has come to nothing. */
  settle(): void {
    this.#underWay--;
    this.#go();
  }

  /** Opens it, if that was not done: the other end may have asked. */
  open(): void {
    if (this.#state !== "none") return;
    const { clock, ask, passing } = this.#options;
    this.#state = "opening";
    this.#timer = clock.after(OPEN_TIMEOUT_MS, () => this.#failed());
    if (ask !== undefined) return ask();
    passing.dial().then(
      (socket) => {
        if (this.#state !== "opening") return socket.abort();
        this.#listen(socket);
        socket.send(laneFrame(FrameType.lane, 0, this.token));
        return undefined;
      },
      () => this.#failed(),
    );
    return undefined;
  }

  /** The other end has dialed, and shown the token. False when there is a lane already. */
  accept(passing: DescriptorPassing): boolean {
    if (this.#state === "open" || this.#state === "over") return false;
    const socket = passing.takeOver();
    this.#listen(socket);
    socket.send(laneFrame(FrameType.lane, 0));
    this.#opened();
    return true;
  }

  /** Passes a descriptor on, and closes this end's. Throws a system error when it could not be kept until there is room. */
  pass(stream: number, passed: Passed): void {
    try {
      this.#isFull = this.#socket?.send(laneFrame(FrameType.pass, stream), [passed.descriptor]) === false;
    } finally {
      passed.close();
    }
  }

  /** The session is over. */
  close(): void {
    this.#state = "over";
    this.#options.clock.clear(this.#timer);
    this.#waiting = [];
    this.#drop();
    this.#socket?.abort();
  }

  #listen(socket: DescriptorSocket): void {
    this.#socket = socket;
    socket.open({
      data: (bytes, descriptors) => this.#data(bytes, descriptors),
      drained: () => {
        this.#isFull = false;
        this.#go();
      },
      closed: () => {
        if (this.#socket !== socket) return;
        if (this.#state === "opening") this.#failed();
        else this.#break(failure("CONNECTION_LOST", "the socket for descriptors was lost"));
      },
    });
  }

  #opened(): void {
    this.#options.clock.clear(this.#timer);
    this.#state = "open";
    this.#go();
  }

  #failed(): void {
    if (this.#state !== "opening") return;
    this.#options.clock.clear(this.#timer);
    this.#state = "none";
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.abort();
    this.#drop();
    for (const then of this.#waiting.splice(0)) then(false);
  }

  #go(): void {
    while (this.#state === "open" && !this.#isFull && this.#underWay < MAX_UNDER_WAY) {
      const then = this.#waiting.shift();
      if (then === undefined) return;
      this.#underWay++;
      then(true);
    }
  }

  #data(bytes: Uint8Array, descriptors: readonly number[]): void {
    this.#arrived.push(...descriptors);
    const all = this.#rest.length === 0 ? bytes : joined(this.#rest, bytes);
    let at = 0;
    for (; at + HEADER_SIZE <= all.length && this.#isListening; at += HEADER_SIZE) {
      const wrong = this.#frame(all, at);
      if (wrong !== undefined) return this.#break(failure("BAD_FRAME", wrong));
    }
    if (!this.#isListening) return undefined;
    this.#rest = all.slice(at);
    if (this.#arrived.length > (this.#rest.length > 0 ? 1 : 0))
      this.#break(failure("BAD_FRAME", "more descriptors than frames that announce them"));
    return undefined;
  }

  get #isListening(): boolean {
    return this.#state === "opening" || this.#state === "open";
  }

  #frame(bytes: Uint8Array, at: number): string | undefined {
    const type = bytes[at + 4]!;
    if (this.#state === "opening") {
      if (type === FrameType.lane) this.#opened();
      else this.#failed(); // a CLOSE: the lane is not let in
      return undefined;
    }
    if (readU32(bytes, at) > 0) return "a frame with a body, on a lane";
    if (type !== FrameType.pass) return `a frame of type ${type}, on a lane`;
    const descriptor = this.#arrived.shift();
    if (descriptor === undefined) return "PASS without a descriptor";
    const { passing } = this.#options;
    return this.#options.passed(readU32(bytes, at + 8), {
      way: "descriptor",
      descriptor,
      close: () => passing.close(descriptor),
    });
  }

  #break(why: Failure): void {
    if (this.#state === "over") return;
    this.#drop();
    this.#options.broken(why);
  }

  #drop(): void {
    for (const descriptor of this.#arrived.splice(0)) this.#options.passing.close(descriptor);
    this.#rest = NO_BYTES;
  }
}

/** Lanes that an acceptor waits for, by their tokens. */
export class DescriptorChannels {
  readonly #lanes = new Map<string, DescriptorChannel>();

  /** Admits the connection that shows the token, which cannot be guessed. */
  issue(lane: DescriptorChannel): void {
    lane.token = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) =>
      byte.toString(16).padStart(2, "0"),
    ).join("");
    this.#lanes.set(lane.token, lane);
  }

  /** Makes a connection the lane whose token it shows. Returns why not. */
  admit(token: string, passing: DescriptorPassing | undefined): Failure | undefined {
    const lane = this.#lanes.get(token);
    if (lane === undefined || passing === undefined)
      return failure("BAD_FRAME", "LANE has no token of an open session");
    try {
      return lane.accept(passing) ? undefined : failure("BAD_FRAME", "the session already has its lane");
    } catch {
      return failure("TOO_MANY", "this process has too many descriptors open");
    }
  }

  revoke(lane: DescriptorChannel): void {
    this.#lanes.delete(lane.token);
  }
}

function laneFrame(type: FrameType, stream: number, text = ""): Uint8Array {
  const body = encodeUtf8(text);
  const frame = new Uint8Array(HEADER_SIZE + body.length);
  writeHeader(frame, 0, body.length, type, 0, 0, stream, 0);
  frame.set(body, HEADER_SIZE);
  return frame;
}

function joined(one: Uint8Array, other: Uint8Array): Uint8Array {
  const both = new Uint8Array(one.length + other.length);
  both.set(one);
  both.set(other, one.length);
  return both;
}
