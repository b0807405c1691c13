import {
  constants,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import type { TLSSocket } from "node:tls";
import { identityOf } from "../peer-certificate.ts";
import { remoteOf } from "../address.ts";
import { AccessRule, ANYWHERE, cluesOf, type ListenerAddress } from "../origins.ts";
import { refusalOf, refuse, type Refusal } from "../problem.ts";
import { SESSION_PATH } from "../session-protocol.ts";
import type { Connection } from "../transport.ts";
import { BypassTable } from "./accepted-bypasses.ts";
import { BYPASS_TYPE } from "./bypass.ts";
import { StreamConnection } from "./stream-connection.ts";

/** G-2: what both ends call the bytes of a session in a stream. */
export const CONTENT_TYPE = "application/lintel.v1";

/** G-4: what comes before the first byte of the session, on the way down. */
export const PREAMBLE = "lintel.v1\n";

/** A refused stream that does not take its answer is reset after this long. */
const LINGER_MS = 5_000;

export interface Http2AcceptorOptions {
  /** Where sessions are opened: begins with a slash and does not end with one. Default `/.lintel/session`. */
  readonly path?: string;
  /** Connections at a time; more are answered 503. Default 16,384. */
  readonly maxConnections?: number;
  /** Which web pages may connect, and to which host. Default: those of the same host. */
  readonly access?: AccessRule;
  /** Where the server listens. Default: anywhere. */
  readonly at?: () => ListenerAddress;
}

type Accept = (connection: Connection) => void;

/** Takes connections from the streams of an HTTP/2 server, which may serve other things too. */
export class Http2Acceptor {
  readonly #path: string;
  readonly #maxConnections: number;
  readonly #access: AccessRule;
  readonly #at: () => ListenerAddress;
  readonly #streams = new Set<ServerHttp2Stream>();
  readonly #bypasses = new BypassTable();
  #isClosed = false;

  constructor(options: Http2AcceptorOptions = {}) {
    const { path = SESSION_PATH, maxConnections = 16_384, access, at } = options;
    this.#path = path;
    this.#maxConnections = maxConnections;
    this.#access = access ?? new AccessRule();
    this.#at = at ?? ((): ListenerAddress => ANYWHERE);
  }

  /** Connections that are open. */
  get size(): number {
    return this.#streams.size;
  }

  /**
   * Answers a stream that begins. False: it is for another path and was not touched. `accept` is called when it has
   * become a connection, and must call `open` on it before it returns.
   */
  handle(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, accept: Accept): boolean {
    if (headers[":path"] !== this.#path) return false;
    stream.on("error", () => undefined); // 'close' follows
    if (stream.destroyed || stream.closed) return true;
    const isSecure = (stream.session?.socket as TLSSocket | undefined)?.encrypted === true;
    const foreign = this.#access.objection(cluesOf(headers, isSecure), this.#at(), () => remoteAt(stream));
    if (foreign !== undefined) {
      answerRefusal(stream, refusalOf(foreign));
      return true;
    }
    if (headers["content-type"] === BYPASS_TYPE) {
      const refusal = this.#bypasses.take(stream, headers);
      if (refusal !== undefined) answerRefusal(stream, refusal);
      return true;
    }
    const refusal = this.#objection(headers);
    if (refusal !== undefined) {
      answerRefusal(stream, refusal);
      return true;
    }
    stream.respond({
      ":status": 200,
      "content-type": CONTENT_TYPE,
      "cache-control": "no-store, no-transform",
      "x-accel-buffering": "no",
    });
    stream.write(PREAMBLE);
    const connection = this.#connection(stream, headers);
    // A reset in this turn would overtake the answer, and the dialer would take it for a refusal.
    setImmediate(() => {
      if (!stream.destroyed) accept(connection);
    });
    return true;
  }

  #connection(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): Connection {
    const { session } = stream;
    const socket = session?.socket as TLSSocket | undefined;
    const begun = session === undefined ? undefined : this.#bypasses.begin(session as ServerHttp2Session);
    this.#streams.add(stream);
    const onOver = (): void => {
      this.#streams.delete(stream);
      begun?.close();
    };
    return new StreamConnection(
      stream,
      remoteAt(stream),
      begun?.bypasses,
      onOver,
      identityOf({ headers, socket }),
    );
  }

  /** Refuses new connections. Those that are open stay. */
  close(): void {
    this.#isClosed = true;
  }

  #objection(headers: IncomingHttpHeaders): Refusal | undefined {
    const { ":method": method, "content-type": type } = headers;
    if (method !== "POST") {
      return refuse("METHOD_NOT_ALLOWED", "a session is opened with POST", { headers: { allow: "POST" } });
    }
    if (type !== CONTENT_TYPE)
      return refuse("BAD_REQUEST", `a session over HTTP/2 is ${CONTENT_TYPE}`, { status: 415 });
    if (this.#isClosed) return refuse("DRAINING", "this listener is shutting down");
    if (this.size >= this.#maxConnections) {
      return refuse("TOO_MANY", `this listener is at its limit of ${this.#maxConnections} connections`, {
        status: 503,
      });
    }
    return undefined;
  }
}

function remoteAt({ session }: ServerHttp2Stream): string {
  const socket = session?.socket as TLSSocket | undefined;
  return remoteOf(socket?.encrypted === true ? "h2" : "h2c", socket);
}

/** Answers a stream that becomes no connection, and takes nothing more of it. */
export function answerRefusal(stream: ServerHttp2Stream, { status, headers, body }: Refusal): void {
  stream.on("error", () => undefined); // the answer is a courtesy
  if (stream.destroyed || stream.closed) return;
  stream.respond({ ":status": status, ...headers });
  stream.setTimeout(LINGER_MS, () => stream.close(constants.NGHTTP2_CANCEL));
  stream.end(body, () => stream.close(constants.NGHTTP2_NO_ERROR));
}
