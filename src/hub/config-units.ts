/** Sizes and times as people write them, shared by the config file and the command line. */

const DURATIONS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };
const SIZES: Readonly<Record<string, number>> = {
  b: 1,
  kb: 1_000,
  kib: 1_024,
  mb: 1_000_000,
  mib: 1_048_576,
  gb: 1_000_000_000,
  gib: 1_073_741_824,
};

const QUANTITY = /^(\d{1,15}(?:\.\d{1,9})?) ?([A-Za-z]*)$/;

/** What `parseDuration` takes, for messages. */
export const DURATION_FORM = 'a time such as "500ms", "5s", "2m" or "1h"';
/** What `parseSize` takes, for messages. */
export const SIZE_FORM = 'a size such as 65536, "64KiB" or "1MiB" (B, KB, KiB, MB, MiB, GB, GiB)';

/**
 * Milliseconds of `500ms`, `5s`, `1.5m` or `2h`; a bare number counts in `bareUnit`. Whole milliseconds, at least one.
 * Undefined when the text is no duration.
 */
export function parseDuration(text: string, bareUnit: "ms" | "s" = "ms"): number | undefined {
  return parseQuantity(text, DURATIONS, bareUnit);
}

/** Bytes of `64KiB`, `1MB` or a bare number. Whole bytes, at least one. Undefined when the text is no size. */
export function parseSize(text: string): number | undefined {
  return parseQuantity(text, SIZES, "b");
}

function parseQuantity(
  text: string,
  units: Readonly<Record<string, number>>,
  bareUnit: string,
): number | undefined {
  const match = QUANTITY.exec(text.trim());
  if (match === null) return undefined;
  const [, digits = "", unit = ""] = match;
  const name = unit === "" ? bareUnit : unit.toLowerCase();
  const factor = Object.hasOwn(units, name) ? units[name] : undefined;
  if (factor === undefined) return undefined;
  const amount = Math.round(Number(digits) * factor);
  return amount >= 1 && Number.isSafeInteger(amount) ? amount : undefined;
}

/** A listening address as the HTTP door takes it. */
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
