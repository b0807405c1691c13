/** What the HTTP gateway can be told, and what it does when it is not told. */
import { systemClock, type Clock } from "../../runtime/clock.ts";
import { LintelError } from "../../message/failure.ts";
import { DEFAULT_LIMITS, MAX_HEADERS, MAX_TIMEOUT } from "../../message/limits.ts";
import { AccessRule } from "../../transport/origins.ts";
import type { TlsOptions } from "../../transport/transport.ts";
import type { RouteOptions } from "./route-options.ts";

/** One finished request, for a log. `path` has no query: what is in a query may be secret. */
export interface RequestRecord {
  /** Empty when the bytes that came were no HTTP request. */
  readonly method: string;
  readonly path: string;
  /** Undefined when the request was refused before it had one. */
  readonly subject: string | undefined;
  /** Status sent; 499 when the caller left before there was an answer. */
  readonly status: number;
  /** Reason of the failure; undefined when the request was answered. */
  readonly reason: string | undefined;
  /** From the request's headers to the answer. */
  readonly ms: number;
}

/** Bounds on answers that are kept for `Prefer: respond-async`. */
export interface AsyncAnswersOptions {
  /** Answers pending or kept. Past it: 503 `IN_FLIGHT_FULL`. Default 4,096. */
  readonly max?: number;
  /** How long an answer nobody fetches is kept. Default 60,000. */
  readonly keepMs?: number;
  /** Bytes of all kept answers. Past it the oldest are dropped, those of the same caller first. Default 64 MiB. */
  readonly maxBytes?: number;
}

export interface HttpOptions {
  /** Address to listen on. Default 127.0.0.1. */
  readonly host?: string;
  /** Default 8500; 0 takes a free one. */
  readonly port?: number;
  readonly routes?: readonly RouteOptions[];
  /** Paths without a route become subjects: `/orders/create` is `orders.create`. Default true. */
  readonly defaultMapping?: boolean;
  /** Largest request body. Default 1 MiB. */
  readonly bodyLimit?: number;
  /** Largest header block of a request, request target included. Default 32 KiB. */
  readonly headerLimit?: number;
  /** Longest request target. Default 8 KiB. */
  readonly urlLimit?: number;
  /** Timeout of requests whose route names none. Default 30,000. */
  readonly timeoutMs?: number;
  /** A request's headers have to arrive within this. Default 10,000. */
  readonly headersTimeoutMs?: number;
  /** A whole request has to arrive within this. Default 30,000. */
  readonly requestTimeoutMs?: number;
  /** An idle connection is kept this long. Default 65,000, longer than the idle time of usual load balancers. */
  readonly keepAliveMs?: number;
  /** A caller that reads nothing of its answer for this long is disconnected. Default 30,000. */
  readonly stallMs?: number;
  /** Requests of one connection that are under way at a time; a pipelining caller's others wait unread. Default 64. */
  readonly maxPipelined?: number;
  /** Connections past it, or past one caller's share of it, are closed unheard. Default 65,536. */
  readonly maxConnections?: number;
  readonly asyncAnswers?: AsyncAnswersOptions;
  /** What one caller, an address, may have of the bounds that are for all, in percent. Default: that of the hub, 25. */
  readonly callerShare?: number;
  /** Certificates: the port then speaks HTTPS. `false` for none where the hub has some. Default: those of the hub. */
  readonly tls?: TlsOptions | false;
  /** An event stream that is quiet gets a comment this often, so that nobody on the way takes it for dead. Default 15,000. */
  readonly sseKeepAliveMs?: number;
  /** A streamed answer is aborted when its worker sends nothing for this long. Default 0: never. */
  readonly streamIdleMs?: number;
  /** Streamed answers have this long to end by themselves when the gateway drains. Default 5,000. */
  readonly streamGraceMs?: number;
  /** Native sessions on the same port, at `/.lintel/session`: WebSocket and the HTTP/1 fallback. Default true. */
  readonly sessions?: boolean;
  /**
   * Origins of web pages that may send requests and open sessions besides the port's own, such as `https://app.example.com`;
   * `"*"` for all. Default: none. Programs that are no browsers send no origin and are not asked for one.
   */
  readonly origins?: readonly string[];
  /**
   * Names, without a port, by which the port may be asked besides loopback names, such as that of a proxy in front; `"*"` for
   * all. Default: on loopback none, elsewhere all.
   */
  readonly hosts?: readonly string[];
  /** Called once for every request that has ended. */
  readonly onRequest?: (record: RequestRecord) => void;
  /** Called for errors nobody else hears of: a defect in the gateway, or the listening socket's. */
  readonly onFault?: (error: unknown) => void;
  readonly clock?: Clock;
}

