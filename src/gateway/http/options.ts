/** What the HTTP gateway can be told, and what it does when it is not told. */
import { pageRefusals } from "../../access/audited-decisions.ts";
import { systemClock, type Clock } from "../../runtime/clock.ts";
import { LintelError } from "../../message/failure.ts";
import { DEFAULT_LIMITS, MAX_HEADERS } from "../../message/limits.ts";
import { bytesOf, shown, wholeNumber, timeOption, type OldNames } from "../../message/options.ts";
import type { Duration, Size } from "../../message/quantity.ts";
import { HOST_PORT_FORM, parseHostPort, type HostPort } from "../../transport/host-port.ts";
import { combineObservers } from "../../observe/combine.ts";
import type { Observer, RequestRecord } from "../../observe/observer.ts";
import { AccessRule } from "../../transport/origins.ts";
import type { TlsOptions } from "../../transport/transport.ts";
import type { RouteOptions } from "./route-options.ts";

/** Bounds on answers that are kept for `Prefer: respond-async`. */
export interface AsyncAnswersFileOptions {
  /** Answers pending or kept. Past it: 503 `IN_FLIGHT_FULL`. Default 4,096. */
  readonly max?: number;
  /** How long an answer is kept to be fetched. Default 60 s. */
  readonly keep?: Duration;
  /** Size of all kept answers. Past it the oldest are dropped, those of the same caller first. Default 64 MiB. */
  readonly maxBytes?: Size;
}

export interface AsyncAnswersOptions extends AsyncAnswersFileOptions, OldNames<"keep"> {}

/** What files, variables and flags can say too. Times are milliseconds or text such as "5s", sizes bytes or text such as "1MiB". */
export interface HttpFileOptions {
  /** Address to listen on: `HOST:PORT`, or a port alone (then on 127.0.0.1). Port 0 takes a free one. Default 127.0.0.1:8500. */
  readonly listen?: string | number;
  readonly routes?: readonly RouteOptions[];
  /** Paths without a route become subjects: `/orders/create` is `orders.create`. Default true. */
  readonly defaultMapping?: boolean;
  /** Largest request body. Default 1 MiB. */
  readonly bodyLimit?: Size;
  /** Largest header block of a request, request target included. Default 32 KiB. */
  readonly headerLimit?: Size;
  /** Longest request target. Default 8 KiB. */
  readonly urlLimit?: Size;
  /** Timeout of requests whose route names none. Default 30 s. */
  readonly timeout?: Duration;
  /** A request's headers have to arrive within this. Default 10 s. */
  readonly headersTimeout?: Duration;
  /** A whole request has to arrive within this. Default 30 s. */
  readonly requestTimeout?: Duration;
  /** An idle connection is kept this long. Default 65 s, longer than the idle time of usual load balancers. */
  readonly keepAlive?: Duration;
  /** A caller that reads nothing of its answer for this long is disconnected. Default 30 s. */
  readonly stall?: Duration;
  /** Requests of one connection that are under way at a time; a pipelining caller's others wait unread. Default 64. */
  readonly maxPipelined?: number;
  /** Connections past it, or past one caller's share of it, are closed unheard. Default 65,536. */
  readonly maxConnections?: number;
  readonly asyncAnswers?: AsyncAnswersFileOptions;
  /** What one caller, an address, may have of the bounds that are for all, in percent. Default: that of the hub, 25. */
  readonly callerShare?: number;
  /** Certificates: the port then speaks HTTPS. `false` for none where the hub has some. Default: those of the hub. */
  readonly tls?: TlsOptions | false;
  /** An event stream that is quiet gets a comment this often, so that no proxy takes it for dead. Default 15 s. */
  readonly sseKeepAlive?: Duration;
  /** A streamed answer is aborted when its worker sends nothing for this long. Default 0: never. */
  readonly streamIdle?: Duration;
  /** Streamed answers have this long to end by themselves when the gateway drains. Default 5 s. */
  readonly streamGrace?: Duration;
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
}

type Renamed =
  | "timeout"
  | "headersTimeout"
  | "requestTimeout"
  | "keepAlive"
  | "stall"
  | "sseKeepAlive"
  | "streamIdle"
  | "streamGrace";

