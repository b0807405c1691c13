/** Pipes and files as attachments: streams of bytes in the direction in which they were opened (B-46). */
import { createReadStream, createWriteStream, fstatSync, readFileSync } from "node:fs";
import { Socket } from "node:net";
import type { Readable, Writable } from "node:stream";
import { copyOf, viewOf } from "../../message/bytes.ts";
import { LintelError, failure, type Failure } from "../../message/failure.ts";
import { Message, type StreamEnd, type StreamEvents } from "../../message/message.ts";
import { createStream } from "../../stream/stream-pair.ts";
import { ReadWindow, type ReadBudget } from "../../stream/read-window.ts";
import { INITIAL_CREDIT } from "../../stream/stream.ts";

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

/** How far the hub's side may be ahead of the peer. Bytes. */
const WINDOW = 262_144;

/** Bits of what a descriptor was opened with, and that of one that only names a file. */
const ACCESS = 3;
const WRITE_ONLY = 1;
const PATH_ONLY = 0o10_000_000;

const LEFT = Object.freeze(failure("CALLER_GONE", "nobody reads the attachment any more"));
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
    throw LintelError.of("BAD_FRAME", "an attachment is no socket, pipe or file");
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
class FileSource implements StreamEvents, InUse {
  readonly #source: Readable;
  readonly #end: StreamEnd;
  readonly #attachments: Attachments;
  #credit = INITIAL_CREDIT;
  /** What was read and waits for credit: a chunk or two, for nothing is read meanwhile. */
  readonly #waiting: Uint8Array[] = [];
  #hasEnded = false;
  #isOver = false;

  constructor(source: Readable, end: StreamEnd, attachments: Attachments) {
    this.#source = source;
    this.#end = end;
    this.#attachments = attachments;
  }

  start(): void {
    this.#attachments.add(this);
    this.#source.on("error", () => this.#finish(FAILED));
    this.#source.on("close", () => this.#finish(this.#hasEnded ? undefined : FAILED));
    this.#source.on("end", () => {
      this.#hasEnded = true;
      this.#pump();
    });
    this.#source.on("data", (chunk: Buffer) => {
      this.#waiting.push(chunk);
      this.#pump();
    });
    this.#end.listen(this);
  }

  abort(why: Failure): void {
    this.#finish(why);
  }

  // StreamEvents

  granted(bytes: number): void {
    this.#credit += bytes;
    this.#pump();
  }

  writable(): void {
    this.#pump();
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

  #pump(): void {
    for (let bytes = this.#waiting[0]; bytes !== undefined && !this.#isOver; bytes = this.#waiting[0]) {
      if (this.#credit <= 0 || !this.#end.ready()) {
        this.#source.pause();
        return;
      }
      const size = Math.min(bytes.length, this.#credit);
      this.#credit -= size;
      if (size === bytes.length) this.#waiting.shift();
      else this.#waiting[0] = viewOf(bytes, size, bytes.length);
      this.#end.send(Message.ofBytes(size === bytes.length ? bytes : viewOf(bytes, 0, size)));
    }
    if (this.#isOver) return;
    if (this.#hasEnded) this.#finish(undefined);
    else this.#source.resume();
  }

  /** All was sent, or nobody wants the rest, or there is none to be had. */
  #finish(why: Failure | undefined): void {
    if (this.#isOver || (why === undefined && this.#waiting.length > 0)) return;
    this.#isOver = true;
    this.#waiting.length = 0;
    if (why === undefined) this.#end.end();
    else this.#end.reset(why);
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
