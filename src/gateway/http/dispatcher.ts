/** Takes requests to the engine and outcomes back to the callers. */
import { openAdmission, type Admission } from "../../access/admission.ts";
import type { Engine } from "../../engine/engine.ts";
import type { Sink } from "../../message/delivery.ts";
import { failure, type Failure } from "../../message/failure.ts";
import { Message } from "../../message/message.ts";
import { FOREIGN_ORIGIN } from "../../transport/origins.ts";
import type { Origin } from "../../message/origin.ts";
import { discardStreams } from "../../stream/stream.ts";
import { OWN_PATHS, serveAnswers } from "./answers-endpoint.ts";
import { announce } from "./announce.ts";
import { ApiCall } from "./api-call.ts";
import { AsyncAnswers } from "./async-answers.ts";
import { Authentication } from "./authentication.ts";
import { formatOf } from "./body-format.ts";
import { BODY_TOO_LARGE, type BodyBudget } from "./body-limit.ts";
import { BodyReader } from "./body-reader.ts";
import { CODINGS, takeCoding } from "./content-coding.ts";
import { Exchange, type HttpConnection, type Incoming, type Outgoing } from "./connection.ts";
import { HeadReader } from "./decode.ts";
import { respondAsync } from "./respond-async.ts";
import type { HttpSettings } from "./options.ts";
import { Pages } from "./pages.ts";
import { parsePrefer } from "./prefer.ts";
import { publishTo } from "./publish.ts";
import { RevokedExchanges } from "./revoked-exchanges.ts";
import { Responder, type ResponderOptions } from "./responder.ts";
import { ALLOW_ANY, Router, type Resolution, type Target } from "./router.ts";
import { HandleTable } from "../../collections/handle-table.ts";
import { StreamedAnswers } from "./stream/streamed-answers.ts";
import { ANSWERS_FULL } from "./unread-answers.ts";
import { Upload } from "./upload.ts";

const NO_BYTES = new Uint8Array(0);
const NOWHERE: Failure = failure("BAD_REQUEST");

type DispatcherOptions = ResponderOptions & {
  readonly apisFirst?: boolean;
  /** Decides which callers are admitted. Default: all. */
  readonly admission?: Admission;
};

export class Dispatcher implements Sink {
  readonly responder: Responder;
  readonly #reader: BodyReader;
  readonly #streams: StreamedAnswers;
  readonly #authentication: Authentication;
  readonly #settings: HttpSettings;
  readonly #router: Router;
  readonly #head: HeadReader;
  readonly #pages: Pages;
  readonly #answers: AsyncAnswers;
  readonly #running = new HandleTable<Exchange>();
  readonly #revoked: RevokedExchanges;
  /** Why nothing new is taken. */
  #refusal: Failure | undefined;

