/** The HTTP door: `node:http` in front of an engine. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Engine } from "../../engine/engine.ts";
import { failure, type Failure } from "../../message/failure.ts";
import type { Listening } from "../gateway.ts";
import { failureOfClientError, type ClientError } from "./client-error.ts";
import { Connection } from "./connection.ts";
import { Dispatcher } from "./dispatcher.ts";
import { settingsOf, type HttpOptions, type HttpSettings } from "./options.ts";
import { closingResponse, problemOf } from "./problem.ts";

/** Node stops reading heads here. Well above our own limits, so that what is over them gets a precise answer. */
const LEAST_PARSER_LIMIT = 98_304;

/**
 * Opens the HTTP gateway. Rejects with `invalid_argument` for options that are wrong and with node's error (such as
 * `EADDRINUSE`) when it cannot listen.
 */
export async function openHttp(engine: Engine, options: HttpOptions = {}): Promise<Listening> {
  const door = new HttpDoor(engine, settingsOf(options));
  await door.listen();
  return door;
}

class HttpDoor implements Listening {
  url = "";
  readonly #settings: HttpSettings;
  readonly #dispatcher: Dispatcher;
  readonly #server: Server;
  readonly #connections = new Map<Duplex, Connection>();
  #stopped: Promise<void> | undefined;

  constructor(engine: Engine, settings: HttpSettings) {
    this.#settings = settings;
    this.#dispatcher = new Dispatcher(engine, settings);
    this.#server = createNodeServer(settings);
    this.#listenToNode(this.#server);
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
        const { address, port: actual, family } = server.address() as AddressInfo;
        this.url = `http://${family === "IPv6" ? `[${address}]` : address}:${actual}`;
        resolve();
      });
    });
  }

  drain(): Promise<void> {
    this.#dispatcher.responder.draining = true;
    const stopped = this.#stop();
    // Node takes a connection that has sent nothing yet for busy.
    for (const { socket } of this.#connections.values()) if (socket.bytesRead === 0) socket.destroy();
    return stopped;
  }

  async close(): Promise<void> {
    const stopped = this.#stop();
    for (const { socket } of this.#connections.values()) socket.destroy();
    this.#dispatcher.close();
    await stopped;
  }

  #stop(): Promise<void> {
    this.#stopped ??= new Promise((resolve) => {
      this.#server.close(() => resolve());
    });
    return this.#stopped;
  }

  #listenToNode(server: Server): void {
    const dispatcher = this.#dispatcher;
    server.on("connection", (socket: Socket) => this.#connected(socket));
    server.on("request", (request: IncomingMessage, response: ServerResponse) => {
      dispatcher.arrive(this.#connections.get(request.socket)!, request, response, false);
    });
    server.on("checkContinue", (request: IncomingMessage, response: ServerResponse) => {
      dispatcher.arrive(this.#connections.get(request.socket)!, request, response, true);
    });
    server.on("checkExpectation", (request: IncomingMessage, response: ServerResponse) => {
      dispatcher.refuseExpectation(this.#connections.get(request.socket)!, request, response);
    });
    server.on("connect", (_request: IncomingMessage, socket: Duplex) => {
      this.#refuse(socket, failure("METHOD_NOT_ALLOWED", "CONNECT is not served here"));
    });
    server.on("clientError", (error: ClientError, socket: Duplex) => this.#clientError(error, socket));
    server.on("timeout", (socket: Socket) => this.#quiet(socket));
  }

  #connected(socket: Socket): void {
    const connection = new Connection(socket, this.#settings.clock);
    this.#connections.set(socket, connection);
    socket.on("close", () => {
      this.#connections.delete(socket);
      this.#dispatcher.left(connection);
    });
    // Node stops listening for errors on sockets it gives away (CONNECT). "close" follows and says all that matters.
    socket.on("error", () => socket.destroy());
  }

  #clientError(error: ClientError, socket: Duplex): void {
    const connection = this.#connections.get(socket);
    if (connection === undefined || connection.state !== "open") return;
    if (error.code === "HPE_CLOSED_CONNECTION") return; // data after the last request; its response closes
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
      if (newest.state === "done") socket.destroy();
      else this.#dispatcher.responder.refuse(newest, failed);
      return;
    }
    const problem = problemOf(failed);
    connection.refuse(closingResponse(problem, true), connection.last);
    const { status, reason } = problem;
    this.#dispatcher.responder.record({ method: "", path: "", subject: undefined, status, reason, ms: 0 });
  }

  /** Nothing was read or written for a while: fine while a worker is at it, else the caller is of no use. */
  #quiet(socket: Socket): void {
    const connection = this.#connections.get(socket);
    const waits = connection !== undefined && connection.pending.length > 0 && socket.writableLength === 0;
    if (!waits) socket.destroy();
  }
}

function createNodeServer(settings: HttpSettings): Server {
  const { headersTimeoutMs, requestTimeoutMs, keepAliveMs, headerLimit, urlLimit } = settings;
  const shortest = Math.min(headersTimeoutMs, requestTimeoutMs);
  const server = createServer({
    insecureHTTPParser: false,
    requireHostHeader: false, // checked by us, so that the answer is a problem like all others
    maxHeaderSize: Math.max(LEAST_PARSER_LIMIT, 2 * (headerLimit + urlLimit)),
    headersTimeout: Math.min(headersTimeoutMs, requestTimeoutMs),
    requestTimeout: requestTimeoutMs,
    connectionsCheckingInterval: Math.max(20, Math.min(1_000, Math.floor(shortest / 4))),
    keepAliveTimeout: keepAliveMs,
  });
  server.maxHeadersCount = 0; // node would drop what is over it without a word; we count and refuse
  server.maxConnections = settings.maxConnections;
  server.timeout = settings.stallMs;
  return server;
}
