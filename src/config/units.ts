/** Sizes and times as people write them, shared by the config file and the command line. */

import { parseQuantity } from "../message/quantity.ts";

export { DURATION_FORM, parseDuration } from "../message/quantity.ts";

const SIZES: Readonly<Record<string, number>> = {
  b: 1,
  kb: 1_000,
  kib: 1_024,
  mb: 1_000_000,
  mib: 1_048_576,
  gb: 1_000_000_000,
  gib: 1_073_741_824,
};

/** What `parseSize` takes, for messages. */
export const SIZE_FORM = 'a size such as 65536, "64KiB" or "1MiB" (B, KB, KiB, MB, MiB, GB, GiB)';

/** Bytes of `64KiB`, `1MB` or a bare number. Whole bytes, at least one. Undefined when the text is no size. */
export function parseSize(text: string): number | undefined {
  return parseQuantity(text, SIZES, "b");
}

/** A listening address as the HTTP gateway takes it. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** What `parseAddress` takes, for messages. */
export const ADDRESS_FORM =
  'HOST:PORT such as "127.0.0.1:8500" or "[::1]:8500", or a port alone (then on 127.0.0.1)';

const ADDRESS = /^(?:(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+)):)?(\d{1,5})$/;

/** Host and port of `HOST:PORT`, `[V6]:PORT` or `PORT`. Port 0 means any free one. Undefined for anything else. */
export function parseAddress(text: string): Address | undefined {
  const match = ADDRESS.exec(text.trim());
  if (match === null) return undefined;
  const port = Number(match[3]);
  return port <= 65_535 ? { host: match[1] ?? match[2] ?? "127.0.0.1", port } : undefined;
}

/** True for hosts that only this machine reaches. */
export function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, "").toLowerCase();
  return bare === "localhost" || bare === "::1" || /^127(?:\.\d{1,3}){3}$/.test(bare);
}
