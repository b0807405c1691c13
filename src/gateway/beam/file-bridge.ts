/** Pipes and files as attachments: streams of bytes in the direction in which they were opened (B-46). */
import { createReadStream, createWriteStream, fstatSync, readFileSync } from "node:fs";
import { Socket } from "node:net";
import type { Readable, Writable } from "node:stream";
import { copyOf } from "../../message/bytes.ts";
import { LintelError, failure, type Failure } from "../../message/failure.ts";
import { Message, type StreamEnd, type StreamEvents } from "../../message/message.ts";
import { createStream } from "../../stream/stream-pair.ts";
import { ReadWindow, type ReadBudget } from "../../stream/read-window.ts";
import { WINDOW } from "./taken-window.ts";
import { CreditPump, type PumpSource } from "../../stream/credit-pump.ts";

/** Something that uses a descriptor, until it ends by itself or is ended. */
export interface InUse {
  abort(why: Failure): void;
}

/** Where what is in use is counted. */
interface Attachments {
  readonly site: { readonly budget: ReadBudget };
  add(one: InUse): void;
  delete(one: InUse): void;
}

/** Bits of what a descriptor was opened with, and that of one that only names a file. */
const ACCESS = 3;
const WRITE_ONLY = 1;
const PATH_ONLY = 0o10_000_000;

const LEFT = Object.freeze(failure("CALLER_GONE", "the attachment is no longer read"));
const FAILED = Object.freeze(failure("SOURCE_FAILED", "the attachment could not be read"));

export function isSocket(descriptor: number): boolean {
  return fstatSync(descriptor).isSocket();
}

/**
 * The end of a stream with what is read from a pipe or file, or written to one that was opened for writing. Takes the
 * descriptor over. Throws `BAD_FRAME` for anything else, which stays open.
 */
export function streamOf(descriptor: number, attachments: Attachments): StreamEnd {
  const stats = fstatSync(descriptor);
  const isPipe = stats.isFIFO();
  const flags = flagsOf(descriptor);
  if (!(isPipe || stats.isFile()) || (flags & PATH_ONLY) !== 0)
    throw LintelError.of("BAD_FRAME", "an attachment is not a socket, pipe or file");
  if ((flags & ACCESS) === WRITE_ONLY) {
    const [near, far] = createStream({ receives: true, sends: false, messages: false });
    const target = isPipe
      ? new Socket({ fd: descriptor, readable: false, writable: true })
      : createWriteStream("", { fd: descriptor });
    new FileTarget(target, near, attachments).start();
    return far;
  }
  const [near, far] = createStream({ receives: false, sends: true, messages: false });
  const source = isPipe
    ? new Socket({ fd: descriptor, readable: true, writable: false })
    : createReadStream("", { fd: descriptor });
  new FileSource(source, near, attachments).start();
  return far;
}

function flagsOf(descriptor: number): number {
  const [, flags = "0"] =
    /^flags:\s*([0-7]+)/m.exec(readFileSync(`/proc/self/fdinfo/${descriptor}`, "utf8")) ?? [];
  return Number.parseInt(flags, 8);
}

/** Sends what is read, as fast as the reader takes it. */
class FileSource implements StreamEvents, PumpSource, InUse {
  readonly #source: Readable;
  readonly #end: StreamEnd;
  readonly #attachments: Attachments;
  readonly #pump: CreditPump;
  #hasEnded = false;
  #isOver = false;

  constructor(source: Readable, end: StreamEnd, attachments: Attachments) {
    this.#source = source;
    this.#end = end;
    this.#pump = new CreditPump(end, this);
    this.#attachments = attachments;
  }

  start(): void {
    this.#attachments.add(this);
    this.#source.on("error", () => this.#finish(FAILED));
    this.#source.on("close", () => this.#finish(this.#hasEnded ? undefined : FAILED));
    this.#source.on("end", () => {
      this.#hasEnded = true;
      this.#pump.finish();
    });
    this.#source.on("data", (chunk: Buffer) => this.#pump.push(Message.ofBytes(chunk)));
    this.#end.listen(this);
  }

  abort(why: Failure): void {
    this.#finish(why);
  }

  // PumpSource

  pause(): void {
    this.#source.pause();
  }

  resume(): void {
    this.#source.resume();
  }

  sentAll(): void {
    this.#finish(undefined);
  }

  // StreamEvents

  granted(bytes: number): void {
    this.#pump.granted(bytes);
  }

  writable(): void {
    this.#pump.writable();
  }

  reset(why: Failure): void {
    this.#finish(why);
  }

  ready(): boolean {
    return true;
  }

  data(): void {
    // nothing comes against the direction
  }

  ended(): void {
    // likewise
  }

  /** Everything was sent, or the rest is not wanted or not available. */
  #finish(why: Failure | undefined): void {
    if (this.#isOver || (why === undefined && this.#pump.isOpen)) return;
    this.#isOver = true;
    this.#pump.stop();
    if (why !== undefined) this.#end.reset(why);
    this.#source.destroy();
    this.#attachments.delete(this);
  }
}

/** Writes what arrives, as fast as it is taken. */
class FileTarget implements StreamEvents, InUse {
  readonly #target: Writable;
  readonly #end: StreamEnd;
  readonly #attachments: Attachments;
  readonly #window: ReadWindow;
  #hasEnded = false;
  #isOver = false;

  constructor(target: Writable, end: StreamEnd, attachments: Attachments) {
    this.#target = target;
    this.#end = end;
    this.#attachments = attachments;
    this.#window = new ReadWindow(end, WINDOW, attachments.site.budget);
  }

  start(): void {
    this.#attachments.add(this);
    this.#target.on("error", () => this.#finish(LEFT));
    this.#target.on("close", () => this.#finish(this.#hasEnded ? undefined : LEFT));
    this.#end.listen(this);
    this.#window.open();
  }

  abort(why: Failure): void {
    this.#finish(why);
  }

  // StreamEvents

  data(message: Message): void {
    if (this.#isOver) return;
    const { bytes, payloadStart, end } = message;
    this.#target.write(copyOf(bytes, payloadStart, end), (error) => {
      if (!(error instanceof Error) && !this.#isOver) this.#window.read(end - payloadStart);
    });
  }

  ended(): void {
    this.#hasEnded = true;
    this.#target.end();
  }

  reset(why: Failure): void {
    this.#finish(why);
  }

  ready(): boolean {
    return true; // what may come is bounded by credit
  }

  granted(): void {
    // nothing is sent
  }

  writable(): void {
    // likewise
  }

  #finish(why: Failure | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#window.close();
    if (why !== undefined) this.#end.reset(why);
    this.#target.destroy();
    this.#attachments.delete(this);
  }
}
