import type { Socket } from "node:net";
import { urlText } from "../message/url-text.ts";
import { SESSION_PATH } from "./session-protocol.ts";

/** What the URL of a stream socket says. */
export interface Address {
  /** IPv6 addresses without their brackets. */
  readonly host: string;
  readonly port: number;
}

/** What the URL of a session over HTTP says. */
export interface WebAddress extends Address {
  /** Begins with a slash and does not end with one; that of sessions where the URL has none. */
  readonly path: string;
}

const PATH = /^(\/[A-Za-z0-9._~-]+)*\/?$/;

/** Reads `SCHEME://HOST:PORT`. Throws a TypeError that gives this form. */
export function parseAddress(url: string, scheme: string): Address {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (
    parsed === undefined ||
    parsed.protocol !== `${scheme}:` ||
    parsed.hostname === "" ||
    parsed.port === "" ||
    hasSecret(parsed)
  ) {
    throw new TypeError(`"${urlText(url)}" is not of the form ${scheme}://HOST:PORT`);
  }
  return { host: bareHost(parsed), port: Number(parsed.port) };
}

/**
 * Reads `SCHEME://HOST:PORT[/PATH]`. Throws a TypeError that gives this form. Paths are plain: what needs escapes, or has a
 * query, is refused.
 */
export function parseWebAddress(url: string, scheme: string): WebAddress {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (
    parsed === undefined ||
    parsed.protocol !== `${scheme}:` ||
    parsed.hostname === "" ||
    parsed.port === "" ||
    hasSecret(parsed) ||
    !PATH.test(parsed.pathname)
  ) {
    throw new TypeError(`"${urlText(url)}" is not of the form ${scheme}://HOST:PORT/PATH`);
  }
  const path = parsed.pathname.replace(/\/$/, "") || SESSION_PATH;
  return { host: bareHost(parsed), port: Number(parsed.port), path };
}

/** True for a URL with what may be secret: URLs end up in logs. */
export function hasSecret({ username, password, search, hash }: URL): boolean {
  return `${username}${password}${search}${hash}` !== "";
}

/** The host of a URL, an IPv6 address without its brackets. */
export function bareHost(url: URL): string {
  return url.hostname.replace(/^\[(.*)\]$/, "$1");
}

/** `HOST:PORT` as it is written in a URL. */
export function formatAddress(host: string, port: number): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/** The other end of a socket, for logs. */
export function remoteOf(
  scheme: string,
  socket: Pick<Socket, "remoteAddress" | "remotePort"> | undefined,
): string {
  return `${scheme}://${formatAddress(socket?.remoteAddress ?? "", socket?.remotePort ?? 0)}`;
}

/**
 * Refuses options that mean nothing to the transport of this URL: who gives certificates to a transport that does not
 * use them must not believe that they protect anything.
 */
export function refuseOptions<T extends object>(
  url: string,
  options: T,
  ...names: (keyof T & string)[]
): void {
  for (const name of names) {
    if (options[name] !== undefined)
      throw new TypeError(`${urlText(url)} does not support the option "${name}"`);
  }
}
