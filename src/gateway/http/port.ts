/** The HTTP gateway: `node:http` in front of an engine. */
import { ServerResponse, type IncomingMessage, type Server } from "node:http";
import { Server as NetServer, type AddressInfo, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Server as TlsServer } from "node:tls";
import type { Admission } from "../../access/admission.ts";
import type { Engine } from "../../engine/engine.ts";
import { failure, type Failure } from "../../message/failure.ts";
import { DEFAULT_LIMITS } from "../../message/limits.ts";
import { ANYWHERE } from "../../transport/origins.ts";
import { LEAST_SHARE, SharedBound, shareOf } from "../../collections/shared-bound.ts";
import type { TlsOptions } from "../../transport/transport.ts";
import type { Observer } from "../../observe/observer.ts";
import type { HttpApi } from "../http-api.ts";
import { BodyBudget } from "./body-limit.ts";
import { failureOfClientError, type ClientError } from "./client-error.ts";
import { HttpConnection } from "./connection.ts";
import { Dispatcher } from "./dispatcher.ts";
import { UNKNOWN_EXPECTATION, expectsMore } from "./expectation.ts";
import { hasStrayLineEnd } from "./first-bytes.ts";
import { Farewell } from "./farewell.ts";
import { NO_WEBSOCKET } from "./decode.ts";
import { createNodeServer, type Certificates } from "./node-server.ts";
import { settingsOf, type HttpOptions, type HttpSettings } from "./options.ts";
import { problemOf } from "./problem.ts";
import type { ResponderOptions } from "./responder.ts";
import type { PortSessions } from "../shared-port.ts";
import { SocketDriver, type SocketDriverOptions } from "./socket-driver.ts";
import { asksForWebSocket, serveWithoutUpgrade } from "./upgrade.ts";

const STRAY_LINE_END = Object.freeze(
  failure("BAD_REQUEST", "the line end before the request is not an empty line"),
);

/** What a gateway works with besides an engine. */
export interface HttpDependencies extends ResponderOptions {
  /** Hears of requests. */
  readonly observer?: Observer | undefined;
  /** Decides which callers are admitted. Default: all. */
  readonly admission?: Admission;
  /** All APIs precede routes for every path. Default false: each says so of itself. */
  readonly apisFirst?: boolean;
  /** The gateway for native sessions on the same port. Default: none. */
  readonly sessions?: PortSessions;
  /** Bytes of request bodies at a time, shared with other gateways. Default: those of this gateway, within the default limit. */
  readonly bodies?: BodyBudget;
  /** Certificates to listen with. Default: none, and the port is not encrypted. */
  readonly secure?: Certificates;
}

/** A port that is open. */
export interface HttpListening {
  /** Where it is reached, with the port it really has: `http://127.0.0.1:8500`. */
  readonly url: string;
  /** Connections that are open, without those that have become sessions. */
  readonly connections: number;
  /** Uses other certificates from the next connection on. Throws when they are wrong, or it has none. */
  reload(tls: TlsOptions): void;
  /** Accepts nothing new, finishes what is under way, then resolves. */
  drain(): Promise<void>;
  /** Ends every request that is under way, and tells its caller why. */
  abandon(why: Failure): void;
  /** Ends at once. */
  close(): Promise<void>;
}

/**
 * Opens the HTTP gateway. Rejects with `invalid_argument` for options that are wrong and with node's error (such as
 * `EADDRINUSE`) when it cannot listen.
 */
export async function openHttp(
  engine: Engine,
  options: HttpOptions = {},
  fittings: HttpDependencies = {},
): Promise<HttpListening> {
  const settings = settingsOf(options, fittings.observer, fittings.secure === undefined);
  const port = new HttpPort(engine, settings, fittings);
  await port.listen();
  return port;
}

