/** Apps that are listeners of `node:http`: Express and its kin. A real server calls them, on connections in memory. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { SharedByStreams } from "../peer/stream/values.ts";
import type { Answer } from "./answer.ts";
import { AppSocket, type AppSocketOwner } from "./app-socket.ts";
import type { AppRequest } from "./request.ts";

export type Listener = (request: IncomingMessage, response: ServerResponse) => unknown;

/** Called with errors that reach nobody else. */
export type OnError = (error: unknown, where: string) => void;

/** What serves requests; the service behind a subject owns one. */
export interface App {
  begin(request: AppRequest, answer: Answer): void;
  /** Ends what is kept for requests to come. */
  close(): void;
}

/** Connections that wait for requests. */
const MAX_IDLE = 64;
/** Connections that are kept for apps that have not ended an answer that is complete. */
const MAX_LINGERING = 64;
/** Above what the hub's gateways let through, which see to the limit. */
const MAX_HEADER_SIZE = 262_144;

export class ListenerApp implements App, AppSocketOwner {
  readonly streams: SharedByStreams;
  readonly #listener: Listener;
  readonly #onError: OnError;
  readonly #server: Server;
  /** By what an app can see of its caller, which must not change on a connection. The last one used comes first. */
  readonly #idle = new Map<string, AppSocket[]>();
  #idleCount = 0;
  /** Sockets whose apps have not ended what is complete, the oldest first. */
  readonly #lingering = new Set<AppSocket>();
  #isClosed = false;

  constructor(listener: Listener, streams: SharedByStreams, onError: OnError) {
    this.#listener = listener;
    this.streams = streams;
    this.#onError = onError;
    // No times of its own: a request has a deadline, and its caller a gateway that watches it.
    this.#server = createServer({
      maxHeaderSize: MAX_HEADER_SIZE,
      requestTimeout: 0,
      headersTimeout: 0,
      keepAliveTimeout: 0,
    });
    this.#server.maxHeadersCount = 0;
    this.#server.on("request", (request, response) => this.#run(request, response));
  }

  begin(request: AppRequest, answer: Answer): void {
    const { remote, scheme } = request;
    const socket = this.#take(keyOf(remote, scheme === "https")) ?? this.#connect(remote, scheme === "https");
    socket.begin(request, answer);
  }

  close(): void {
    this.#isClosed = true;
    for (const sockets of [...this.#idle.values()]) for (const socket of [...sockets]) socket.destroy();
    for (const socket of this.#lingering) socket.destroy();
  }

  // AppSocketOwner

  free(socket: AppSocket): void {
    this.#lingering.delete(socket);
    if (this.#isClosed || this.#idleCount >= MAX_IDLE) {
      socket.destroy();
      return;
    }
    const key = keyOf(socket.remoteAddress, socket.encrypted);
    const sockets = this.#idle.get(key);
    if (sockets === undefined) this.#idle.set(key, [socket]);
    else sockets.push(socket);
    this.#idleCount++;
  }

  linger(socket: AppSocket): void {
    this.#lingering.add(socket);
    if (this.#isClosed) socket.destroy();
    else if (this.#lingering.size > MAX_LINGERING) this.#lingering.values().next().value?.destroy();
  }

  unsent(error: unknown): void {
    this.#onError(error, "the answer of the app");
  }

  closed(socket: AppSocket): void {
    this.#lingering.delete(socket);
    const key = keyOf(socket.remoteAddress, socket.encrypted);
    const sockets = this.#idle.get(key);
    const index = sockets?.indexOf(socket) ?? -1;
    if (sockets === undefined || index < 0) return;
    sockets.splice(index, 1);
    this.#left(key, sockets);
  }

  #take(key: string): AppSocket | undefined {
    const sockets = this.#idle.get(key);
    const socket = sockets?.pop();
    if (sockets !== undefined) this.#left(key, sockets);
    return socket;
  }

  /** One socket fewer is idle. */
  #left(key: string, sockets: readonly AppSocket[]): void {
    this.#idleCount--;
    if (sockets.length === 0) this.#idle.delete(key);
  }

  #connect(remote: string | undefined, encrypted: boolean): AppSocket {
    const socket = new AppSocket(remote, encrypted, this);
    this.#server.emit("connection", socket);
    return socket;
  }

  #run(request: IncomingMessage, response: ServerResponse): void {
    const socket: unknown = request.socket;
    if (socket instanceof AppSocket) {
      mount(request, socket.request);
      response.once("finish", onFinish);
    }
    try {
      const result = this.#listener(request, response);
      if (result instanceof Promise) result.catch((error: unknown) => this.#failed(socket, error));
    } catch (error) {
      this.#failed(socket, error);
    }
  }

  #failed(socket: unknown, error: unknown): void {
    this.#onError(error, "the app");
    if (socket instanceof AppSocket) socket.fail();
  }
}

/** One function for all responses. */
function onFinish(this: ServerResponse): void {
  const socket: unknown = this.req.socket;
  if (socket instanceof AppSocket) socket.ended();
}

function keyOf(remote: string | undefined, encrypted: boolean): string {
  return `${encrypted ? "https" : "http"} ${remote ?? ""}`;
}

/** Says where the app is mounted in the way that Express, Connect and Fastify know. */
function mount(request: IncomingMessage, about: AppRequest | undefined): void {
  if (about === undefined || about.base === "") return;
  Object.assign(request, { originalUrl: about.original, baseUrl: about.base });
}
