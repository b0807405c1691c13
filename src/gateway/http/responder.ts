/** Writes responses: an exchange ends here, once. */
import { LintelError, failure, type Failure } from "../../message/failure.ts";
import { isOwnReason } from "../../message/status.ts";
import type { Message } from "../../message/message.ts";
import type { RequestRecord } from "../../observe/observer.ts";
import { refusedRequest } from "../../observe/request-watch.ts";
import { unsentAnswer } from "../../message/unsent.ts";
import { deferToEndOfTick } from "../../runtime/defer-to-end-of-tick.ts";
import { responseOf } from "./encode.ts";
import type { Delivery, HttpApi } from "../http-api.ts";
import type { BodyBudget } from "./body-limit.ts";
import type { HttpConnection, Exchange, Outgoing } from "./connection.ts";
import { DEFAULT_LIMITS } from "../../message/limits.ts";
import { SharedBound } from "../../collections/shared-bound.ts";
import { UnreadAnswers } from "./unread-answers.ts";
import { logPath } from "./log-path.ts";
import type { HttpSettings } from "./options.ts";
import { problemOf } from "./problem.ts";
import { rateLimitFields } from "./rate-limit.ts";
import type { ReadyAnswer } from "./route-options.ts";

/** Reasons that mean no worker could be had: where there is a fallback it answers these. */
const FALLBACK_REASONS: ReadonlySet<string> = new Set([
  "NO_RESPONDERS",
  "DEADLINE",
  "WORKER_LOST",
  "QUEUE_FULL",
  "IN_FLIGHT_FULL",
  "NOT_CONNECTED",
  "CONNECTION_LOST",
  "HEARTBEAT_LOST",
]);

/** What the caller gets for a defect of the hub itself. */
const DEFECT: Failure = {
  code: "internal",
  reason: "INTERNAL",
  message: "the gateway failed; its log says why",
  retryable: false,
};

/** A response that is complete but for its body, which is at hand. */
interface Whole {
  readonly connection: HttpConnection;
  readonly response: Outgoing;
  readonly body: string | Uint8Array | undefined;
}

/** Responses that are written in one turn of the loop, each by a system call; the others follow in the next turns. */
const RESPONSES_PER_TURN = 256;

/** What a connection's requests share with those of others. */
export interface ResponderOptions {
  /** APIs on the same port. */
  readonly apis?: readonly HttpApi[];
  /** Bytes of answers that their callers have not read, shared with other gateways. Default: those of this one. */
  readonly answers?: SharedBound;
}

export class Responder {
  /** Responses that are the last on their connection say so. */
  draining = false;
  readonly #settings: HttpSettings;
  readonly #bodies: BodyBudget;
  readonly #apis: readonly HttpApi[];
  readonly unread: UnreadAnswers;
  readonly #freed: (connection: HttpConnection) => void;
  readonly #atEndOfTurn = deferToEndOfTick();
  /**
   * Responses that go out at the end of this turn of the loop, one right after the other: the reader is awake for all of
   * them then, and waking is what costs.
   */
  #whole: Whole[] = [];

  /** `freed` is called after each exchange: there is room on its connection. */
  constructor(
    settings: HttpSettings,
    bodies: BodyBudget,
    freed: (connection: HttpConnection) => void,
    { apis = [], answers = new SharedBound(DEFAULT_LIMITS.httpBodies) }: ResponderOptions = {},
  ) {
    this.#settings = settings;
    this.#bodies = bodies;
    this.#apis = apis;
    this.unread = new UnreadAnswers(answers, freed);
    this.#freed = freed;
  }

