/** What the text gateway can be told, and what it does when it is not told. */
import { LintelError } from "../../message/failure.ts";
import type { Limits } from "../../message/limits.ts";
import { millisecondsOf, wholeNumber } from "../../message/options.ts";
import type { Duration } from "../../message/quantity.ts";
import { formatAddress } from "../../transport/address.ts";
import { HOST_PORT_FORM, parseHostPort } from "../../transport/host-port.ts";
import { checkAccess } from "../../transport/origins.ts";
import type { TlsOptions } from "../../transport/transport.ts";

/** What a connection is sent when its key is good: `MM OK` and its GUID, or `MM OK` alone. */
export const GREETINGS = ["two", "short"] as const;
export type Greeting = (typeof GREETINGS)[number];

export const DEFAULT_PATH = "/text";

/** Where to listen: `HOST:PORT`, a port alone (then on 127.0.0.1), or `ws://HOST:PORT` and `wss://HOST:PORT`. */
export type TextAddress = string | number;

/** What files, variables and flags can say too. */
export interface TextFileOptions {
  /** Ports of its own, with any path. With certificates they speak TLS, unless a URL says `ws:`. Default: none. */
  readonly listen?: TextAddress | readonly TextAddress[];
  /** Its path on the HTTP port; false: it is not there. Default `/text`. */
  readonly path?: string | false;
  /** Default `two`. A client may ask for another one with `?greeting=short` in its URL. */
  readonly greeting?: Greeting;
  /** Timeout of requests that set none: milliseconds, or text such as "5s". Default: that of the hub's limits. */
  readonly timeout?: Duration;
  /** Connections at a time; further ones, and those past the share of one caller, are closed. Default: the hub's `sessions`. */
  readonly maxConnections?: number;
  /** Certificates of its own ports; false for none where the hub has some. Default: those of the hub. */
  readonly tls?: false | TlsOptions;
  /** Origins of web pages that may connect to its own ports. Default: pages of the same host and port. */
  readonly origins?: readonly string[];
  /** Names by which its own ports may be asked besides loopback names. */
  readonly hosts?: readonly string[];
}

export type TextOptions = TextFileOptions;

/** What `createHub` takes: true for the HTTP port alone, an address, or options. */
export type TextGiven = true | TextAddress | TextOptions;

/** Every option with its value. */
export interface TextSettings {
  /** `ws://HOST:PORT` or `wss://HOST:PORT`. */
  readonly urls: readonly string[];
  readonly path: string | undefined;
  readonly greeting: Greeting;
  readonly timeoutMs: number;
  readonly maxConnections: number;
  readonly tls: TlsOptions | undefined;
  readonly origins: readonly string[] | undefined;
  readonly hosts: readonly string[] | undefined;
}

/** What `listen` takes, for messages. */
export const LISTEN_FORM: string = `${HOST_PORT_FORM}, or a URL such as "wss://0.0.0.0:8765"`;

/** The settings that hold; `hubTls` are the certificates of the hub. Throws `invalid_argument` for what is none. */
export function textSettings(
  options: TextOptions,
  limits: Pick<Limits, "timeout" | "sessions">,
  hubTls: TlsOptions | undefined,
): TextSettings {
  const { path = DEFAULT_PATH, greeting = "two", listen = [], origins, hosts } = options;
  const tls = options.tls === false ? undefined : (options.tls ?? hubTls);
  if (path !== false) checkPath(path);
  if (!GREETINGS.includes(greeting)) throw wrong("greeting", greeting, `one of ${GREETINGS.join(", ")}`);
  try {
    checkAccess({ origins, hosts });
  } catch (error) {
    throw new LintelError("invalid_argument", `text option: ${(error as Error).message}`);
  }
  const addresses = Array.isArray(listen) ? (listen as readonly TextAddress[]) : [listen as TextAddress];
  return {
    urls: addresses.map((address) => urlOf(address, tls !== undefined)),
    path: path === false ? undefined : path,
    greeting,
    timeoutMs: millisecondsOf("text option timeout", options.timeout ?? limits.timeout),
    maxConnections: wholeNumber(
      "text option maxConnections",
      options.maxConnections ?? limits.sessions,
      1,
      2 ** 31 - 1,
    ),
    tls,
    origins,
    hosts,
  };
}

const PATH = /^(?:\/[A-Za-z0-9._~!$&'()*+,;=:@-]+)+$/;

/** Throws `invalid_argument` for what is no path. */
export function checkPath(path: string): void {
  if (!PATH.test(path)) throw wrong("path", path, "a path such as /text, or false");
}

/** Throws `invalid_argument` for an address that is none. */
export function checkAddress(address: TextAddress): void {
  urlOf(address, false);
}

function urlOf(address: TextAddress, isTls: boolean): string {
  const [, scheme, rest = ""] = /^(?:(wss?):\/\/)?(.*?)\/?$/s.exec(String(address)) ?? [];
  const parsed = parseHostPort(rest);
  if (parsed === undefined) throw wrong("listen", address, LISTEN_FORM);
  return `${scheme ?? (isTls ? "wss" : "ws")}://${formatAddress(parsed.host, parsed.port)}`;
}

function wrong(name: string, value: unknown, form: string): LintelError {
  return new LintelError(
    "invalid_argument",
    `text option ${name} is ${JSON.stringify(value)}, it must be ${form}`,
  );
}