  /** Throws `invalid_argument` for routes that are wrong. */
  constructor(engine: Engine, settings: HttpSettings, bodies: BodyBudget, fittings: DispatcherOptions) {
    const { apis = [], apisFirst = false, admission = openAdmission(engine) } = fittings;
    this.#authentication = new Authentication(admission, (exchange) => this.#resume(exchange));
    this.#settings = settings;
    this.responder = new Responder(settings, bodies, (connection) => this.#freed(connection), fittings);
    const handOn = this.#handOn.bind(this);
    this.#reader = new BodyReader(settings, bodies, this.responder, handOn);
    this.#streams = new StreamedAnswers(this.responder, settings);
    this.#revoked = new RevokedExchanges(this.responder, (exchange) => this.#withdraw(exchange));
    this.#router = new Router(engine, settings, apis, apisFirst);
    this.#pages = new Pages(settings.access, this.responder, this.#router);
    this.#head = new HeadReader(settings, !admission.isOpen);
    this.#answers = new AsyncAnswers(settings, bodies);
  }

  /** A request has arrived; its body may follow. `url` is its target, as it is to be read here. */
  arrive(
    connection: HttpConnection,
    request: Incoming,
    response: Outgoing,
    url: string,
    expectsContinue: boolean,
  ): void {
    if (connection.state !== "open") {
      if (connection.state === "taken") connection.driver.cut(); // its answer would wait behind what may have no end
      return; // it comes after one that was refused
    }
    const startedAt = this.#settings.observer?.httpRequest === undefined ? 0 : this.#settings.clock.now();
    const exchange = new Exchange(connection, request, response, url, expectsContinue, startedAt);
    connection.arrived(exchange);
    if (connection.hasRoom(this.#settings.maxPipelined)) return this.#begin(exchange);
    connection.waiting.push(exchange);
    connection.driver.pause();
  }

  /** Refuses a request before its head is looked at. */
  refuse(
    connection: HttpConnection,
    request: Incoming,
    response: Outgoing,
    url: string,
    failed: Failure,
    status?: number,
  ): void {
    if (connection.state !== "open") return;
    const exchange = new Exchange(connection, request, response, url, false, this.#settings.clock.now());
    connection.arrived(exchange);
    this.responder.refuse(exchange, failed, status);
  }

  /** What is wrong with a request for a WebSocket, as far as HTTP is concerned. */
  objection(connection: HttpConnection, request: Incoming, url: string): Failure | undefined {
    const head = this.#head;
    const { driver } = connection;
    const refused = head.read(request, url, driver.at, true);
    if (refused !== undefined) return this.#pages.told(refused, driver, head.path);
    if (this.#pages.isForeign(head, driver)) return FOREIGN_ORIGIN;
    if (connection.pending.length > 0 || head.bodyLength !== 0)
      return failure("BAD_REQUEST", "a handshake has no body, and no request is under way before it");
    return undefined;
  }

  /** True when a path leads somewhere: to a subject, to an API, or to the gateway's own answers. */
  serves(url: string): boolean {
    const [path = ""] = url.split("?", 1);
    if (path.startsWith(OWN_PATHS) || this.#router.apiAt(path) !== undefined) return true;
    return path.startsWith("/") && "byMethod" in this.#router.peek(path);
  }

  /** Takes nothing new. */
  stop(why: Failure): void {
    this.#refusal = why;
  }

  /** The caller has left: what it waited for is canceled. */
  left(connection: HttpConnection): void {
    const gone = connection.pending.splice(0);
    connection.closed();
    for (const exchange of gone) {
      if (exchange.stream !== undefined) {
        exchange.stream.leave();
        continue;
      }
      this.#withdraw(exchange);
      exchange.call?.gone();
      this.responder.end(exchange, 499, "CALLER_GONE");
    }
  }

  /** Ends what is under way on a connection, and tells the caller why. */
  abandon(connection: HttpConnection, why: Failure): void {
    for (const exchange of [...connection.pending]) this.giveUp(exchange, why);
  }

  /** Ends an exchange, and tells the caller why. */
  giveUp(exchange: Exchange, why: Failure): void {
    if (exchange.stream !== undefined) return exchange.stream.abort(why);
    this.#withdraw(exchange);
    exchange.call?.gone();
    this.responder.refuse(exchange, why);
  }

  /** Credentials are no longer good: ends what is under way for them, and forgets what is kept. */
  endRevoked(connections: Iterable<HttpConnection>): void {
    this.#revoked.end(connections);
    this.#answers.dropRevoked();
  }

  /** Answers that are streams get a time of grace. Follow it with `drained`, which resolves when no caller is left. */
  drain(): void {
    this.#streams.drain();
  }

  drained(): void {
    this.#streams.close();
  }

  /** Forgets the answers that are kept and cancels those that are pending. */
  close(): void {
    this.#answers.close();
    this.#streams.close();
  }

  answered(tag: number, answer: Message): void {
    const exchange = this.#running.remove(tag);
    if (exchange === undefined) return discardStreams(answer);
    exchange.tag = -1;
    try {
      if (answer.streams === undefined) this.responder.answer(exchange, answer);
      else this.#streams.begin(exchange, answer);
    } catch (error) {
      this.responder.unsent(exchange, answer, error);
    }
  }

  failed(tag: number, failed: Failure): void {
    const exchange = this.#running.remove(tag);
    if (exchange === undefined) return;
    exchange.tag = -1;
    try {
      this.responder.fail(exchange, failed);
    } catch (error) {
      this.responder.thrown(exchange, error);
    }
  }

  originOf(tag: number): Origin {
    return this.#running.get(tag)!.origin;
  }

  callerOf(tag: number): string {
    return this.#running.get(tag)!.connection.caller;
  }

  #withdraw(exchange: Exchange): void {
    if (exchange.tag >= 0) {
      exchange.admitted.engine.cancel(exchange.handle); // before its origin is forgotten
      this.#running.remove(exchange.tag);
    }
    if (exchange.answerId !== undefined) this.#answers.drop(exchange.answerId);
  }

  /** Begins what waits on a connection as far as there is room, then reads on. */
  #freed(connection: HttpConnection): void {
    const { waiting } = connection;
    if (waiting.length === 0 || connection.beginning) return;
    connection.beginning = true; // an answer that comes at once frees room again: no recursion
    while (waiting.length > 0 && connection.hasRoom(this.#settings.maxPipelined))
      this.#begin(waiting.shift()!);
    connection.beginning = false;
    if (waiting.length === 0) connection.driver.resume();
  }

  #begin(exchange: Exchange): void {
    try {
      exchange.connection.pending.push(exchange);
      exchange.state = "receiving";
      this.#examine(exchange);
    } catch (error) {
      this.responder.thrown(exchange, error);
    }
  }

  #examine(exchange: Exchange): void {
    const { request } = exchange;
    const { driver } = exchange.connection;
    const head = this.#head;
    const refused = head.read(request, exchange.url, driver.at);
    exchange.path = head.path;
    if (refused !== undefined) return this.#pages.refuse(exchange, refused);
    const foreign = head.hasPage ? this.#pages.look(exchange, head) : undefined;
    if (foreign !== undefined) return this.#early(exchange, foreign);
    if (exchange.isDone) return; // a page has been told what it may send
    const { bodyLength } = head;
    const own = head.path.startsWith(OWN_PATHS) || head.path === "*";
    if (own && this.#handOver(exchange)) return;
    const admission = this.#authentication.of(exchange);
    if (admission === undefined) return; // it is examined once more when its sender is known
    exchange.admission = admission;
    if ("code" in admission) return this.#early(exchange, admission);
    const { bodyLimit } = this.#settings;
    if (own && bodyLength <= bodyLimit) return this.#answerItself(exchange);
    const api = bodyLength <= bodyLimit ? this.#router.apiAt(head.path) : undefined;
    if (api !== undefined) {
      exchange.call = new ApiCall(exchange, this.responder, api);
      return this.#begun(exchange, bodyLength);
    }
    const resolution = own ? NOWHERE : this.#router.resolve(head.path, admission.tenantEngine);
    const method = request.method!;
    const isSomewhere = "byMethod" in resolution;
    const target = isSomewhere ? (resolution.byMethod.get(method) ?? resolution.any) : undefined;
    const wanted = target !== undefined && "mode" in target ? target : undefined;
    const refusal = bodyLength > (wanted?.bodyLimit ?? bodyLimit) ? BODY_TOO_LARGE : this.#refusal;
    if (refusal !== undefined) {
      if (this.#router.apiAt(head.path) === undefined) exchange.target = wanted; // what is said of it names its subject
      return this.responder.refuse(exchange, refusal);
    }
    if (!isSomewhere) return this.#early(exchange, resolution);
    if (method === "TRACE" || target === undefined || (resolution.routed && method === "OPTIONS")) {
      if (method !== "OPTIONS" || !resolution.byMethod.has(method))
        return this.#refuseMethod(exchange, resolution);
    }
    if (target === undefined || "code" in target)
      return this.#early(exchange, target ?? failure("METHOD_NOT_ALLOWED"));
    exchange.target = target;
    const slowed = admission.told(admission.quota?.objection(), "request", target.route.subject); // before its body is read
    if (slowed !== undefined) return this.#early(exchange, slowed);

    const streams = bodyLength > target.wholeUpTo || (bodyLength < 0 && target.wholeUpTo < bodyLimit);
    const length = streams && bodyLength >= 0 ? `content-length:${bodyLength}\n` : "";
    const block = head.blockFor(method, target, driver, length);
    if (block === undefined) return this.responder.refuse(exchange, failure("HEADERS_TOO_LARGE"));
    exchange.head = block;
    if (target.mode !== "app") exchange.prefer = head.prefer;
    if (streams) this.#sendStream(exchange, target);
    else this.#begun(exchange, bodyLength);
  }

  /** Its principal is now known. Other requests may have been examined in the meantime. */
  #resume(exchange: Exchange): void {
    try {
      this.#examine(exchange);
    } catch (error) {
      this.responder.thrown(exchange, error);
    }
  }

  #begun(exchange: Exchange, bodyLength: number): void {
    if (this.responder.unread.isFull(exchange.connection)) return this.#early(exchange, ANSWERS_FULL);
    if (bodyLength === 0) return this.#handOn(exchange, NO_BYTES);
    const refused = takeCoding(exchange, this.#head.coding);
    if (refused === undefined) this.#reader.read(exchange, bodyLength);
    else this.#early(exchange, refused, ["Accept-Encoding", CODINGS]);
  }

  /** Answers a method that the routes of a path do not take, or that asks which they take. */
  #refuseMethod(exchange: Exchange, { allow }: Resolution): void {
    const headers = ["Allow", allow];
    if (exchange.request.method === "OPTIONS") this.responder.empty(exchange, 204, headers);
    else this.#early(exchange, failure("METHOD_NOT_ALLOWED"), headers);
  }

  /** Gives what is for the gateway of native sessions to that; it answers, and limits, these requests itself. */
  #handOver(exchange: Exchange): boolean {
    const { connection } = exchange;
    if (!connection.driver.handOver(exchange)) return false;
    connection.remove(exchange);
    exchange.state = "done";
    return true;
  }

  /** Answers what is for the gateway itself. */
  #answerItself(exchange: Exchange): void {
    if (exchange.path !== "*") return serveAnswers(exchange, this.#answers, this.responder);
    if (exchange.request.method === "OPTIONS")
      return this.responder.empty(exchange, 204, ["Allow", ALLOW_ANY]);
    this.responder.refuse(exchange, failure("BAD_REQUEST", "only OPTIONS may have the target *"));
  }

  /** Answers before the body was read. Node reads and drops the body, unless it may be endless or never come. */
  #early(exchange: Exchange, failed: Failure, more?: readonly string[]): void {
    if (exchange.expectsContinue || this.#head.bodyLength < 0) this.responder.refuse(exchange, failed);
    else this.responder.problem(exchange, failed, undefined, more);
  }

  /** Sends a request whose body follows. */
  #sendStream(exchange: Exchange, target: Target): void {
    const upload = new Upload(exchange, target.bodyLimit, this.#settings, () =>
      this.giveUp(exchange, BODY_TOO_LARGE),
    );
    const message = upload.message(exchange.head);
    exchange.upload = upload;
    exchange.head = "";
    exchange.state = "running";
    const { wait } = parsePrefer(exchange.prefer);
    this.#request(exchange, target, message, wait);
    if (exchange.isDone) return; // it has been answered already
    upload.begin();
    if (exchange.expectsContinue) exchange.response.writeContinue();
  }

  /** Passes it on to be answered, with its body. */
  #handOn(exchange: Exchange, body: Uint8Array): void {
    const { call, target } = exchange;
    exchange.state = "running";
    if (call === undefined) return this.#send(exchange, target!, body);
    call.body = body;
    return call.begin();
  }

  #send(exchange: Exchange, target: Target, body: Uint8Array): void {
    const message = Message.ofBytes(body, exchange.head, formatOf(exchange.head, body));
    exchange.head = "";
    if (target.mode === "publish") return publishTo(exchange, target, message, this.responder);
    if (target.api?.announce !== undefined) announce(exchange, target);
    const wishes = parsePrefer(exchange.prefer);
    if (wishes.respondAsync)
      return respondAsync(exchange, target, message, wishes.wait ?? 0, this.#answers, this.responder);
    this.#request(exchange, target, message, wishes.wait);
  }

  /** `wait` is how many seconds the caller likes to wait at the most. */
  #request(exchange: Exchange, target: Target, message: Message, wait: number | undefined): void {
    let { timeoutMs } = target;
    if (wait !== undefined) {
      exchange.applied = `wait=${wait}`;
      timeoutMs = Math.min(timeoutMs, wait * 1_000);
    }
    const tag = this.#running.add(exchange);
    exchange.tag = tag;
    exchange.isAsked = true;
    const handle = exchange.admitted.engine.request(target.route, message, timeoutMs, this, tag);
    if (exchange.tag === tag) exchange.handle = handle;
  }
}