export interface HttpOptions extends HttpFileOptions, OldNames<Renamed> {
  readonly asyncAnswers?: AsyncAnswersOptions;
  /** @deprecated Use `listen`. */
  readonly host?: string;
  /** @deprecated Use `listen`. */
  readonly port?: number;
  /** Called once for every request that has ended. */
  readonly onRequest?: (record: RequestRecord) => void;
  /** Called with errors that reach nobody else: a defect in the gateway, or an error of the listening socket. */
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
  /** Hears of requests; the option `onRequest` is one of those that it tells. */
  readonly observer: Observer | undefined;
  readonly onFault: ((error: unknown) => void) | undefined;
  readonly clock: Clock;
}

const KIB = 1_024;

/** What a buffer holds for sure. */
export const MAX_BODY: number = 2 ** 31 - 1;

/**
 * Fills in defaults. `isPlain` is as of `AccessRule`. Throws `invalid_argument` for a number out of range, naming the option, and a TypeError for origins and
 * hosts that are none.
 */
export function settingsOf(options: HttpOptions, observer?: Observer, isPlain = false): HttpSettings {
  const kept = options.asyncAnswers ?? {};
  const time = (name: Renamed, otherwise: number, least?: number): number =>
    timeOption("http option ", options, name, otherwise, least);
  return {
    ...addressOf(options),
    routes: options.routes ?? [],
    defaultMapping: options.defaultMapping ?? true,
    bodyLimit: size("bodyLimit", options.bodyLimit ?? DEFAULT_LIMITS.payload, 0, MAX_BODY),
    headerLimit: size("headerLimit", options.headerLimit ?? DEFAULT_LIMITS.headers, 256, MAX_HEADERS),
    urlLimit: size("urlLimit", options.urlLimit ?? 8 * KIB, 1, MAX_HEADERS),
    timeoutMs: time("timeout", DEFAULT_LIMITS.timeout),
    headersTimeoutMs: time("headersTimeout", 10_000),
    requestTimeoutMs: time("requestTimeout", 30_000),
    keepAliveMs: time("keepAlive", 65_000),
    stallMs: time("stall", 30_000),
    maxPipelined: whole("maxPipelined", options.maxPipelined ?? 64, 65_536),
    maxConnections: whole("maxConnections", options.maxConnections ?? DEFAULT_LIMITS.sessions),
    asyncAnswers: {
      max: whole("asyncAnswers.max", kept.max ?? 4_096, 2 ** 24, 0),
      keepMs: timeOption("http option asyncAnswers.", kept, "keep", 60_000),
      maxBytes: size("asyncAnswers.maxBytes", kept.maxBytes ?? 64 * KIB * KIB, 0, Number.MAX_SAFE_INTEGER),
    },
    callerShare: whole("callerShare", options.callerShare ?? DEFAULT_LIMITS.callerShare),
    sseKeepAliveMs: time("sseKeepAlive", 15_000),
    streamIdleMs: time("streamIdle", 0, 0),
    streamGraceMs: time("streamGrace", 5_000, 0),
    access: accessRuleOf(options, observer, isPlain),
    observer: observerOf(options, observer),
    onFault: options.onFault,
    clock: options.clock ?? systemClock,
  };
}

/** Throws `invalid_argument` for an address that is none. */
export function addressOf({ listen, host, port }: HttpOptions): HostPort {
  if (listen !== undefined) {
    const address = parseHostPort(listen);
    if (address !== undefined) return address;
    throw new LintelError(
      "invalid_argument",
      `http option listen is ${shown(listen)}, it must be ${HOST_PORT_FORM}`,
    );
  }
  return { host: host ?? "127.0.0.1", port: whole("port", port ?? 8_500, 65_535, 0) };
}

/** Which pages and names are let in. `isPlain`: at a port of the hub's own, without TLS. */
export function accessRuleOf(
  { origins, hosts }: HttpOptions,
  observer: Observer | undefined,
  isPlain: boolean,
): AccessRule {
  const onRefused = pageRefusals(observer, "http");
  return new AccessRule({ origins, hosts, hasPages: true, isPlain, onRefused });
}

const whole = (name: string, value: number, most = 2 ** 31 - 1, least = 1): number =>
  wholeNumber(`http option ${name}`, value, least, most);

const size = (name: string, value: Size, least: number, most: number): number =>
  bytesOf(`http option ${name}`, value, least, most);

/** Hears of all that happens, and `onRequest` with it, whose errors go to `onFault`. */
function observerOf(
  { onRequest, onFault }: HttpOptions,
  observer: Observer | undefined,
): Observer | undefined {
  if (onRequest === undefined) return observer;
  return combineObservers([observer, { httpRequest: onRequest }], (error) => onFault?.(error));
}
