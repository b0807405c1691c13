/**
 * Names of protocols that allow any text, as subjects and back. A name that is a subject stays what it is: `Chat`,
 * `orders.create`. In all others each byte of UTF-8 that a subject cannot have is written as `--` and two upper-case
 * hexadecimal digits: `MSG:a b` is `MSG--3Aa--20b`. No two names have one subject, and each name can be read from its subject.
 *
 * Escaped are besides: a dot that would begin, end or double the ones between tokens; an underscore at the start, because
 * such subjects are not for callers from outside; and the first hyphen of what looks like an escape.
 */
import { MAX_SUBJECT } from "./limits.ts";
import { isSubject } from "./subject.ts";
import { encodeUtf8, readUtf8 } from "./text.ts";

const ESCAPE = "--";
const ESCAPED = /--[0-9A-F]{2}/;
const ESCAPES = /(?:--[0-9A-F]{2})+/g;
/** What is written as it is. */
const PLAIN = /[A-Za-z0-9_-]/;
/** Half of a character, which no UTF-8 has. */
const LONE_SURROGATE = /[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/;

/** The subject of a name; undefined for a name that has none: an empty one, one that is too long, or half a character. */
export function subjectOf(name: string): string | undefined {
  if (isSubject(name) && name[0] !== "_" && !ESCAPED.test(name)) return name;
  if (name === "" || name.length > MAX_SUBJECT || LONE_SURROGATE.test(name)) return undefined;
  let subject = "";
  let isTokenEmpty = true;
  const last = name.length - 1;
  let at = 0;
  for (const character of name) {
    const isSeparator: boolean = character === "." && !isTokenEmpty && at !== last;
    const isKept =
      PLAIN.test(character) &&
      !(character === "_" && at === 0) &&
      !(character === "-" && isEscapeAt(name, at));
    subject += isSeparator || isKept ? character : escaped(character);
    isTokenEmpty = isSeparator;
    at += character.length;
  }
  return subject.length <= MAX_SUBJECT ? subject : undefined;
}

/** The name that a subject stands for. A subject that stands for none is its own name. */
export function nameOf(subject: string): string {
  if (!ESCAPED.test(subject)) return subject;
  const name = subject.replace(ESCAPES, (run) => {
    const bytes = Uint8Array.from(run.slice(ESCAPE.length).split(ESCAPE), (pair) =>
      Number.parseInt(pair, 16),
    );
    return readUtf8(bytes, 0, bytes.length);
  });
  return subjectOf(name) === subject ? name : subject;
}

function isEscapeAt(name: string, at: number): boolean {
  return ESCAPED.test(name.slice(at, at + 4));
}

function escaped(character: string): string {
  let text = "";
  for (const byte of encodeUtf8(character)) text += ESCAPE + byte.toString(16).toUpperCase().padStart(2, "0");
  return text;
}