  /** A request target as logs and errors may show it. */
  logPath(target: string): string {
    return logPath(target, (path) => this.#apis.reduce((shown, api) => api.logPath?.(shown) ?? shown, path));
  }

  /** Answers with what a worker said. */
  answer(exchange: Exchange, answer: Message): void {
    const isApp = exchange.target?.mode === "app";
    const response = responseOf(answer, isApp, exchange.request.method === "HEAD");
    if ("code" in response) this.problem(exchange, unsentAnswer(answer, LintelError.from(response)));
    else this.#write(exchange, response.status, response.headers, response.body, undefined);
  }

  /** Answers with the route's fallback, if it has one for this failure, else with a problem. */
  fail(exchange: Exchange, failed: Failure): void {
    const fallback = exchange.target?.fallback;
    if (fallback === undefined || !FALLBACK_REASONS.has(failed.reason)) this.problem(exchange, failed);
    else this.ready(exchange, fallback, ["Lintel-Fallback", failed.reason], failed.reason);
  }

  /** Answers with a problem; `status` where HTTP has a better one than the table. */
  problem(exchange: Exchange, failed: Failure, status?: number, more: readonly string[] = []): void {
    const problem = problemOf(failed, status);
    problem.headers.push(...more);
    this.#write(exchange, problem.status, problem.headers, problem.body, problem.reason);
  }

  /** Answers with what is known beforehand. */
  ready(exchange: Exchange, answer: ReadyAnswer, more: readonly string[] = [], reason?: string): void {
    const headers = [...answer.headers, ...more];
    if (answer.status !== 204 && answer.status !== 304)
      headers.push("Content-Length", String(answer.body.length));
    this.#write(exchange, answer.status, headers, answer.body, reason);
  }

  /** Answers with what an API says; `headers` are complete. A string holds one byte per character. */
  respond(
    exchange: Exchange,
    status: number,
    headers: string[],
    body: string | Uint8Array | undefined,
    delivery: Delivery | undefined,
  ): void {
    const { connection, response, state } = exchange;
    if (state === "done" || connection.state === "closed") {
      delivery?.lost();
      return;
    }
    if (delivery === undefined) return this.#write(exchange, status, headers, body, undefined);
    this.end(exchange, status, undefined);
    this.#writeHead(exchange, status, headers);
    connection.driver.watch(response, delivery);
    // At once: later it might go to a connection that has ended meanwhile, and be taken for sent.
    this.#send({ connection, response, body });
    this.#freed(connection);
  }

  /** Answers without a body. */
  empty(exchange: Exchange, status: number, headers: string[]): void {
    if (status !== 204) headers.push("Content-Length", "0");
    this.#write(exchange, status, headers, undefined, undefined);
  }

  /** Answers without a body what would have one. */
  bodiless(exchange: Exchange, status: number, headers: string[]): void {
    if (status === 205) headers.push("Content-Length", "0");
    this.#write(exchange, status, headers, undefined, undefined);
  }

  /** Writes the head of a response whose body comes later; `close` ends the exchange. */
  open(exchange: Exchange, status: number, headers: string[]): void {
    exchange.state = "streaming";
    this.giveBody(exchange);
    this.#writeHead(exchange, status, headers);
  }

  /** The body that came later has ended, or was given up for this reason. */
  close(exchange: Exchange, status: number, reason: string | undefined): void {
    const { connection, response, state } = exchange;
    if (state === "done") return;
    this.end(exchange, state === "streaming" ? status : 499, reason);
    if (connection.state !== "open") return;
    // Its head may have been written before it was known to be the last.
    if (this.draining && connection.last === response) connection.driver.end(response, true);
    this.#freed(connection);
  }

  /** Answers an error that was thrown while an answer was written. */
  unsent(exchange: Exchange, answer: Message, error: unknown): void {
    const isKnown = error instanceof LintelError || answer.onUnsent !== undefined;
    if (exchange.state === "done" || !isKnown) return this.thrown(exchange, error);
    return this.problem(exchange, unsentAnswer(answer, error));
  }

  /** Answers an error that was thrown on the way. */
  thrown(exchange: Exchange, error: unknown): void {
    if (exchange.state === "done") return this.#settings.onFault?.(error);
    if (error instanceof LintelError) return this.problem(exchange, error.toFailure());
    this.#settings.onFault?.(error);
    this.refuse(exchange, DEFECT);
  }

  /** Answers with a problem and closes the connection, without waiting for the rest of the request. */
  refuse(exchange: Exchange, failed: Failure, status?: number): void {
    if (exchange.state === "done") return;
    const { connection, request, before } = exchange;
    if (exchange.state === "streaming") return connection.driver.cut(); // half an answer is out already
    const problem = problemOf(failed, status);
    this.#addAccess(exchange, problem.headers);
    this.end(exchange, problem.status, problem.reason);
    connection.refuse(problem, request.method !== "HEAD", before);
    request.resume();
  }

  /** The body has reached whom it was for. */
  giveBody(exchange: Exchange): void {
    if (exchange.held === 0) return;
    this.#bodies.give(exchange.connection.caller, exchange.held);
    exchange.held = 0;
  }

  /** Takes an exchange off its connection and notes how it ended. */
  end(exchange: Exchange, status: number, reason: string | undefined): void {
    exchange.state = "done";
    exchange.before = undefined;
    exchange.body?.drop();
    exchange.body = undefined;
    exchange.upload?.stop();
    this.giveBody(exchange);
    exchange.connection.remove(exchange);
    const { observer } = this.#settings;
    if (observer?.httpRequest !== undefined) this.#log(exchange, status, reason);
    if (observer?.settled !== undefined && !exchange.isAsked) this.#tellRefused(exchange, reason);
  }

  /** A request for a subject that no engine was asked for: its body is too large, or did not come. */
  #tellRefused({ target, origin }: Exchange, reason: string | undefined): void {
    if (target === undefined || target.mode === "publish" || reason === undefined) return;
    const why = isOwnReason(reason) ? failure(reason) : DEFECT;
    this.#settings.observer?.settled?.(
      refusedRequest(target.route.subject, origin, target.timeoutMs, { ...why, reason }),
    );
  }

  #write(
    exchange: Exchange,
    status: number,
    headers: string[],
    body: string | Uint8Array | undefined,
    reason: string | undefined,
  ): void {
    const { connection, response } = exchange;
    if (exchange.state === "done") return;
    this.end(exchange, status, reason);
    if (connection.state === "closed") return;
    this.#writeHead(exchange, status, headers);
    if (this.#whole.length === 0) this.#atEndOfTurn(this.#flushSome);
    this.#whole.push({ connection, response, body });
    connection.unsent++;
    this.#freed(connection);
  }

  /** Sends what waits for the end of the turn, however much it is. */
  flush(): void {
    for (const whole of this.#whole.splice(0)) this.#flushOne(whole);
  }

  /** Sends as much of it as one turn may. */
  readonly #flushSome = (): void => {
    const whole = this.#whole;
    this.#whole = [];
    const count = Math.min(whole.length, RESPONSES_PER_TURN);
    for (let index = 0; index < count; index++) this.#flushOne(whole[index]!);
    if (whole.length === count) return;
    if (this.#whole.length === 0) this.#atEndOfTurn(this.#flushSome);
    this.#whole = whole.slice(count).concat(this.#whole);
  };

  #flushOne(whole: Whole): void {
    whole.connection.unsent--;
    this.#send(whole);
    this.#freed(whole.connection);
  }

  #send({ connection, response, body }: Whole): void {
    try {
      if (typeof body === "string") endWith(response, body);
      else response.end(body);
      if (!this.unread.add(connection, response, body?.length ?? 0)) this.#tooMuchUnread(connection);
    } catch (error) {
      this.#settings.onFault?.(error); // a defect, which is nothing to the others
      connection.driver.cut();
    }
  }

  /** The caller asks for more and more, and reads nothing of it: all its answers on the connection are lost to it. */
  #tooMuchUnread(connection: HttpConnection): void {
    const status = 503; // no caller sees it
    this.record({ method: "", path: "", subject: undefined, status, reason: "SLOW_CONSUMER", ms: 0 });
    connection.driver.cut();
  }

  /** Says which pages may read an answer, and what its principal may still ask for. */
  #addAccess({ page, quota }: Exchange, headers: string[]): void {
    if (quota !== undefined) headers.push(...rateLimitFields(quota));
    if (page !== undefined) letRead(headers, page);
    if (this.#settings.access.hasOrigins) headers.push("Vary", "Origin");
  }

  #writeHead(exchange: Exchange, status: number, headers: string[]): void {
    const { connection, response, applied } = exchange;
    this.#addAccess(exchange, headers);
    if (applied !== undefined) headers.push("Preference-Applied", applied);
    if ((this.draining || connection.hasEnded) && connection.last === response)
      headers.push("Connection", "close");
    response.writeHead(status, headers);
  }

  #log(exchange: Exchange, status: number, reason: string | undefined): void {
    this.record({
      method: exchange.request.method ?? "",
      path: exchange.target === undefined ? this.logPath(exchange.path) : exchange.path,
      subject: exchange.target?.route.subject ?? exchange.subject,
      status,
      reason,
      ms: this.#settings.clock.now() - exchange.startedAt,
    });
  }

  /** Passes a record to `onRequest`. */
  record(record: RequestRecord): void {
    this.#settings.observer?.httpRequest?.(record);
  }
}

/** Says in an answer that a page may read it, unless the answer itself speaks of pages. */
function letRead(headers: string[], page: string): void {
  for (let index = 0; index < headers.length; index += 2)
    if (headers[index]!.toLowerCase() === "access-control-allow-origin") return;
  headers.push("Access-Control-Allow-Origin", page, "Access-Control-Expose-Headers", "*");
}

/**
 * Ends a response with a short body. `end` alone would give the socket two pieces, the second one empty, for which Node has a
 * slower way to the kernel.
 */
function endWith(response: Outgoing, body: string): void {
  const { socket } = response;
  if (socket === undefined || socket === null) return void response.end(body, "latin1"); // it waits behind others
  socket.cork();
  response.write(body, "latin1");
  socket.uncork();
  response.end();
}
