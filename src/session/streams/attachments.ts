/** What the streams of one session stand for: which way it comes when it is taken, and descriptors from the lane. */
import type { Attached, Handover, Passed, Way } from "../../message/attached.ts";
import type { StreamEnd } from "../../message/message.ts";
import { LintelError, failure, type Failure } from "../../message/failure.ts";
import { FrameType, type FrameHeader } from "../../wire/frame.ts";
import type { DescriptorChannel } from "../side-channels/descriptor-channel.ts";

/** Bits of OPEN's `aux` behind those of the stream's shape. */
const ATTACHED = 8;
const FILE = 16;
const FALLBACK = 32;

/** Bit of TAKE's `aux`: a descriptor will do as well as bytes. */
const DESCRIPTOR = 1;

/** What the other end understands, from its greeting: nothing of this, bytes only, or descriptors too. */
export type Understanding = "none" | "bytes" | "descriptors";

/** A stream of the session, as what it stands for needs it. */
export interface AttachedStream {
  readonly number: number;
  readonly isOpen: boolean;
  attached: Attached | undefined;
  /** What it stood for has left: it is over, and both ends know. */
  handedOver(): void;
  reset(why: Failure): void;
}

export interface AttachmentsOptions {
  /** Undefined where descriptors cannot pass. */
  readonly lane: DescriptorChannel | undefined;
  readonly control: (type: FrameType, number: number, aux: number) => void;
}

/** A stream that the other end opened, and that was asked for here. */
interface Taking {
  readonly stream: AttachedStream;
  readonly comes: (handover: Handover) => void;
}

export class SessionAttachments {
  readonly #options: AttachmentsOptions;
  #understood: Understanding = "none";
  /** Ours that were not taken. */
  readonly #offered = new Map<number, Attached>();
  /** Ours that were taken and wait for the lane, and those that are fetched to be passed on it. */
  readonly #wanted = new Set<number>();
  readonly #fetched = new Set<number>();
  readonly #taking = new Map<number, Taking>();

  constructor(options: AttachmentsOptions) {
    this.#options = options;
  }

  allow(understood: Understanding): void {
    this.#understood = understood;
  }

  /** Throws `DESCRIPTORS_UNSUPPORTED` for what the other end cannot get in any way. */
  check(ends: readonly StreamEnd[]): void {
    if (this.#canPass) return;
    for (const { attached } of ends)
      if (attached?.fallback === false) throw LintelError.of("DESCRIPTORS_UNSUPPORTED");
  }

  /** The bits of the OPEN for a stream of ours. An end that does not understand them gets the bytes of what is offered. */
  announce(stream: number, attached: Attached): number {
    if (this.#understood === "none") {
      attached.take("bytes", () => undefined);
      return 0;
    }
    this.#offered.set(stream, attached);
    return ATTACHED | (attached.kind === "file" ? FILE : 0) | (attached.fallback ? FALLBACK : 0);
  }

  /** What the bits of an OPEN say. */
  opened(stream: AttachedStream, aux: number): void {
    if ((aux & ATTACHED) === 0) return;
    stream.attached = {
      kind: (aux & FILE) === 0 ? "socket" : "file",
      fallback: (aux & FALLBACK) !== 0,
      take: (way, then) => this.#take(stream, way, then),
    };
  }

  #take(stream: AttachedStream, way: Way, then: (handover: Handover) => void): void {
    if (!stream.isOpen) return; // its listener is told
    this.#taking.set(stream.number, { stream, comes: then });
    const canPass = way !== "bytes" && this.#canPass;
    this.#options.control(FrameType.take, stream.number, canPass ? DESCRIPTOR : 0);
  }

  get #canPass(): boolean {
    return this.#understood === "descriptors" && this.#options.lane !== undefined;
  }

  // Frames that arrive for streams that are open. They return what is wrong with them.

  /** TAKE: the other end asks for what a stream of ours stands for. */
  taken(stream: AttachedStream, { aux }: FrameHeader): string | undefined {
    const attached = this.#offered.get(stream.number);
    if (attached === undefined)
      return `TAKE for stream ${stream.number}, which has no attachment (any longer)`;
    this.#offered.delete(stream.number);
    const { lane } = this.#options;
    if ((aux & DESCRIPTOR) === 0 || lane === undefined || !this.#canPass) {
      this.#asBytes(stream, attached);
    } else {
      this.#wanted.add(stream.number);
      lane.whenReady((isOpen) => this.#fetch(stream, attached, lane, isOpen));
    }
    return undefined;
  }

  /** BYTES: what was asked for comes as bytes. */
  bytesFollow(stream: AttachedStream): string | undefined {
    const taking = this.#taking.get(stream.number);
    if (taking === undefined) return `BYTES for stream ${stream.number}, which was not taken`;
    this.#taking.delete(stream.number);
    taking.comes({ way: "bytes" });
    return undefined;
  }

  /** A descriptor has come on the lane. `isOver`: its stream was open once. */
  passed(number: number, passed: Passed, isOver: boolean): string | undefined {
    const taking = this.#taking.get(number);
    if (taking === undefined) {
      passed.close();
      return isOver ? undefined : `PASS for stream ${number}, which was not taken`;
    }
    this.#taking.delete(number);
    taking.stream.handedOver();
    taking.comes(passed);
    return undefined;
  }

  /** The stream is over. */
  forget(stream: number): void {
    this.#offered.delete(stream);
    this.#taking.delete(stream);
    this.#wanted.delete(stream);
    if (this.#fetched.delete(stream)) this.#options.lane?.settle();
  }

  #asBytes(stream: AttachedStream, attached: Attached): void {
    attached.take("bytes", () => this.#options.control(FrameType.bytes, stream.number, 0));
  }

  /** The lane has room for one more. `isOpen` is false when there is no lane. */
  #fetch(stream: AttachedStream, attached: Attached, lane: DescriptorChannel, isOpen: boolean): void {
    const isWanted = this.#wanted.delete(stream.number);
    if (!isOpen) return isWanted ? this.#asBytes(stream, attached) : undefined;
    if (!isWanted) return lane.settle();
    this.#fetched.add(stream.number);
    return attached.take("descriptor", (handover) => {
      const isFetched = this.#fetched.delete(stream.number);
      if (handover.way !== "descriptor") this.#options.control(FrameType.bytes, stream.number, 0);
      else if (isFetched) this.#pass(stream, handover, lane);
      else handover.close(); // the other end has left meanwhile
      if (isFetched) lane.settle();
    });
  }

  #pass(stream: AttachedStream, passed: Passed, lane: DescriptorChannel): void {
    try {
      lane.pass(stream.number, passed);
      stream.handedOver();
    } catch {
      stream.reset(failure("TOO_MANY", "a process on the way has too many descriptors open"));
    }
  }
}
