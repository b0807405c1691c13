/** Which addresses other machines can reach. */
import { lookup } from "node:dns/promises";
import { urlText } from "../message/url-text.ts";
import { isLoopbackAddress } from "./host-names.ts";
import { isLoopback } from "./host-port.ts";

/** Addresses that are none of a network. */
const LOCAL_SCHEMES = /^(?:unix|memory|file):/i;
const AUTHORITY = /^[a-z][a-z0-9+.-]*:\/\/([^/?#]*)/i;
/** An address without a scheme, or with one and without slashes. */
const HOST_PORT = /^(?:[a-z][a-z0-9+.-]*:)?((?:\[[^\]]*\]|[^:/?#[\]]*):\d+)$/i;

export type Lookup = (name: string) => Promise<readonly { readonly address: string }[]>;

/** The host of a URL that is listened on: empty for all addresses; undefined for what is none of a network. */
export function hostOf(url: string): string | undefined {
  if (LOCAL_SCHEMES.test(url)) return undefined;
  if (/^\d+$/.test(url)) return ""; // a port
  const authority = AUTHORITY.exec(url)?.[1] ?? HOST_PORT.exec(url)?.[1] ?? "";
  if (authority === "") return undefined; // such as of a device
  return authority.replace(/^.*@/s, "").replace(/:\d*$/, "");
}

/** True for an address that other machines may reach, by what it is called. */
export function isExposed(url: string): boolean {
  const host = hostOf(url);
  return host !== undefined && !isLoopback(host);
}

/** Why other machines may reach an address, in words; undefined when they cannot. */
export async function whyExposed(
  url: string,
  find: Lookup = (name) => lookup(name, { all: true }),
): Promise<string | undefined> {
  if (isExposed(url)) return `other machines can reach ${urlText(url)}`;
  const host = hostOf(url);
  if (host?.toLowerCase() !== "localhost") return undefined;
  const found = await find(host).catch(() => []); // who listens says what is wrong with it
  const other = found.find(({ address }) => !isLoopbackAddress(address));
  return other === undefined ? undefined : `localhost is ${other.address} on this machine`;
}
