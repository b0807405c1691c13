/**
 * Subjects name what a message is about: tokens of `[A-Za-z0-9_-]` joined by dots, at most 255 characters.
 * In a pattern `*` stands for one token and a final `>` for one or more. Messages carry literal subjects only.
 */
import { LintelError } from "./failure.ts";
import { MAX_SUBJECT } from "./limits.ts";
import { shown } from "./options.ts";

const LITERAL = /^[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*$/;
const PATTERN = /^(?:>|(?:\*|[A-Za-z0-9_-]+)(?:\.(?:\*|[A-Za-z0-9_-]+))*(?:\.>)?)$/;

/** True for a literal subject, the only kind a message may carry. */
export function isSubject(text: string): boolean {
  return typeof text === "string" && text.length <= MAX_SUBJECT && LITERAL.test(text);
}

/** True for a subject or a pattern with wildcards. */
export function isPattern(text: string): boolean {
  return typeof text === "string" && text.length <= MAX_SUBJECT && PATTERN.test(text);
}

/** True when the pattern has a wildcard, so that one subscription sees many subjects. */
export function hasWildcard(pattern: string): boolean {
  return pattern.includes("*") || pattern.endsWith(">");
}

/** Returns the subject, or throws `invalid_argument` / `BAD_SUBJECT` saying what is wrong with it. */
export function checkSubject(text: string): string {
  if (!isSubject(text))
    throw LintelError.of("BAD_SUBJECT", `${shown(text)} is not a subject: ${complaint(text)}`);
  return text;
}

/** Returns the pattern, or throws `invalid_argument` / `BAD_SUBJECT` saying what is wrong with it. */
export function checkPattern(text: string): string {
  if (!isPattern(text))
    throw LintelError.of("BAD_SUBJECT", `${shown(text)} is not a pattern: ${complaint(text)}`);
  return text;
}

function complaint(text: string): string {
  if (typeof text !== "string") return "it is not a string";
  if (text === "") return "it is empty";
  if (text.length > MAX_SUBJECT) return `it has ${text.length} characters, the limit is ${MAX_SUBJECT}`;
  if (text.split(".").includes("")) return "it has an empty token";
  return "tokens are [A-Za-z0-9_-] joined by dots; a pattern may use * for a token and a final > for the rest";
}
