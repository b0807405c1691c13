/** The HTTP gateway inside an app's own server: the same dispatcher, behind functions that the app calls. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import type { Engine } from "../../engine/engine.ts";
import { LintelError, failure, type Failure } from "../../message/failure.ts";
import { DEFAULT_LIMITS } from "../../message/limits.ts";
import { BodyBudget } from "./body-limit.ts";
import { HttpConnection } from "./connection.ts";
import { Dispatcher } from "./dispatcher.ts";
import { UNKNOWN_EXPECTATION, expectsMore } from "./expectation.ts";
import { FetchDriver, FetchRequest, FetchResponse } from "./fetch.ts";
import { EmbeddedDriver, type EmbeddedDriverOptions } from "./embedded-driver.ts";
import { settingsOf, type HttpOptions, type HttpSettings } from "./options.ts";
import type { HttpDependencies } from "./port.ts";
import type { PortSessions } from "../shared-port.ts";

/** Options of a gateway in an app's server. What is not here is the server's own: addresses, connections, their times. */
export interface HandlerOptions extends Pick<
  HttpOptions,
  | "routes"
  | "defaultMapping"
  | "bodyLimit"
  | "headerLimit"
  | "urlLimit"
  | "timeout"
  | "timeoutMs"
  | "asyncAnswers"
  | "callerShare"
  | "sseKeepAlive"
  | "sseKeepAliveMs"
  | "streamIdle"
  | "streamIdleMs"
  | "streamGrace"
  | "streamGraceMs"
  | "sessions"
  | "origins"
  | "hosts"
  | "onRequest"
  | "onFault"
  | "clock"
> {
  /** What its paths begin with, such as `/api`: that part is no part of a subject. Default: nothing. */
  readonly path?: string;
  /** Workers may poll for jobs here, at paths of the hub that would be the app's otherwise. Default false. */
  readonly jobs?: boolean;
}

/** Called with what the app's next middleware, or error handler, is to see. */
type Next = (error?: unknown) => void;

/** A gateway as functions; they need no `this`. */
export interface HttpHandler {
  /**
   * Answers a request of `node:http`; a middleware of Express. What leads nowhere, neither to a route nor to a subject, goes
   * on to `next`, and is answered with a problem where there is none.
   */
  readonly request: (request: IncomingMessage, response: ServerResponse, next?: Next) => void;
  /** Takes over a handshake for a session; false, with nothing touched, when it is not for a session. */
  readonly upgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => boolean;
  /** Answers a request of the platform's `fetch`. Never rejects. Sessions cannot come this way. */
  readonly fetch: (request: Request) => Promise<Response>;
}

const PATH = /^(?:\/[A-Za-z0-9._~-]+)+$/;

export class EmbeddedGateway implements HttpHandler {
  readonly #dispatcher: Dispatcher;
  readonly #settings: HttpSettings;
  readonly #base: string;
  readonly #sessions: PortSessions | undefined;
  readonly #lines: EmbeddedDriverOptions;
  /** Those with a request under way. */
  readonly #connections = new Set<HttpConnection>();
  readonly #forgetAdmission: (() => void) | undefined;
  #state: "open" | "draining" | "closed" = "open";
  #onIdle: (() => void)[] = [];

  /** Throws `invalid_argument` for options that are wrong. */
  constructor(engine: Engine, options: HandlerOptions, fittings: HttpDependencies) {
    const { sessions, bodies = new BodyBudget(DEFAULT_LIMITS.httpBodies) } = fittings;
    this.#settings = settingsOf(options, fittings.observer);
    this.#dispatcher = new Dispatcher(engine, this.#settings, bodies, fittings);
    this.#forgetAdmission = fittings.admission?.onEnded(() => this.#dispatcher.endRevoked(this.#connections));
    this.#base = baseOf(options);
    this.#sessions = sessions;
    const { clock, access } = this.#settings;
    this.#lines = { base: this.#base, access, clock, sessions };
  }

