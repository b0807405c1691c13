/** Random messages through the text gateway: each arrives as it was sent, or is refused with an ERROR, and nothing else comes. */
import assert from "node:assert/strict";
import type { RandomInt } from "../../../src/testing/codec-fuzz.ts";
import { PATIENCE_MS } from "../../house/until.ts";
import { headerOf, OriginalText, readFrame, writeFrame } from "./original-text.ts";
import type { Header, TextFrame } from "./original-text.ts";

const TARGET = "random messages";
const FENCE = "fence";
const BATCH = 250;
const MEGABYTE = 1_000_000;
/** Bytes that are repeated to spoil a message: what is larger than any message may be ends the connection. */
const REPEATED = 1_000;
/** One message in so many is large. */
const LARGE = 2_000;

/** Parts of which bodies are made: everything that means something to a reader of messages. */
const PARTS = [
  ..."\r \n \r\n . .. \r\n. \r\n.\r\n \n.\n \r.\r .\r\n \n. \0 \u2028 \u0085 \u001a \uFEFF : , % > *".split(
    " ",
  ),
  ...["PUB x\r\n\r\ny\r\n.\r\n", "RES random messages\r\nrid: 1\r\n\r\n", "plain", "ü", "🚀", " ", "\t", ""],
];
/** Those whose characters are bytes: a message of a megabyte of them is within the limits. */
const ASCII = PARTS.filter((part) => Buffer.byteLength(part) === part.length);
const NAME = "abcXYZ019-_";
const VALUE = "abcXYZ 019:;,=.%/\"'";
/** In headers these may be refused. */
const ODD = ["\0", "\r", "\u0001", "ü", "🚀", " ", "\t", "\u007f", "\u2028", ""];
/** Bytes by which whole messages are spoiled. */
const SPOILING = [0, 10, 13, 32, 46, 58, 128, 192, 237, 244, 255];

export interface Tally {
  /** Arrived as they were sent. */
  arrived: number;
  /** Answered by the other side, and the answer arrived as it was sent. */
  answered: number;
  refused: number;
}

interface Case {
  readonly bytes: string | Buffer;
  /** What must arrive; undefined when the message was spoiled and anything well-formed may. */
  readonly frame: TextFrame | undefined;
  /** Whether an ERROR will do. */
  readonly mayBeRefused: boolean;
}

class Generator {
  readonly #random: RandomInt;

  constructor(random: RandomInt) {
    this.#random = random;
  }

