import type { AddressInfo, Socket } from "node:net";
import { SESSION_PATH } from "./session-protocol.ts";

/** The parts of `SCHEME://HOST:PORT/PATH`. */
export interface WebUrl {
  /** IPv6 addresses without their brackets. */
  readonly host: string;
  readonly port: number;
  /** Begins with a slash and does not end with one; that of sessions where the URL has none. */
  readonly path: string;
}

const PATH = /^(\/[A-Za-z0-9._~-]+)*\/?$/;

/** Throws a TypeError that says what the form is. Paths are plain: what needs escapes, or has a query, is refused. */
export function parseWebUrl(url: string, scheme: string): WebUrl {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (
    parsed === undefined ||
    parsed.protocol !== `${scheme}:` ||
    parsed.hostname === "" ||
    parsed.port === "" ||
    `${parsed.username}${parsed.password}${parsed.search}${parsed.hash}` !== "" ||
    !PATH.test(parsed.pathname)
  ) {
    throw new TypeError(`"${url}" is not of the form ${scheme}://HOST:PORT/PATH`);
  }
  return {
    host: parsed.hostname.replace(/^\[(.*)\]$/, "$1"),
    port: Number(parsed.port),
    path: parsed.pathname.replace(/\/$/, "") || SESSION_PATH,
  };
}

/** The URL to dial a server that listens. */
export function formatWebUrl(scheme: string, { address, port }: AddressInfo, path: string): string {
  return `${scheme}://${bracketed(address)}:${port}${path}`;
}

/** Who is at the other end of a socket, for logs. */
export function remoteOf(
  scheme: string,
  socket: Pick<Socket, "remoteAddress" | "remotePort"> | undefined,
): string {
  return `${scheme}://${bracketed(socket?.remoteAddress ?? "")}:${socket?.remotePort ?? ""}`;
}

/** A host as it stands in a URL. */
export function bracketed(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}
