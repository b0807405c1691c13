/** Names of services in paths. With `compat: astrohub` any path segment is one; a subject stands for it. */
import { createHash } from "node:crypto";
import { MAX_SUBJECT } from "../../message/limits.ts";
import { isServiceName } from "./options.ts";

const PREFIX = "astrohub_";
const DIGEST_PREFIX = "astrohub_sha256.";
const DIGEST = /^astrohub_sha256\.[0-9a-f]{64}$/;
// oxlint-disable-next-line no-control-regex -- control characters are what it must find
const NO_SEGMENT = /^\.{0,2}$|[\u0000-\u001f\u007f]/;
const PLAIN = /[A-Za-z0-9-]/;
const ESCAPED = /_[0-9A-F]{2}/g;

/**
 * The subject for a path segment of AstroHub: the name itself where that is a subject that callers may use. Any other name is
 * `astrohub_` and its bytes in UTF-8, of which letters, digits and `-` stand for themselves and all others are `_` and two
 * hexadecimal digits: `café` is `astrohub_caf_C3_A9`. A name for which that is too long is `astrohub_sha256.` and its digest.
 */
export function subjectOfSegment(segment: string): string | undefined {
  const name = decoded(segment);
  if (name === undefined) return undefined;
  if (isServiceName(name) && !isTaken(name)) return name;
  const escaped = escapedName(name);
  if (escaped.length <= MAX_SUBJECT) return escaped;
  return DIGEST_PREFIX + createHash("sha256").update(name).digest("hex");
}

/** The name that a subject stands for; undefined for a digest. */
export function nameOfSubject(subject: string): string | undefined {
  if (DIGEST.test(subject)) return undefined;
  if (!subject.startsWith(PREFIX)) return subject;
  const name = unescapedName(subject);
  return name !== undefined && (!isServiceName(name) || isTaken(name)) ? name : subject;
}

/** True for a name that is the subject of another one. */
function isTaken(name: string): boolean {
  return name.startsWith(PREFIX) && (DIGEST.test(name) || nameOfSubject(name) !== name);
}

function escapedName(name: string): string {
  let escaped = PREFIX;
  for (const byte of Buffer.from(name)) {
    const character = String.fromCharCode(byte);
    escaped += PLAIN.test(character) ? character : `_${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return escaped;
}

/** Undefined when nothing is escaped like this. */
function unescapedName(subject: string): string | undefined {
  const bytes = subject
    .slice(PREFIX.length)
    .replaceAll(ESCAPED, (code) => String.fromCharCode(Number.parseInt(code.slice(1), 16)));
  const name = Buffer.from(bytes, "latin1").toString();
  return escapedName(name) === subject ? name : undefined;
}

/** Undefined for what no path may have: malformed percent-encoding, control characters, dot segments. */
function decoded(segment: string): string | undefined {
  try {
    const name = decodeURIComponent(segment);
    return NO_SEGMENT.test(name) ? undefined : name;
  } catch {
    return undefined;
  }
}
