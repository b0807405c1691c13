/** Answers that are streams: which form they take, and their common end. */
import { Wishes } from "../../../codec/accept.ts";
import { isLength } from "../../../message/declared-length.ts";
import { failure, type Failure } from "../../../message/failure.ts";
import { findHeader } from "../../../message/headers.ts";
import type { Message, StreamEnd } from "../../../message/message.ts";
import { ReadBudget } from "../../../stream/read-window.ts";
import { discardStreams, isRoot } from "../../../stream/stream.ts";
import { deferToEndOfTick } from "../../../runtime/defer-to-end-of-tick.ts";
import { badAnswer, headOf, isHeaderField, type AnswerHead } from "../encode.ts";
import type { Exchange } from "../connection.ts";
import type { HttpSettings } from "../options.ts";
import type { Responder } from "../responder.ts";
import { ByteForm } from "./byte-form.ts";
import { EventForm } from "./event-form.ts";
import type { StreamForm } from "./form.ts";
import { LineForm } from "./line-form.ts";
import { PieceForm } from "./piece-form.ts";
import { StreamedAnswer, type StreamOwner } from "./streamed-answer.ts";

const EVENTS = "text/event-stream";
const LINES = "application/x-ndjson";
/** Streams that are written to in one turn of the loop; the others follow in the next turns, each in its turn. */
const ANSWERS_PER_TURN = 128;
const BYTES_PER_TURN = 4_194_304;

/** A response whose body is to come. */
interface Plan {
  readonly status: number;
  readonly headers: string[];
  readonly form: StreamForm;
}

export class StreamedAnswers implements StreamOwner {
  readonly #responder: Responder;
  readonly #settings: HttpSettings;
  readonly #budget = new ReadBudget();
  readonly #plans = new Map<StreamedAnswer, Plan>();
  readonly #atEndOfTurn = deferToEndOfTick();
  #written: StreamedAnswer[] = [];
  #grace: unknown;
  /** The time of grace is over: none may begin. */
  #ended = false;

  constructor(responder: Responder, settings: HttpSettings) {
    this.#responder = responder;
    this.#settings = settings;
  }