/** The options with every default filled in. */
export interface HttpSettings {
  readonly host: string;
  readonly port: number;
  readonly routes: readonly RouteOptions[];
  readonly defaultMapping: boolean;
  readonly bodyLimit: number;
  readonly headerLimit: number;
  readonly urlLimit: number;
  readonly timeoutMs: number;
  readonly headersTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly keepAliveMs: number;
  readonly stallMs: number;
  readonly maxPipelined: number;
  readonly maxConnections: number;
  readonly asyncAnswers: { readonly max: number; readonly keepMs: number; readonly maxBytes: number };
  readonly callerShare: number;
  readonly sseKeepAliveMs: number;
  readonly streamIdleMs: number;
  readonly streamGraceMs: number;
  readonly access: AccessRule;
  readonly onRequest: ((record: RequestRecord) => void) | undefined;
  readonly onFault: ((error: unknown) => void) | undefined;
  readonly clock: Clock;
}

const KIB = 1_024;

/**
 * Fills in defaults. Throws `invalid_argument` for a number out of range, naming the option, and a TypeError for origins and
 * hosts that are none.
 */
export function settingsOf(options: HttpOptions): HttpSettings {
  const kept = options.asyncAnswers ?? {};
  return {
    host: options.host ?? "127.0.0.1",
    port: whole("port", options.port ?? 8_500, 0, 65_535),
    routes: options.routes ?? [],
    defaultMapping: options.defaultMapping ?? true,
    bodyLimit: whole("bodyLimit", options.bodyLimit ?? DEFAULT_LIMITS.payload, 0, 2 ** 31 - 1),
    headerLimit: whole("headerLimit", options.headerLimit ?? DEFAULT_LIMITS.headers, 256, MAX_HEADERS),
    urlLimit: whole("urlLimit", options.urlLimit ?? 8 * KIB, 1, MAX_HEADERS),
    timeoutMs: whole("timeoutMs", options.timeoutMs ?? DEFAULT_LIMITS.timeout, 1, MAX_TIMEOUT),
    headersTimeoutMs: whole("headersTimeoutMs", options.headersTimeoutMs ?? 10_000, 1, MAX_TIMEOUT),
    requestTimeoutMs: whole("requestTimeoutMs", options.requestTimeoutMs ?? 30_000, 1, MAX_TIMEOUT),
    keepAliveMs: whole("keepAliveMs", options.keepAliveMs ?? 65_000, 1, MAX_TIMEOUT),
    stallMs: whole("stallMs", options.stallMs ?? 30_000, 1, MAX_TIMEOUT),
    maxPipelined: whole("maxPipelined", options.maxPipelined ?? 64, 1, 65_536),
    maxConnections: whole(
      "maxConnections",
      options.maxConnections ?? DEFAULT_LIMITS.sessions,
      1,
      2 ** 31 - 1,
    ),
    asyncAnswers: {
      max: whole("asyncAnswers.max", kept.max ?? 4_096, 0, 2 ** 24),
      keepMs: whole("asyncAnswers.keepMs", kept.keepMs ?? 60_000, 1, MAX_TIMEOUT),
      maxBytes: whole("asyncAnswers.maxBytes", kept.maxBytes ?? 64 * KIB * KIB, 0, Number.MAX_SAFE_INTEGER),
    },
    callerShare: whole("callerShare", options.callerShare ?? DEFAULT_LIMITS.callerShare, 1, 2 ** 31 - 1),
    sseKeepAliveMs: whole("sseKeepAliveMs", options.sseKeepAliveMs ?? 15_000, 1, MAX_TIMEOUT),
    streamIdleMs: whole("streamIdleMs", options.streamIdleMs ?? 0, 0, MAX_TIMEOUT),
    streamGraceMs: whole("streamGraceMs", options.streamGraceMs ?? 5_000, 0, MAX_TIMEOUT),
    access: new AccessRule({ origins: options.origins, hosts: options.hosts, hasPages: true }),
    onRequest: options.onRequest,
    onFault: options.onFault,
    clock: options.clock ?? systemClock,
  };
}

function whole(name: string, value: number, least: number, most: number): number {
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  const text = `http option ${name} is ${String(value)}; it must be a whole number from ${least} to ${most}`;
  throw new LintelError("invalid_argument", text);
}
