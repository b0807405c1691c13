import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { identityOf } from "../peer-certificate.ts";
import { remoteOf } from "../address.ts";
import { AccessRule, cluesOf } from "../origins.ts";
import { answerRefusal, refusalOf, refuse, refuseWith, type Refusal } from "../problem.ts";
import { SESSION_PATH } from "../session-protocol.ts";
import type { Connection } from "../transport.ts";
import { AcceptedConnection } from "./accepted-connection.ts";
import { CONTENT_TYPE, MAX_UPLOAD, RECEIVED, newId, readTarget, writePreamble, type Target } from "./wire.ts";

export interface Http1AcceptorOptions {
  /** Where connections are opened: begins with a slash and does not end with one. Default `/.lintel/session`. */
  readonly path?: string;
  /** Connections at a time; more are answered 503. Default 16,384. */
  readonly maxConnections?: number;
  /** Largest body of an upload; larger ones are answered 413. Bytes, default and at most 1 MiB. */
  readonly maxUpload?: number;
  /** Which web pages may connect, and to which host. Default: those of the same host. */
  readonly access?: AccessRule;
  /** Called whenever the last connection is over. */
  readonly onEmpty?: () => void;
}

type Accept = (connection: Connection) => void;

/** Takes connections from the requests of an HTTP/1 server, which may serve other things too. */
export class Http1Acceptor {
  readonly #path: string;
  readonly #maxConnections: number;
  readonly #maxUpload: number;
  readonly #access: AccessRule;
  readonly #onEmpty: () => void;
  readonly #connections = new Map<string, AcceptedConnection>();
  #isClosed = false;

  constructor(options: Http1AcceptorOptions = {}) {
    this.#access = options.access ?? new AccessRule();
    this.#onEmpty = options.onEmpty ?? ((): void => undefined);
    this.#path = options.path ?? SESSION_PATH;
    this.#maxConnections = options.maxConnections ?? 16_384;
    this.#maxUpload = Math.min(options.maxUpload ?? MAX_UPLOAD, MAX_UPLOAD);
  }

  /** Connections that are open. */
  get size(): number {
    return this.#connections.size;
  }

  /**
   * Answers a request. False: it is for another path and was not touched. `accept` is called when it has become a
   * connection, and must call `open` on it before it returns.
   */
  handle(request: IncomingMessage, response: ServerResponse, accept: Accept): boolean {
    const path = this.#path;
    const url = request.url ?? "";
    const opens = url === path;
    if (!opens && !url.startsWith(`${path}/`)) return false;
    if (response.socket === null) {
      request.socket.destroy(); // F-4: its answer would wait behind a download that has no end
      return true;
    }
    const { headers, socket } = request;
    const access = this.#access;
    const clues = cluesOf(headers, "encrypted" in socket);
    const foreign = access.objection(clues, access.addressOf(socket), () => remoteAt(socket));
    if (foreign !== undefined) {
      answerRefusal(response, refusalOf(foreign));
    } else if (opens) {
      this.#open(request, response, accept);
    } else {
      this.#continue(request, response, readTarget(url.slice(path.length)));
    }
    return true;
  }

  /** Refuses new connections. Those that are open stay. */
  close(): void {
    this.#isClosed = true;
  }

  #open(request: IncomingMessage, response: ServerResponse, accept: Accept): void {
    const refusal = this.#objection(request);
    if (refusal !== undefined) return answerRefusal(response, refusal);
    const id = newId();
    const connection = new AcceptedConnection(response, remoteAt(request.socket), identityOf(request), () => {
      if (this.#connections.delete(id) && this.#connections.size === 0) this.#onEmpty();
    });
    this.#connections.set(id, connection);
    request.resume();
    response.writeHead(200, {
      "content-type": CONTENT_TYPE,
      "cache-control": "no-store, no-transform",
      "x-accel-buffering": "no",
      "x-content-type-options": "nosniff",
    });
    // Not before the preamble is out: an `abort` in this turn would overtake it and look like a refusal.
    response.write(writePreamble(id), () => accept(connection));
  }

  #objection({ method, headers }: IncomingMessage): Refusal | undefined {
    if (method !== "POST")
      return refuse("METHOD_NOT_ALLOWED", "a connection is opened with POST", { headers: { allow: "POST" } });
    if (headers["content-type"] !== CONTENT_TYPE) {
      return refuse("BAD_REQUEST", `a connection over HTTP/1 is ${CONTENT_TYPE}`, { status: 415 });
    }
    if (headers["transfer-encoding"] !== undefined || (headers["content-length"] ?? "0") !== "0") {
      return refuse("BAD_REQUEST", "the request that opens a connection has no body");
    }
    if (this.#isClosed) return refuse("DRAINING", "this listener is shutting down");
    if (this.size >= this.#maxConnections) {
      return refuse("TOO_MANY", `this listener is at its limit of ${this.#maxConnections} connections`, {
        status: 503,
      });
    }
    return undefined;
  }

  /** A request that belongs to a connection that is open, or claims to. */
  #continue(request: IncomingMessage, response: ServerResponse, target: Target | undefined): void {
    const connection = target === undefined ? undefined : this.#connections.get(target.id);
    if (target === undefined || connection === undefined) {
      return answerRefusal(response, refuseWith("not_found", "there is no such connection"));
    }
    const method = target.offset === undefined ? "DELETE" : "POST";
    if (request.method !== method) {
      const detail = "use DELETE to end a connection, and POST for uploads";
      answerRefusal(response, refuse("METHOD_NOT_ALLOWED", detail, { headers: { allow: method } }));
    } else if (target.offset === undefined) {
      request.resume();
      connection.close();
      this.#taken(response, connection);
    } else {
      this.#upload(request, response, connection, target.offset);
    }
  }

  #upload(request: IncomingMessage, response: ServerResponse, to: AcceptedConnection, offset: number): void {
    const tooLarge = (): void => {
      const headers = { [RECEIVED]: String(to.received) };
      const detail = `an upload may have at most ${this.#maxUpload} bytes`;
      answerRefusal(response, refuse("TOO_LARGE", detail, { headers }));
    };
    if (offset !== to.received) {
      // F-22
      const headers = { [RECEIVED]: String(to.received) };
      const detail = "the upload does not begin where the last one ended";
      answerRefusal(response, refuseWith("aborted", detail, { headers }));
    } else if (Number(request.headers["content-length"] ?? 0) > this.#maxUpload) {
      tooLarge();
    } else {
      to.take(request, this.#maxUpload, (outcome) => {
        if (outcome === "taken") this.#taken(response, to);
        else tooLarge();
      });
    }
  }

  #taken(response: ServerResponse, { received }: AcceptedConnection): void {
    response.writeHead(204, { [RECEIVED]: String(received), "cache-control": "no-store" });
    response.end();
  }
}

function remoteAt(socket: Socket): string {
  return remoteOf((socket as TLSSocket).encrypted ? "http1s" : "http1", socket);
}
