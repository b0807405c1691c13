import { callable, type CallableCodec } from "./callable.ts";
import { NetstringReader, bytesOfLatin1, latin1OfUtf8, netstring } from "./netstring.ts";
import { setKey } from "./record.ts";
import { undecodable, unwritable } from "./refusal.ts";
import { wellFormed } from "./strict-text.ts";

/** Format and version, before the pairs. */
const TYPE = "000;";

/**
 * The key-value format of beam: `000;` and then, for each key, a netstring of the key and a netstring of its values,
 * which are netstrings themselves. Carries an object whose values are strings or lists of strings; a string arrives as a
 * list of one. Keys are written in the order of their bytes, so that equal values give equal bytes.
 */
export const kv: CallableCodec = callable({
  name: "kv",
  contentType: "application/x-netstring-kv",
  supports: { kinds: [], depth: 2, empty: false, strict: true },

  encode(value) {
    return bytesOfLatin1(format(listsOf(value)));
  },

  decode(bytes, start, end) {
    for (let index = 0; index < TYPE.length; index++) {
      if (start + index >= end || bytes[start + index] !== TYPE.charCodeAt(index)) {
        throw undecodable("key-value payload", `it must begin with ${TYPE}`, index);
      }
    }
    return readPairs(bytes, start, end);
  },

  transfer(value) {
    const lists = listsOf(value);
    const copy: Record<string, string[]> = {};
    for (const [key, , values] of lists) setKey(copy, key, values.map(wellFormed));
    return copy;
  },
});

function readPairs(bytes: Uint8Array, start: number, end: number): Record<string, string[]> {
  const record: Record<string, string[]> = {};
  const reader = new NetstringReader(bytes, start + TYPE.length, end, start);
  while (reader.next()) {
    const key = reader.text();
    const at = reader.start - start;
    if (Object.hasOwn(record, key)) throw undecodable("key-value payload", "a key comes twice", at);
    if (!reader.next()) throw undecodable("key-value payload", "a key has no values", end - start);
    const inner = reader.inner();
    const values: string[] = [];
    while (inner.next()) values.push(inner.text());
    setKey(record, key, values);
  }
  return record;
}

type Entry = readonly [key: string, sortedBy: string, values: readonly string[]];

/** Keys, sorted, with their values. */
function listsOf(value: unknown): Entry[] {
  if (typeof value !== "object" || value === null || Array.isArray(value) || value instanceof Uint8Array) {
    throw refused("it is not an object");
  }
  const entries = Object.entries(value).map(([name, values]: [string, unknown]): Entry => {
    const key = wellFormed(name);
    return [key, latin1OfUtf8(key), listOf(values)];
  });
  entries.sort(([, one], [, other]) => (one < other ? -1 : one > other ? 1 : 0));
  for (let index = 1; index < entries.length; index++) {
    if (entries[index]![0] === entries[index - 1]![0]) throw refused("two keys are the same as UTF-8");
  }
  return entries;
}

function listOf(values: unknown): readonly string[] {
  if (typeof values === "string") return [values];
  if (Array.isArray(values) && values.every((one) => typeof one === "string")) return values;
  throw refused("a value is neither a string nor a list of strings");
}

function refused(why: string): Error {
  return unwritable("key-value pairs", why);
}

function format(entries: readonly Entry[]): string {
  let text = TYPE;
  for (const [, key, values] of entries) {
    const list = values.map((one) => netstring(latin1OfUtf8(one))).join("");
    text += netstring(key) + netstring(list);
  }
  return text;
}
