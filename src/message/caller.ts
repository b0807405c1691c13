/**
 * Who counts as one caller where callers share a bound. As long as callers do not identify themselves, that is an address: the
 * one place where it is decided.
 */

/** The caller inside the hub's own process. */
export const OWN_CALLER = "";

const MAPPED = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;
const GROUPS = 8;
/** Groups of an IPv6 address that one network has; the others it gives away as it likes. */
const NETWORK_GROUPS = 4;

/** The caller at a remote address. Addresses of one IPv6 network, a /64, are one caller. */
export function callerAt(address: string | undefined): string {
  if (address === undefined) return "unknown";
  const [bare = ""] = address.split("%", 1); // without a zone
  if (!bare.includes(":")) return bare;
  const mapped = MAPPED.exec(bare)?.[1];
  if (mapped !== undefined) return mapped;
  const [front = "", back] = bare.toLowerCase().split("::", 2);
  const groups = front === "" ? [] : front.split(":");
  const last = back === undefined || back === "" ? [] : back.split(":");
  while (groups.length + last.length < GROUPS) groups.push("0");
  return `${[...groups, ...last].slice(0, NETWORK_GROUPS).join(":")}::/64`;
}

/**
 * The caller at the other end of a session, whose URL is `remote`. All programs of this machine have the same address, or
 * none: there each session is a caller of its own, by its number.
 */
export function callerOfSession(remote: string, number: number): string {
  const host = remote.includes("://") ? hostOfRemote(remote) : undefined;
  if (host === undefined || !isAddress(host) || isLoopback(host)) return `session ${number}`;
  return callerAt(host);
}

/** The host of a URL such as `tcp://10.0.0.7:51324`, or of an address with or without a port. Undefined for unix sockets. */
export function hostOfRemote(remote: string): string | undefined {
  const [, scheme, rest = ""] = /^([a-z][a-z0-9+.-]*:\/\/)?([^/]*)/.exec(remote) ?? [];
  if (rest === "") return undefined;
  const isBareIpv6 =
    scheme === undefined && !rest.startsWith("[") && rest.indexOf(":") !== rest.lastIndexOf(":");
  const host = isBareIpv6 ? rest : rest.replace(/:\d+$/, "");
  return host.replace(/^\[(.*)\]$/, "$1");
}

function isAddress(host: string): boolean {
  return host.includes(":") || /^\d+\.\d+\.\d+\.\d+$/.test(host);
}

function isLoopback(address: string): boolean {
  return /^(?:::ffff:)?127\./i.test(address) || address === "::1";
}
