/** Amounts with units, as people write them. */

/** Milliseconds, or text such as `500ms`, `5s`, `2m` or `1h`. */
export type Duration = number | string;
/** Bytes, or text such as `64KiB` or `1MB`. */
export type Size = number | string;

const DURATIONS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };
const QUANTITY = /^(\d{1,15}(?:\.\d{1,9})?) ?([A-Za-z]*)$/;

/** What `parseDuration` takes, for messages. */
export const DURATION_FORM = 'a time such as "500ms", "5s", "2m" or "1h"';

/**
 * Milliseconds of `500ms`, `5s`, `1.5m` or `2h`; a bare number counts in `bareUnit`, or is no duration. Whole milliseconds, at
 * least one. Undefined when the text is no duration.
 */
export function parseDuration(text: string, bareUnit: "ms" | "s" | "none" = "ms"): number | undefined {
  return parseQuantity(text, DURATIONS, bareUnit);
}

/** A whole number of at least one, in the unit whose factor is 1. Undefined for anything else. */
export function parseQuantity(
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
