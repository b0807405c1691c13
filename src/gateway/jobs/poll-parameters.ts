/** What is said in the query of a call. Whatever is not known there is refused: it is most likely misspelled. */
import { LintelError } from "../../message/failure.ts";
import { DURATION_FORM, parseDuration } from "../../message/quantity.ts";

/** Jobs that one poll may ask for, and one call may answer. */
export const MAX_JOBS = 1_000;

const WHOLE = /^\d{1,9}$/;
const NONE: ReadonlyMap<string, string> = new Map();

export type PollParameters = ReadonlyMap<string, string>;

/** The parameters of a query. Throws `BAD_REQUEST` for one that is there twice, or is not among `names` unless those are ignored. */
export function parametersOf(query: string, names: readonly string[], ignoresOthers = false): PollParameters {
  if (query === "") return NONE;
  const parameters = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(query)) {
    if (!names.includes(name)) {
      if (ignoresOthers) continue;
      const known = names.length === 0 ? "this call has no parameters" : `known: ${names.join(", ")}`;
      throw badRequest(`unknown parameter ${JSON.stringify(name.slice(0, 64))}; ${known}`);
    }
    if (parameters.has(name)) throw badRequest(`the parameter ${name} occurs twice`);
    parameters.set(name, value);
  }
  return parameters;
}

/** Milliseconds; a bare number is seconds. Throws `BAD_REQUEST`. */
export function durationOf(parameters: PollParameters, name: string): number | undefined {
  const text = parameters.get(name);
  if (text === undefined) return undefined;
  if (text === "0" || text === "0s" || text === "0ms") return 0;
  const ms = parseDuration(text, "s");
  if (ms === undefined) throw badRequest(`${name} must be ${DURATION_FORM}, or a number of seconds`);
  return ms;
}

/** A whole number within bounds. Throws `BAD_REQUEST`. */
export function numberOf(
  parameters: PollParameters,
  name: string,
  least: number,
  most: number,
): number | undefined {
  const text = parameters.get(name);
  if (text === undefined) return undefined;
  const number = WHOLE.test(text) ? Number(text) : -1;
  if (number < least || number > most)
    throw badRequest(`${name} must be a whole number from ${least} to ${most}`);
  return number;
}

export function badRequest(text: string): LintelError {
  return LintelError.of("BAD_REQUEST", text);
}
