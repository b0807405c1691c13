/** A hub that lets everybody do everything is for this machine only, unless its owner says otherwise. */
import { lookup } from "node:dns/promises";
import { LintelError } from "../message/failure.ts";
import { urlText } from "../message/url-text.ts";
import { isLoopbackAddress } from "../transport/host-names.ts";
import { isLoopback } from "../transport/host-port.ts";

/** Addresses that are none of a network. */
const LOCAL_SCHEMES = /^(?:unix|memory|file):/i;
const AUTHORITY = /^[a-z][a-z0-9+.-]*:\/\/([^/?#]*)/i;
/** An address without a scheme, or with one and without slashes. */
const HOST_PORT = /^(?:[a-z][a-z0-9+.-]*:)?((?:\[[^\]]*\]|[^:/?#[\]]*):\d+)$/i;

type Lookup = (name: string) => Promise<readonly { readonly address: string }[]>;

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

/** Rejects with `INSECURE_LISTEN` for an address that other machines may reach. */
export async function refuseExposed(
  url: string,
  find: Lookup = (name) => lookup(name, { all: true }),
): Promise<void> {
  if (isExposed(url)) throw refusal(`other machines can reach ${urlText(url)}`);
  const host = hostOf(url);
  if (host?.toLowerCase() !== "localhost") return;
  const found = await find(host).catch(() => []); // who listens says what is wrong with it
  const other = found.find(({ address }) => !isLoopbackAddress(address));
  if (other !== undefined) throw refusal(`localhost is ${other.address} on this machine`);
}

function refusal(why: string): LintelError {
  return LintelError.of(
    "INSECURE_LISTEN",
    `${why}, and everybody may do everything at this hub, since it has no \`access\`: ` +
      "configure `access`, listen on 127.0.0.1, or set `insecure` to let everybody in",
  );
}
