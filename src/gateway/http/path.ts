/**
 * From the path of a URL to the tokens of a subject. Whatever a caller sends, only `[A-Za-z0-9_-]+` tokens get through:
 * percent-encoding is undone once, and what it yields is checked as if it had been written plainly.
 */
import { isSubject } from "../../message/subject.ts";

const TOKEN = /^[A-Za-z0-9_-]+$/;
// oxlint-disable-next-line no-control-regex -- control characters are what it must find
const CONTROL = /[\u0000-\u001f\u007f]/;

/** True when the text has a character below space, or DEL. */
export function hasControlCharacter(text: string): boolean {
  return CONTROL.test(text);
}

/**
 * The decoded segments of a raw path that begins with a slash; none for `/` itself.
 * @returns undefined for malformed percent-encoding or UTF-8, control characters, and dot segments, which other
 * programs on the way may read differently.
 */
export function decodePath(path: string): string[] | undefined {
  if (path.length === 1) return [];
  const segments = path.slice(1).split("/");
  const encoded = path.includes("%");
  for (let index = 0; index < segments.length; index++) {
    const segment = encoded ? decode(segments[index]!) : segments[index]!;
    if (segment === undefined || segment === "." || segment === ".." || hasControlCharacter(segment))
      return undefined;
    segments[index] = segment;
  }
  return segments;
}

function decode(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment);
  } catch {
    return undefined; // the caller's mistake, answered with 400
  }
}

/** A dot segment as some program reads one: Windows drops dots and spaces at the end, servers of Java what follows a semicolon. */
const DOTS = /^(?: *\.[. ]*|\.\.?;.*)$/s;
const C1 = /[\u0080-\u009f]/;

/**
 * True when a decoded segment can be handed to a worker as part of a name. Joined to a path, it must not lead anywhere else:
 * no backslash, no slash at its beginning, no dot segment between slashes that were encoded.
 */
export function isSafeSegment(segment: string): boolean {
  if (segment.includes("\\") || segment.startsWith("/") || C1.test(segment)) return false;
  return !segment.includes(".") || !segment.split("/").some((piece) => DOTS.test(piece));
}

/** The subject these tokens make, or undefined when one is illegal or it is too long. */
export function subjectOfTokens(tokens: readonly string[]): string | undefined {
  for (const token of tokens) if (!TOKEN.test(token)) return undefined;
  return callerSubject(tokens.join("."));
}

/**
 * The subject, if a caller may name it: subjects that begin with an underscore are internal (inboxes, for one), so a
 * URL does not reach them.
 */
export function callerSubject(subject: string): string | undefined {
  return isSubject(subject) && !subject.startsWith("_") ? subject : undefined;
}

/** True when the text can stand inside one token of a subject. */
export function isTokenText(text: string): boolean {
  return TOKEN.test(text);
}