class HttpPort implements HttpListening {
  url = "";
  readonly #settings: HttpSettings;
  readonly #sessions: PortSessions | undefined;
  readonly #apis: readonly HttpApi[];
  readonly #secure: Certificates | undefined;
  readonly #dispatcher: Dispatcher;
  readonly #server: Server;
  readonly #connections = new Map<Duplex, HttpConnection>();
  /** Whose they are, those included that have become sessions. */
  readonly #callers: SharedBound;
  /** Callers that are waited for; undefined until the gateway drains. */
  #leaving: Set<Duplex> | undefined;
  #onLeft: (() => void)[] = [];
  /** What has connected already is still accepted, and told that it is too late; then nothing more. */
  #isStopping = false;
  #late: WeakSet<HttpConnection> | undefined;
  readonly #farewell: Farewell;
  #lines: SocketDriverOptions;
  readonly #forgetAdmission: (() => void) | undefined;

  constructor(engine: Engine, settings: HttpSettings, fittings: HttpDependencies) {
    const { sessions, apis = [], secure, bodies = new BodyBudget(DEFAULT_LIMITS.httpBodies) } = fittings;
    this.#settings = settings;
    this.#sessions = sessions;
    this.#apis = apis;
    this.#secure = secure;
    this.#farewell = new Farewell(settings.clock);
    this.#dispatcher = new Dispatcher(engine, settings, bodies, fittings);
    this.#forgetAdmission = fittings.admission?.onEnded(() =>
      this.#dispatcher.endRevoked(this.#connections.values()),
    );
    this.#server = createNodeServer(settings, secure);
    const { maxConnections, callerShare } = settings;
    this.#callers = new SharedBound(maxConnections, shareOf(maxConnections, callerShare, LEAST_SHARE));
    this.#lines = {
      at: ANYWHERE, // until it listens
      clock: settings.clock,
      stallMs: settings.stallMs,
      sessions,
      onTaken: (socket) => this.#left(socket),
      onReturned: (socket) => {
        if (this.#leaving !== undefined) socket.destroySoon();
      },
    };
    this.#listenToNode(this.#server);
  }

  get connections(): number {
    return this.#connections.size;
  }

  /** Resolves when requests can come. */
  listen(): Promise<void> {
    const server = this.#server;
    const { host, port } = this.#settings;
    return new Promise((resolve, reject) => {
      server.once("error", reject);
      server.listen({ host, port }, () => {
        server.off("error", reject);
        server.on("error", (error) => this.#settings.onFault?.(error));
        const at = this.#settings.access.addressOfServer(server, host);
        this.#lines = { ...this.#lines, at: at ?? ANYWHERE };
        const { address, port: actual, family } = server.address() as AddressInfo;
        this.url = `${this.#secure === undefined ? "http" : "https"}://${family === "IPv6" ? `[${address}]` : address}:${actual}`;
        resolve();
      });
    });
  }

  abandon(why: Failure): void {
    this.#dispatcher.stop(why);
    for (const connection of [...this.#connections.values()]) this.#dispatcher.abandon(connection, why);
    this.#dispatcher.responder.flush();
  }

  reload(tls: TlsOptions): void {
    if (this.#secure === undefined) throw new TypeError(`${this.url} has no certificates`);
    this.#secure.renew(this.#server as unknown as TlsServer, tls); // it is one where there are certificates
  }

  /** Resolves when every caller has its answer. The port stays open for sessions that need it, until `close`. */
  drain(): Promise<void> {
    const { responder } = this.#dispatcher;
    if (this.#leaving === undefined) {
      responder.draining = true;
      this.#dispatcher.drain();
      if (this.#sessions?.needsPort === true || this.#apis.some((api) => api.needsPort))
        this.#dispatcher.stop(failure("DRAINING"));
      else this.#stopListening();
      this.#leaving = new Set();
      for (const [socket, connection] of this.#connections) {
        if (connection.state !== "taken") this.#leaving.add(socket);
        this.#farewell.add(socket as Socket, connection); // as all are that come to a server
      }
    }
    return this.#whenLeft();
  }

  /** Takes what has connected already: the system would reset it. */
  #stopListening(): void {
    this.#isStopping = true;
    setImmediate(() =>
      setImmediate(() => {
        this.#isStopping = false;
        NetServer.prototype.close.call(this.#server); // that of HTTP would destroy the connections that are kept
        this.#checkLeft();
      }),
    );
  }

  close(): Promise<void> {
    this.#isStopping = false;
    this.#leaving ??= new Set();
    this.#server.close();
    this.#farewell.stop();
    this.#forgetAdmission?.();
    this.#dispatcher.responder.flush(); // what was answered already is not lost
    for (const [socket, { state }] of this.#connections) {
      if (state === "taken") continue; // it ends with its session
      this.#leaving.add(socket);
      socket.destroy();
    }
    this.#dispatcher.close();
    return this.#whenLeft();
  }

  #whenLeft(): Promise<void> {
    return new Promise((resolve) => {
      this.#onLeft.push(resolve);
      this.#checkLeft();
    });
  }

  /** A caller has gone, or has become a session. */
  #left(socket: Duplex): void {
    this.#leaving?.delete(socket);
    this.#checkLeft();
  }

  #checkLeft(): void {
    if (this.#leaving?.size !== 0 || this.#isStopping) return;
    this.#dispatcher.drained();
    for (const resolve of this.#onLeft.splice(0)) resolve();
  }

  #listenToNode(server: Server): void {
    const dispatcher = this.#dispatcher;
    const arrive = (request: IncomingMessage, response: ServerResponse, expectsContinue: boolean): void => {
      const connection = this.#connections.get(request.socket)!;
      const { url = "" } = request;
      if (this.#late?.has(connection) === true)
        dispatcher.refuse(connection, request, response, url, failure("DRAINING"));
      else if (connection.newest === undefined && hasStrayLineEnd(request.socket))
        dispatcher.refuse(connection, request, response, url, STRAY_LINE_END);
      else dispatcher.arrive(connection, request, response, url, expectsContinue);
    };
    server.on(this.#secure === undefined ? "connection" : "secureConnection", (socket: Socket) =>
      this.#connected(socket),
    );
    server.on("tlsClientError", (_error: Error, socket: Socket) => socket.destroy()); // node leaves some of them open
    server.on("request", (request, response) => arrive(request, response, false));
    const refuseExpectation = (request: IncomingMessage, response: ServerResponse): void => {
      const connection = this.#connections.get(request.socket)!;
      dispatcher.refuse(connection, request, response, request.url ?? "", UNKNOWN_EXPECTATION, 417);
    };
    server.on("checkContinue", (request, response) => {
      if (expectsMore(request)) refuseExpectation(request, response);
      else arrive(request, response, true);
    });
    server.on("checkExpectation", refuseExpectation);
    server.on("connect", (_request: IncomingMessage, socket: Duplex) => {
      this.#refuse(socket, failure("METHOD_NOT_ALLOWED", "CONNECT is not served here"));
    });
    if (this.#sessions !== undefined)
      server.on("upgrade", (request, socket, head) => this.#upgrade(request, socket, head));
    server.on("clientError", (error: ClientError, socket: Duplex) => this.#clientError(error, socket));
    server.on("timeout", (socket: Socket) => this.#quiet(socket));
  }

  #connected(socket: Socket): void {
    if (this.#connections.has(socket)) return; // node has given it away, and was given it back
    if (this.#leaving !== undefined && !this.#server.listening) {
      socket.destroy(); // its handshake was under way when the gateway was closed
      return;
    }
    const line = new SocketDriver(socket, this.#lines);
    const connection = new HttpConnection(line);
    const { caller } = connection;
    if (!this.#callers.take(caller, 1)) return void socket.destroy(); // unheard, as past the bound for all
    this.#connections.set(socket, connection);
    if (this.#leaving !== undefined) {
      if (this.#isStopping) {
        this.#leaving.add(socket);
        this.#late = (this.#late ?? new WeakSet()).add(connection);
      }
      this.#farewell.add(socket, connection);
    }
    socket.on("close", () => {
      this.#callers.give(caller, 1);
      this.#connections.delete(socket);
      this.#dispatcher.left(connection);
      this.#left(socket);
    });
    // Node stops listening for errors on sockets it gives away (CONNECT). "close" follows and says all that matters.
    socket.on("error", () => socket.destroy());
    socket.on("end", () => this.#ended(socket, connection));
  }

  /** The caller has ended its side of the connection, or has closed it: the two look the same. */
  #ended(socket: Socket, connection: HttpConnection): void {
    if (this.#connections.get(socket) !== connection) return; // a session has it
    if (connection.state === "taken") socket.end(); // requests of a session end with its connection
    else if (connection.pending.length > 0) connection.ended();
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const connection = this.#connections.get(socket);
    if (connection === undefined || connection.state !== "open") return;
    const again = (): void => {
      if (!socket.destroyed) serveWithoutUpgrade(this.#server, request, socket, head);
    };
    if (!asksForWebSocket(request)) {
      const last = connection.last as ServerResponse | undefined;
      // Node would never get to the response of a request that it is given before the last has been answered.
      if (last === undefined || last.writableFinished) again();
      else last.once("close", again);
      return;
    }
    const { url = "" } = request;
    const refused = this.#dispatcher.objection(connection, request, url);
    if (refused === undefined && this.#sessions?.upgrade(request, socket, head) === true) {
      this.#connections.delete(socket);
      this.#left(socket);
      return;
    }
    const response = new ServerResponse(request); // for the order of answers: the refusal is written without it
    this.#dispatcher.refuse(connection, request, response, url, refused ?? NO_WEBSOCKET);
  }

  #clientError(error: ClientError, socket: Duplex): void {
    const connection = this.#connections.get(socket);
    if (connection === undefined || connection.state !== "open") return;
    if (error.code === "HPE_CLOSED_CONNECTION") return; // data after the last request; its response closes
    // How long a body may take that is streamed, its worker says.
    if (error.code === "ERR_HTTP_REQUEST_TIMEOUT" && connection.upload !== undefined) return;
    const failed = failureOfClientError(error);
    if (failed === undefined || !socket.writable) socket.destroy();
    else this.#refuse(socket, failed);
  }

  /** Answers what broke the connection: in place of the request that is coming in, if there is one. */
  #refuse(socket: Duplex, failed: Failure): void {
    const connection = this.#connections.get(socket);
    if (connection === undefined) return;
    const { newest } = connection;
    if (newest !== undefined && !newest.request.complete) {
      // It was answered while its body was still coming: a second response would be taken for another request's.
      if (newest.state === "done") {
        connection.state = "refusing";
        this.#dispatcher.responder.flush();
        connection.driver.end(newest.response, true);
      } else this.#dispatcher.responder.refuse(newest, failed);
      return;
    }
    const problem = problemOf(failed);
    connection.refuse(problem, true, connection.last);
    const { status, reason } = problem;
    this.#dispatcher.responder.record({ method: "", path: "", subject: undefined, status, reason, ms: 0 });
  }

  /**
   * Nothing was read or written for a while. What that means is looked at when the turn has ended: by then the responses are
   * written that other clocks have decided in this turn, and the requests read that had come already.
   */
  #quiet(socket: Socket): void {
    const connection = this.#connections.get(socket);
    if (connection === undefined) return void socket.destroy();
    if (this.#isHeardOf(connection, socket)) return;
    const { newest } = connection;
    const { bytesRead } = socket;
    setImmediate(() => {
      if (connection.newest !== newest || socket.bytesRead !== bytesRead) return;
      if (!this.#isHeardOf(connection, socket)) socket.destroy();
    });
  }

  /** False if a quiet connection waits only for the caller. */
  #isHeardOf({ upload, pending, unsent }: HttpConnection, socket: Socket): boolean {
    if (unsent > 0) return true; // its timer begins anew with the response
    if (upload?.isAwaited === true && upload.exchange.state === "running") {
      this.#dispatcher.giveUp(upload.exchange, failure("REQUEST_TIMEOUT"));
      return true;
    }
    return pending.length > 0 && socket.writableLength === 0;
  }
}