  /** Answers with the stream that the message carries. */
  begin(exchange: Exchange, answer: Message): void {
    const end = this.#ended ? failure("DRAINING") : streamOf(answer);
    const plan = "code" in end ? end : planOf(answer, end, exchange);
    if ("code" in end || "code" in plan) {
      const why = "code" in plan ? plan : failure("DRAINING");
      discardStreams(answer, why);
      return this.#responder.problem(exchange, why);
    }
    if (isBodiless(exchange, plan.status)) {
      discardStreams(answer);
      return this.#responder.bodiless(exchange, plan.status, plan.headers);
    }
    const streamed = new StreamedAnswer(exchange, end, plan.form, this.#settings, this.#budget, this);
    exchange.stream = streamed;
    this.#plans.set(streamed, plan);
    streamed.begin();
  }

  /** Ends what is left when the time of grace is over. */
  drain(): void {
    if (this.#grace !== undefined) return;
    this.#grace = this.#settings.clock.after(this.#settings.streamGraceMs, () => {
      this.#ended = true;
      for (const streamed of this.#plans.keys()) streamed.abort(failure("DRAINING"));
    });
  }

  /** No stream is left, and none will come. */
  close(): void {
    this.#settings.clock.clear(this.#grace);
  }

  // StreamOwner

  opened(streamed: StreamedAnswer): void {
    const { status, headers } = this.#plans.get(streamed)!;
    this.#responder.open(streamed.exchange, status, headers);
  }

  refused(streamed: StreamedAnswer, why: Failure): void {
    this.#plans.delete(streamed);
    streamed.exchange.stream = undefined;
    this.#responder.fail(streamed.exchange, why);
  }

  written(streamed: StreamedAnswer): void {
    if (this.#written.push(streamed) === 1) this.#atEndOfTurn(this.#flushSome);
  }

  readonly #flushSome = (): void => {
    const written = this.#written;
    this.#written = [];
    let count = 0;
    for (let cost = 0; count < written.length && count < ANSWERS_PER_TURN && cost < BYTES_PER_TURN; count++)
      cost += written[count]!.flush();
    if (written.length === count) return;
    if (this.#written.length === 0) this.#atEndOfTurn(this.#flushSome);
    this.#written = written.slice(count).concat(this.#written);
  };

  over(streamed: StreamedAnswer, reason: string | undefined): void {
    const plan = this.#plans.get(streamed);
    if (plan === undefined) return;
    this.#plans.delete(streamed);
    streamed.exchange.stream = undefined;
    this.#responder.close(streamed.exchange, plan.status, reason);
  }
}

/** The stream that is the answer's value; a failure when there is none HTTP can carry. */
function streamOf(answer: Message): StreamEnd | Failure {
  const [end, ...others] = answer.streams!;
  if (!isRoot(answer) || end === undefined || others.length > 0) {
    return badAnswer("a stream can only be sent over HTTP if it is the whole answer");
  }
  if (end.receives && !end.sends) return end;
  return badAnswer("a stream that is written to, or a channel, cannot be sent over HTTP");
}

function planOf(answer: Message, end: StreamEnd, exchange: Exchange): Plan | Failure {
  const head = headOf(answer);
  if ("code" in head) return head;
  const status = head.status === 0 ? 200 : head.status;
  const block = answer.headText();
  if (!end.messages) return bytes(status, head, block, exchange);
  const trailers = findHeader(block, ":trailers");
  return trailers === undefined
    ? { status, ...sequence(head.headers, exchange) }
    : pieces(status, head.headers, trailers, exchange);
}

/** Bytes with trailers, which HTTP/1.0 has not: they are left out then. */
function pieces(status: number, headers: string[], trailers: string, { request }: Exchange): Plan | Failure {
  if (!isHeaderField("trailer", trailers)) return badAnswer("it announces trailers that HTTP cannot carry");
  const form = new PieceForm();
  if (request.httpVersionMinor > 0) headers.push("Trailer", trailers);
  return { status, headers, form };
}

function bytes(
  status: number,
  { headers, typed }: AnswerHead,
  block: string,
  { target }: Exchange,
): Plan | Failure {
  const length = findHeader(block, "content-length");
  const isFinal = target?.mode === "app";
  if (length !== undefined && !isLength(length))
    return badAnswer("its content-length is not a number of bytes");
  if (!typed && !isFinal && status !== 204 && status !== 304)
    headers.push("Content-Type", "application/octet-stream");
  if (length !== undefined && status !== 204) headers.push("Content-Length", length);
  return { status, headers, form: new ByteForm(length === undefined ? undefined : Number(length), isFinal) };
}

/** A sequence of values takes the format that the caller prefers. Proxies must not cache or buffer it. */
function sequence(given: readonly string[], exchange: Exchange): Omit<Plan, "status"> {
  const wishes = new Wishes(acceptOf(exchange.request.rawHeaders) || EVENTS);
  const asLines = wishes.weightOf(LINES) > wishes.weightOf(EVENTS);
  const headers: string[] = [];
  for (let index = 0; index < given.length; index += 2) {
    const name = given[index]!;
    if (name !== "content-type" && name !== "cache-control") headers.push(name, given[index + 1]!);
  }
  headers.push("Content-Type", asLines ? LINES : EVENTS);
  headers.push("Cache-Control", "no-store", "X-Accel-Buffering", "no");
  return { headers, form: asLines ? new LineForm() : new EventForm() };
}

function acceptOf(raw: readonly string[]): string {
  return raw.filter((_, index) => index % 2 === 1 && raw[index - 1]!.toLowerCase() === "accept").join(",");
}

function isBodiless({ request }: Exchange, status: number): boolean {
  return request.method === "HEAD" || status === 204 || status === 205 || status === 304;
}
