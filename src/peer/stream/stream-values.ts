/**
 * Values that contain streams and channels. Each is taken out of the value and replaced by `{ "$stream": n }`, its place
 * among the streams of the message, so that any codec with objects and numbers can write the rest.
 */
import type { Codecs } from "../../codec/codecs.ts";
import type { DeclaredLength } from "../../message/declared-length.ts";
import { LintelError } from "../../message/failure.ts";
import { Message, type StreamEnd } from "../../message/message.ts";
import type { OpenStreams } from "../../stream/open-streams.ts";
import type { ReadBudget } from "../../stream/read-window.ts";
import { ROOT_LINE, discardStreams, isRoot } from "../../stream/stream.ts";
import { OutgoingStreams, isStream } from "./outgoing-streams.ts";
import type { DroppedStreams } from "./dropped-streams.ts";
import { isAsyncIterable } from "./stream-sources.ts";
import type { AttachedObjects, SharedByStreams, Values, Written } from "./values.ts";
import { received, type ReceivedStream } from "./received.ts";

const REFERENCE = "$stream";
/** Deeper values are not searched: no codec writes them. */
const MAX_DEPTH = 128;
/** Objects of a value that are searched without keeping track of them: values that refer to themselves have no end. */
const FREE_STEPS = 1_000;

/** Writes and reads the values of one peer. */
export class StreamValues implements Values {
  readonly budget: ReadBudget;
  readonly open: OpenStreams;
  readonly dropped: DroppedStreams;
  readonly codecs: Codecs;

  readonly objects: AttachedObjects | undefined;
  readonly report: (error: unknown, where: string) => void;

  /** `of`: what all values of a peer share. */
  constructor(codecs: Codecs, of: SharedByStreams, report: (error: unknown, where: string) => void) {
    this.objects = of.objects;
    this.codecs = codecs;
    this.budget = of.budget;
    this.open = of.open;
    this.dropped = of.dropped;
    this.report = report;
  }

  /** The same, with other codecs. */
  with(codecs: Codecs): StreamValues {
    return new StreamValues(codecs, this, this.report);
  }

  /** A message with this value, and what it carries. `more` are streams the value does not refer to; they come first. */
  message(value: unknown, head: string, more: readonly unknown[] = []): Written {
    return this.write(value, more, (plain, line) => this.codecs.message(plain, head + line));
  }

  bytes(value: unknown, head = ""): Written {
    const made = this.message(value, head);
    const { message } = made;
    if (message.encoder === undefined) return made;
    try {
      return { ...made, message: message.retain() };
    } catch (error) {
      made.carried?.abort(error);
      throw error;
    }
  }

  /**
   * As `message`, the codec chosen by `make`, which is given the value without its streams and a header line to add. `length`
   * is what the headers say of the bytes of a value that is a stream.
   */
  write(
    value: unknown,
    more: readonly unknown[],
    make: (plain: unknown, line: string) => Message,
    length?: DeclaredLength,
  ): Written {
    if (more.length === 0 && !containsStream(value)) return { message: make(value, "") };
    const carried = new OutgoingStreams(this, isStream(value) ? length : undefined);
    try {
      for (const stream of more) carried.add(stream);
      let message: Message;
      if (isStream(value)) {
        if (more.length > 0)
          throw new LintelError(
            "invalid_argument",
            "the value is a stream, and the message carries further streams",
          );
        carried.add(value);
        message = make(undefined, ROOT_LINE);
      } else {
        const plain = replaceStreams(value, (stream) => ({ [REFERENCE]: carried.add(stream) }));
        message = make(plain, "");
      }
      message.streams = carried.ends;
      return { message, carried };
    } catch (error) {
      carried.abort(error);
      throw error;
    }
  }

  /** The value a message carries. Streams it does not refer to are ended, because they cannot be reached. */
  value(message: Message): unknown {
    const { streams: ends } = message;
    if (ends === undefined) return this.codecs.value(message);
    const taken: (ReceivedStream | undefined)[] = [];
    const value = this.#restored(message, (index) => {
      const end = ends[index];
      return end === undefined ? undefined : (taken[index] ??= received(end, this));
    });
    const rest = new Message();
    rest.streams = ends.filter((_end, index) => taken[index] === undefined);
    discardStreams(rest);
    return value;
  }

  /** What the ends a message carries are to their receiver. */
  streamsOf({ streams = [] }: Message): readonly ReceivedStream[] {
    return streams.map((end: StreamEnd) => received(end, this));
  }

  withStreams(message: Message, streams: readonly ReceivedStream[]): unknown {
    return streams.length === 0 ? this.codecs.value(message) : this.#restored(message, (at) => streams[at]);
  }

  /** Ends the streams of a value that is not sent after all. */
  discard(value: unknown, more: readonly unknown[] = []): void {
    if (more.length === 0 && !containsStream(value)) return;
    try {
      const { carried } = this.write(value, more, () => new Message());
      carried?.abort(LintelError.of("CALLER_GONE"));
    } catch {
      // what could not be taken along has been ended by `write`, or is in somebody's use
    }
  }

  #restored(message: Message, stream: (index: number) => ReceivedStream | undefined): unknown {
    return isRoot(message) ? stream(0) : restore(this.codecs.value(message), stream, 0);
  }
}