  one<T>(of: ArrayLike<T>): T {
    return of[this.#random(of.length)]!;
  }

  body(): string {
    if (this.#random(LARGE) === 0) return `${this.one(ASCII)}.x`.repeat(MEGABYTE).slice(0, MEGABYTE);
    return Array.from({ length: this.#random(12) }, () => this.one(PARTS)).join("");
  }

  #word(from: string, most: number): string {
    return Array.from({ length: 1 + this.#random(most) }, () => this.one(from)).join("");
  }

  headers(odd: boolean): Header[] {
    return Array.from({ length: this.#random(5) }, (): Header => {
      const name = `x${this.#word(NAME, 12)}`;
      const value = this.#word(VALUE, 30).trim();
      if (!odd) return [name, value];
      return this.#random(2) === 0 ? [name + this.one(ODD), value] : [name, value + this.one(ODD) + value];
    });
  }

  next(id: string): Case {
    const kind = this.#random(10);
    const odd = kind === 0;
    const request = this.#random(2) === 0;
    const frame: TextFrame = {
      command: request ? "REQ" : "PUB",
      target: TARGET,
      headers: [["ReqID", id], ...this.headers(odd)],
      body: this.body(),
    };
    // A body that ends in CR has no place before a bare LF.
    const end = frame.body.endsWith("\r") || this.#random(3) > 0 ? "\r\n" : "\n";
    const text = writeFrame(frame, end);
    if (kind > 2) return { bytes: text, frame, mayBeRefused: false };
    if (odd) return { bytes: text, frame, mayBeRefused: true };
    return { bytes: this.#spoiled(text, end), frame: undefined, mayBeRefused: true };
  }

  /** Changes, cuts and repeats bytes behind the headers' first line, so that the message can still be recognized. */
  #spoiled(text: string, end: string): Buffer {
    const from = text.indexOf(end, text.indexOf(end) + end.length) + end.length;
    let bytes = Buffer.from(text);
    for (let changes = 1 + this.#random(3); changes > 0; changes--) {
      const at = from + this.#random(Math.max(1, bytes.length - from));
      const head = bytes.subarray(0, at);
      const spoil = Buffer.from([this.one(SPOILING)]);
      const change = this.#random(4);
      if (change === 0) bytes = Buffer.concat([head, spoil, bytes.subarray(at + 1)]);
      else if (change === 1) bytes = Buffer.concat([head, spoil, bytes.subarray(at)]);
      else if (change === 2) bytes = Buffer.from(head);
      else bytes = Buffer.concat([bytes, bytes.subarray(at, at + REPEATED)]);
    }
    return bytes;
  }
}

/** What both sides have seen of the cases of one batch. */
class Batch {
  readonly cases = new Map<string, Case>();
  /** By id: what the other side has received. */
  readonly received = new Map<string, TextFrame[]>();
  /** By id: answers and errors. */
  readonly outcomes = new Map<string, TextFrame[]>();
  /** ERRORs that name no id, since the message could not be read, by the fence before which they came. */
  readonly anonymous: string[][] = [[]];
  readonly answers = new Map<string, TextFrame>();
  /**
   * Settles when both sides have met the last fence, as much has arrived or been refused as was sent, and every request that
   * arrived has an answer. Requests may arrive behind a fence: a responder gets only so many at a time.
   */
  readonly done: Promise<void>;
  #settle: () => void = () => undefined;
  #fail: (error: Error) => void = () => undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #fences = 0;
  #outcomes = 0;
  #answered = 0;

  constructor() {
    this.done = new Promise<void>((resolve, reject) => {
      this.#settle = resolve;
      this.#fail = reject;
      const late = (): void => reject(new Error(`${this.#outcomes} of ${BATCH} have an outcome`));
      this.#timer = setTimeout(late, PATIENCE_MS);
    }).finally(() => clearTimeout(this.#timer));
  }

  watch(side: OriginalText, frame: (frame: TextFrame, text: string) => void): void {
    side.socket.removeAllListeners("close");
    side.socket.once("close", (code: number) => this.#fail(new Error(`closed with ${code}`)));
    side.onFrame = (text) => {
      try {
        const read = readFrame(text);
        if (read.command === "RES") this.#answered++;
        else if (read.target !== FENCE) this.#outcomes++;
        else if (read.body === String(BATCH - 1)) this.#fences++;
        frame(read, text);
      } catch (error) {
        this.#fail(error as Error); // asserts throw nothing else
      }
      if (this.#fences === 2 && this.#outcomes >= BATCH && this.#answered >= this.answers.size)
        this.#settle();
    };
  }
}

function note(map: Map<string, TextFrame[]>, id: string, frame: TextFrame): void {
  const list = map.get(id) ?? [];
  list.push(frame);
  map.set(id, list);
}

function withoutStamps(headers: readonly Header[]): Header[] {
  return headers.filter(([name]) => !["cid", "uid", "rid"].includes(name));
}

/** Spaces around a value are no part of it. */
function trimmed(headers: readonly Header[]): Header[] {
  return headers.map(([name, value]) => [name, value.trim()]);
}

/** Sends `count` messages. Throws, with the message, when one has no outcome, more than one, or another than it should. */
export async function sendRandomMessages(url: string, count: number, random: RandomInt): Promise<Tally> {
  await using sender = await OriginalText.dial(url);
  await using receiver = await OriginalText.dial(url);
  receiver.tell("SUB", TARGET);
  receiver.tell("EREQ", TARGET);
  receiver.tell("SUB", FENCE);
  await receiver.settled();
  sender.tell("SUB", FENCE);
  await sender.settled();
  const generator = new Generator(random);
  const tally: Tally = { arrived: 0, answered: 0, refused: 0 };
  for (let sent = 0; sent < count; sent += BATCH) await sendBatch(sender, receiver, generator, tally, sent);
  return tally;
}

async function sendBatch(
  sender: OriginalText,
  receiver: OriginalText,
  generator: Generator,
  tally: Tally,
  first: number,
): Promise<void> {
  const batch = new Batch();
  batch.watch(receiver, (frame, text) => answerRequest(receiver, batch, generator, frame, text));
  batch.watch(sender, (frame, text) => hear(batch, frame, text));
  for (let index = 0; index < BATCH; index++) {
    const id = `m${first + index}`;
    const one = generator.next(id);
    batch.cases.set(id, one);
    sender.send(one.bytes);
    sender.tell("PUB", FENCE, [], String(index));
  }
  await batch.done;
  check(batch, tally, first);
}

/** Answers requests with random bodies and headers. */
function answerRequest(
  receiver: OriginalText,
  batch: Batch,
  generator: Generator,
  frame: TextFrame,
  text: string,
): void {
  if (frame.target === FENCE) return;
  assert.equal(frame.target, TARGET, text);
  const id = headerOf(frame, "ReqID") ?? "";
  note(batch.received, id, frame);
  if (frame.command !== "REQ") return;
  const headers = generator.headers(false);
  const reply: TextFrame = { command: "RES", target: TARGET, headers, body: generator.body() };
  batch.answers.set(id, reply);
  receiver.send(writeFrame({ ...reply, headers: [["rid", headerOf(frame, "rid") ?? ""], ...headers] }));
}

/** Takes down answers and errors. */
function hear(batch: Batch, frame: TextFrame, text: string): void {
  if (frame.target === FENCE) {
    batch.anonymous.push([]);
    return;
  }
  const id = headerOf(frame, "ReqID");
  if (id === undefined || !batch.cases.has(id)) batch.anonymous.at(-1)!.push(text);
  else note(batch.outcomes, id, frame);
}

function check(batch: Batch, tally: Tally, first: number): void {
  for (const [id, one] of batch.cases) {
    const context = JSON.stringify(one.bytes.toString().slice(0, 2_000));
    const received = batch.received.get(id) ?? [];
    const outcomes = batch.outcomes.get(id) ?? [];
    const anonymous = batch.anonymous[Number(id.slice(1)) - first]!;
    const errors = outcomes.filter(({ target }) => target === "ERROR").length + anonymous.length;
    const answers = outcomes.filter(({ command }) => command === "RES");
    assert.equal(received.length + errors, 1, `${received.length} arrived, ${errors} errors: ${context}`);
    if (errors > 0) {
      assert.ok(one.mayBeRefused, `refused: ${context}: ${JSON.stringify([outcomes, anonymous])}`);
      tally.refused++;
      continue;
    }
    if (one.frame !== undefined) {
      assert.equal(received[0]!.body, one.frame.body, context);
      assert.deepEqual(withoutStamps(received[0]!.headers), trimmed(one.frame.headers), context);
    }
    if (received[0]!.command === "PUB") {
      tally.arrived++;
      continue;
    }
    assert.equal(answers.length, 1, `${answers.length} answers to ${context}`);
    const sent = batch.answers.get(id)!;
    assert.equal(answers[0]!.body, sent.body, `answer to ${context}`);
    const headers = withoutStamps(answers[0]!.headers).filter(([name]) => name !== "ReqID");
    assert.deepEqual(headers, trimmed(sent.headers), `answer to ${context}`);
    tally.answered++;
  }
}