  /** True for targets that are the gateway's: all below its path, or where it has none, all that lead somewhere. */
  claims(url: string): boolean {
    if (this.#state === "closed") return false;
    const target = this.#targetOf(url);
    return target !== undefined && (this.#base !== "" || this.#dispatcher.serves(target));
  }

  readonly request = (request: IncomingMessage, response: ServerResponse, next?: Next): void => {
    const { url = "" } = request;
    if (next !== undefined && !this.claims(url)) return next();
    this.take(request, response, false, next);
  };

  readonly upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): boolean =>
    this.#state !== "closed" && (this.#sessions?.upgrade(request, socket, head) ?? false);

  readonly fetch = (request: Request): Promise<Response> =>
    new Promise((resolve) => {
      const { signal } = request;
      const url = new URL(request.url);
      const onOver = (): void => {
        signal.removeEventListener("abort", onGone);
        this.#ended(connection);
      };
      const onGone = (): void => {
        this.#dispatcher.left(connection);
        outgoing.fail(LintelError.of("CALLER_GONE"));
        resolve(new Response(null, { status: 499 })); // it is not read
      };
      const incoming = new FetchRequest(request, url, onGone);
      const outgoing = new FetchResponse(request.method === "HEAD", { resolve, onOver, onGone });
      const connection = new HttpConnection(new FetchDriver(this.#base, url.protocol === "https:", outgoing));
      if (signal.aborted) return onGone();
      signal.addEventListener("abort", onGone);
      this.#connections.add(connection);
      const target = this.#targetOf(url.pathname + url.search);
      if (target === undefined) this.#dispatcher.refuse(connection, incoming, outgoing, "", NOT_BELOW);
      else this.#dispatcher.arrive(connection, incoming, outgoing, target, false);
    });

  /** Answers a request, whatever it is. */
  take(request: IncomingMessage, response: ServerResponse, expectsContinue: boolean, next?: Next): void {
    if (request.socket.destroyed) return; // its caller has left, and will not be heard leaving
    const { url = "" } = request;
    const dispatcher = this.#dispatcher;
    const connection = new HttpConnection(new EmbeddedDriver(request, response, this.#lines));
    this.#connections.add(connection);
    response.once("close", () => {
      dispatcher.left(connection);
      this.#ended(connection);
    });
    const target = this.#targetOf(url);
    if (target === undefined) return dispatcher.refuse(connection, request, response, url, NOT_BELOW);
    if (expectsContinue && expectsMore(request))
      return dispatcher.refuse(connection, request, response, target, UNKNOWN_EXPECTATION, 417);
    if (!hasLostBody(request)) {
      dispatcher.arrive(connection, request, response, target, expectsContinue);
      if (connection.state === "taken") this.#ended(connection); // a session, which is not awaited here
      return;
    }
    const error = bodyIsGone(dispatcher.responder.logPath(url));
    if (next !== undefined) return next(error);
    this.#settings.onFault?.(error);
    dispatcher.refuse(connection, request, response, target, error.toFailure());
  }

  /** Takes nothing new, and resolves when all that is under way has been answered. */
  drain(): Promise<void> {
    if (this.#state === "open") this.#state = "draining";
    this.#dispatcher.stop(failure("DRAINING"));
    this.#dispatcher.drain();
    return this.#whenIdle();
  }

  /** Ends every request that is under way, and tells its caller why. */
  abandon(why: Failure): void {
    this.#dispatcher.stop(why);
    for (const connection of [...this.#connections]) this.#dispatcher.abandon(connection, why);
    this.#dispatcher.responder.flush();
  }

  /** Answers what is under way with `CLOSED`. The server it is in goes on. */
  close(): void {
    this.#state = "closed";
    this.#forgetAdmission?.();
    this.abandon(failure("CLOSED", "the hub was closed"));
    this.#dispatcher.close();
  }

  /** The target as it is read here; undefined when it is not below the path. */
  #targetOf(url: string): string | undefined {
    const base = this.#base;
    if (base === "") return url;
    if (!url.startsWith(base)) return undefined;
    const rest = url.slice(base.length);
    if (rest.startsWith("/")) return rest;
    return rest === "" || rest.startsWith("?") ? `/${rest}` : undefined;
  }

  #ended(connection: HttpConnection): void {
    this.#connections.delete(connection);
    if (this.#connections.size === 0) this.#idle();
  }

  #whenIdle(): Promise<void> {
    return new Promise((resolve) => {
      this.#onIdle.push(resolve);
      if (this.#connections.size === 0) this.#idle();
    });
  }

  #idle(): void {
    if (this.#state === "draining") this.#dispatcher.drained();
    for (const resolve of this.#onIdle.splice(0)) resolve();
  }
}

const NOT_BELOW = Object.freeze({
  code: "not_found",
  reason: "NOT_FOUND",
  message: "the path is not below the hub's path",
  retryable: false,
} as const);

function baseOf({ path = "/" }: HandlerOptions): string {
  if (path === "/") return "";
  if (PATH.test(path)) return path;
  const text = `option path is ${JSON.stringify(path)}; it must be like /api, without a slash at its end`;
  throw new LintelError("invalid_argument", text);
}

/** True if the body has been read before. */
function hasLostBody({ headers, readableDidRead }: IncomingMessage): boolean {
  if (!readableDidRead) return false;
  return headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0;
}

function bodyIsGone(path: string): LintelError {
  return new LintelError(
    "internal",
    `the body of the request for ${path} was read before it reached the hub; put the hub before the body parser`,
  );
}
