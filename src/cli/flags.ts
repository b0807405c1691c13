/** Arguments and options that several commands share, and the parsers of their values. */
import { InvalidArgumentError, Option } from "commander";
import { parseDuration } from "../message/quantity.ts";
import { DRAIN_GRACE_MS } from "../message/draining.ts";
import { headerLine } from "../message/headers.ts";
import { MAX_TIMEOUT } from "../message/limits.ts";
import { checkPattern, checkSubject } from "../message/subject.ts";

/** Headers as they collect; a repeated one becomes an array. */
export type Headers = Record<string, string | string[]>;

/** `--header 'Name: value'`, any number of times. */
export function headerFlag(): Option {
  return new Option("-H, --header <line>", "header 'Name: value'; may be repeated").argParser(addHeader);
}

function addHeader(line: string, headers: Headers = {}): Headers {
  const colon = line.indexOf(":", 1);
  if (colon < 0) throw new InvalidArgumentError("It must be of the form 'Name: value'.");
  const name = line.slice(0, colon).trim().toLowerCase();
  const value = line.slice(colon + 1).trim();
  attempt(() => headerLine(name, value));
  const known = headers[name];
  const next = known === undefined ? value : [known, value].flat();
  return { ...headers, [name]: next };
}

/** A subject without wildcards. */
export function parseSubject(text: string): string {
  return attempt(() => checkSubject(text));
}

/** A subject or a pattern with wildcards. */
export function parsePattern(text: string): string {
  return attempt(() => checkPattern(text));
}

export function parseUrl(text: string): string {
  if (!/^[a-z][a-z0-9+.-]*:./.test(text)) {
    throw new InvalidArgumentError(
      "It must be a URL such as tcp://127.0.0.1:4500 or unix:///run/lintel.sock.",
    );
  }
  return text;
}

/** Milliseconds; a bare number is seconds, as with curl and timeout(1). */
export function parseSeconds(text: string): number {
  const ms = parseDuration(text, "s");
  if (ms === undefined || ms > MAX_TIMEOUT) {
    throw new InvalidArgumentError('It must be seconds, or a time such as "500ms", "5s" or "2m".');
  }
  return ms;
}

/** `--grace` of commands that end by draining. */
export function graceOption(what: string): Option {
  return new Option("--grace <seconds>", `${what}; the rest then fails with DRAINING`)
    .argParser(parseSeconds)
    .default(DRAIN_GRACE_MS, "10");
}

/** A whole number from 1 to 65,535. */
export function parseCount(text: string): number {
  const count = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (count < 1 || count > 65_535)
    throw new InvalidArgumentError("It must be a whole number from 1 to 65535.");
  return count;
}

/** Complaints of the message layer, as the parser of flags wants them. */
function attempt<T>(check: () => T): T {
  try {
    return check();
  } catch (error) {
    throw new InvalidArgumentError(error instanceof Error ? error.message : String(error));
  }
}
