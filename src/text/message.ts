/**
 * Messages of the text protocol. One is a text frame:
 *
 *     COMMAND SP TARGET EOL  *(NAME ":" VALUE EOL)  EOL  BODY EOL  "." EOL
 *
 * An EOL is LF or CRLF where it is read, and CRLF where it is written. A line of the body that begins with a dot has one dot
 * more on the wire. The EOL before the last dot is not part of the body, so that every body comes back as it was.
 */
import { LintelError } from "../message/failure.ts";

/** In the spelling and the order of the sender. Names may repeat. */
export type TextHeaders = readonly (readonly [name: string, value: string])[];

export interface TextMessage {
  readonly command: string;
  readonly target: string;
  readonly headers: TextHeaders;
  readonly body: string;
}

/** What is wrong with a frame, and as much of its first line as could be read. */
export interface MalformedText {
  readonly problem: string;
  readonly command: string;
  readonly target: string;
}

const CR = 13;
const LF = 10;
const DOT = 46;
const LONE_RETURN = "A carriage return within a line of";

export function decodeText(frame: string): TextMessage | MalformedText {
  const firstEnd = frame.indexOf("\n");
  const first = lineOf(frame, 0, firstEnd < 0 ? frame.length : firstEnd);
  const space = first.indexOf(" ");
  const command = space < 0 ? first : first.slice(0, space);
  const target = space < 0 ? "" : first.slice(space + 1);
  const malformed = (problem: string): MalformedText => ({ problem, command, target });
  if (firstEnd < 0) return malformed("No line end in");
  if (command === "" || target === "") return malformed("No target in");
  if (first.includes("\r")) return malformed(LONE_RETURN);
  const headers: (readonly [string, string])[] = [];
  let at = firstEnd + 1;
  for (;;) {
    const end = frame.indexOf("\n", at);
    if (end < 0) return malformed("No empty line after the headers of");
    const line = lineOf(frame, at, end);
    at = end + 1;
    if (line === "") break;
    if (line.includes("\r")) return malformed(LONE_RETURN);
    const colon = line.indexOf(":");
    if (colon <= 0) return malformed("No colon in a header of");
    headers.push([line.slice(0, colon), line.slice(colon + 1)]);
  }
  const end = findDot(frame, at - 1);
  if (end < 0) return malformed("No final dot in");
  if (!isLast(frame, end + 2)) return malformed("Text after the final dot of");
  return { command, target, headers, body: bodyOf(frame, at, end) };
}

export function isMalformed(decoded: TextMessage | MalformedText): decoded is MalformedText {
  return "problem" in decoded;
}

/** The frame of a message. Throws `invalid_argument` for a command, target or header that would read as something else. */
export function encodeText({ command, target, headers, body }: TextMessage): string {
  if (!/^[!-~]+$/.test(command)) throw unwritable("command", command);
  if (target === "" || hasLineEnd(target)) throw unwritable("target", target);
  let lines = "";
  for (const [name, value] of headers) lines += headerText(name, value);
  return frameOf(`${command} ${target}\r\n`, lines, body);
}

/** One line of the headers. Throws `invalid_argument` as `encodeText` does. */
export function headerText(name: string, value: string): string {
  if (name === "" || name.includes(":") || hasLineEnd(name)) throw unwritable("header name", name);
  if (hasLineEnd(value)) throw unwritable(`value of the header ${name}`, value);
  return `${name}:${value}\r\n`;
}

/** As `encodeText`, of parts that are known to be right: the first line and those of the headers, each with its CRLF. */
export function frameOf(firstLine: string, headerLines: string, body: string): string {
  return `${firstLine}${headerLines}\r\n${stuffed(body)}\r\n.\r\n`;
}

/** The value of the first header with this name, in any spelling, without spaces around it. */
export function headerOf(headers: TextHeaders, name: string): string | undefined {
  for (const [key, value] of headers)
    if (key.length === name.length && key.toLowerCase() === name) return value.trim();
  return undefined;
}

/** A body as it is sent: lines that begin with a dot have one more. */
export function stuffed(body: string): string {
  const rest = body.includes("\n.") ? body.replaceAll("\n.", "\n..") : body;
  return body.charCodeAt(0) === DOT ? `.${rest}` : rest;
}

/** The line between two places, without the CR before its LF. */
function lineOf(frame: string, start: number, end: number): string {
  const hasReturn = end > start && frame.charCodeAt(end - 1) === CR;
  return frame.slice(start, hasReturn ? end - 1 : end);
}

/** Where the LF is that is followed by a dot alone on its line, from this LF on. */
function findDot(frame: string, from: number): number {
  for (let at = from; ;) {
    const found = frame.indexOf("\n.", at);
    if (found < 0) return -1;
    const after = found + 2;
    const next = frame.charCodeAt(after);
    const isAlone =
      after === frame.length ||
      next === LF ||
      (next === CR && (after + 1 === frame.length || frame.charCodeAt(after + 1) === LF));
    if (isAlone) return found;
    at = found + 1;
  }
}

/** True if there is no more than a line end from this place on. */
function isLast(frame: string, at: number): boolean {
  const rest = frame.length - at;
  if (rest === 0) return true;
  if (rest === 1) return frame.charCodeAt(at) === LF || frame.charCodeAt(at) === CR;
  return rest === 2 && frame.charCodeAt(at) === CR && frame.charCodeAt(at + 1) === LF;
}

/** `end` is the place of the LF before the last dot. It is before `start` where not even an empty line is there. */
function bodyOf(frame: string, start: number, end: number): string {
  if (end <= start) return "";
  const body = lineOf(frame, start, end);
  const rest = body.includes("\n.") ? body.replaceAll("\n.", "\n") : body;
  return body.charCodeAt(0) === DOT ? rest.slice(1) : rest;
}

function hasLineEnd(text: string): boolean {
  return text.includes("\n") || text.includes("\r");
}

function unwritable(what: string, text: string): LintelError {
  return new LintelError("invalid_argument", `${JSON.stringify(text.slice(0, 64))} cannot be a ${what}`);
}
