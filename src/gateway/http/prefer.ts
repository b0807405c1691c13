/** The `Prefer` header (RFC 7240). What is not understood is ignored, as the RFC asks. */

export interface Preferences {
  /** Seconds the caller is ready to wait. */
  readonly wait: number | undefined;
  readonly respondAsync: boolean;
}

const WAIT = /^wait\s*=\s*(?:"(\d{1,9})"|(\d{1,9}))\s*(?:;|$)/i;
const RESPOND_ASYNC = /^respond-async\s*(?:;|$)/i;

const NONE: Preferences = { wait: undefined, respondAsync: false };

/** Reads the value of one or more Prefer headers, joined by commas. The first of several waits counts. */
export function parsePrefer(value: string | undefined): Preferences {
  if (value === undefined) return NONE;
  let wait: number | undefined;
  let respondAsync = false;
  for (const part of value.split(",")) {
    const preference = part.trim();
    const match = WAIT.exec(preference);
    if (match !== null) wait ??= Number(match[1] ?? match[2]);
    else if (RESPOND_ASYNC.test(preference)) respondAsync = true;
  }
  return { wait, respondAsync };
}