/** True when the value is a stream or channel, or has one in it. Asked of every value that is sent. */
export function containsStream(value: unknown): boolean {
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return false;
  const outcome = search(value, 0, 0, undefined);
  return outcome === FOUND || (outcome === TOO_LARGE && search(value, 0, 0, new Set()) === FOUND);
}

const FOUND = -1;
const TOO_LARGE = -2;

/**
 * Looks for a stream in the value and what it contains. Returns `FOUND`, or how many objects have been looked at, those
 * before included. Most values are small and need no `seen`; without it, more than `FREE_STEPS` of them are `TOO_LARGE`.
 */
function search(value: object, depth: number, before: number, seen: Set<object> | undefined): number {
  let steps = before + 1;
  if (seen === undefined && steps > FREE_STEPS) return TOO_LARGE;
  if (depth > MAX_DEPTH || seen?.has(value) === true) return steps;
  seen?.add(value);
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length && steps > 0; index++) {
      const member: unknown = value[index];
      if (typeof member === "object" && member !== null) steps = search(member, depth + 1, steps, seen);
    }
    return steps;
  }
  if (!isPlain(value)) return !ArrayBuffer.isView(value) && isStream(value) ? FOUND : steps;
  if (isAsyncIterable(value)) return FOUND;
  for (const key in value) {
    const member = (value as Record<string, unknown>)[key];
    if (typeof member === "object" && member !== null) steps = search(member, depth + 1, steps, seen);
    if (steps < 0) return steps;
  }
  return steps;
}

/** An object whose members are searched: no instance of a class. */
function isPlain(value: object): boolean {
  if (value.constructor === Object) return true;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** A copy with something else in the place of each stream. Throws `BAD_PAYLOAD` for a value that contains itself. */
export function replaceStreams(value: unknown, put: (stream: object) => unknown): unknown {
  return replace(value, put, new Set());
}

/** `above` holds what the value is in. */
function replace(value: unknown, put: (stream: object) => unknown, above: Set<object>): unknown {
  if (typeof value !== "object" || value === null || above.size > MAX_DEPTH) return value;
  if (isStream(value)) return put(value);
  if (!Array.isArray(value) && !isPlain(value)) return value;
  if (above.has(value)) throw LintelError.of("BAD_PAYLOAD", "a value that carries streams contains itself");
  above.add(value);
  const copy = Array.isArray(value)
    ? value.map((member) => replace(member, put, above))
    : replaceMembers(value, put, above);
  above.delete(value);
  return copy;
}

function replaceMembers(
  value: object,
  put: (stream: object) => unknown,
  above: Set<object>,
): Record<string, unknown> {
  const copy: Record<string, unknown> = {};
  for (const [key, member] of Object.entries(value)) {
    if (key === REFERENCE) {
      throw LintelError.of("BAD_PAYLOAD", `a value that carries streams has no key named ${REFERENCE}`);
    }
    Object.defineProperty(copy, key, {
      value: replace(member, put, above),
      enumerable: true,
      configurable: true,
      writable: true,
    });
  }
  return copy;
}

function restore(
  value: unknown,
  stream: (index: number) => ReceivedStream | undefined,
  depth: number,
): unknown {
  if (typeof value !== "object" || value === null || depth > MAX_DEPTH) return value;
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++)
      value[index] = restore(value[index], stream, depth + 1);
    return value;
  }
  if (!isPlain(value)) return value;
  const object = value as Record<string, unknown>;
  const keys = Object.keys(object);
  if (keys.length === 1 && keys[0] === REFERENCE) {
    const index = Number(object[REFERENCE]); // codecs of text have no numbers
    const found = Number.isInteger(index) && index >= 0 ? stream(index) : undefined;
    if (found === undefined)
      throw LintelError.of("BAD_PAYLOAD", `the value refers to a stream that the message does not carry`);
    return found;
  }
  for (const key of keys) {
    const member = object[key];
    if (typeof member === "object") object[key] = restore(member, stream, depth + 1);
  }
  return object;
}
