import { isNothing, plainOf } from "./record.ts";
import { MAX_DEPTH, tooDeep, unwritable } from "./refusal.ts";
import { wellFormed } from "./strict-text.ts";
import { VALUE_NAMESPACE, isXmlText } from "./xml-text.ts";
import { base64Of } from "./base64.ts";

/** Keys that can be the name of an element. Names with a colon would belong to namespaces. */
const NAME = /^(?!xml)[A-Za-z_][A-Za-z0-9_.-]*$/i;
/** The element of an array's items, and of entries whose key cannot be a name. */
const ITEM = "item";

/** A document of any value, whose elements say of what type they are. */
export function writeValue(value: unknown): string {
  return element("value", ` xmlns="${VALUE_NAMESPACE}"`, value, "", 0);
}

function element(name: string, attributes: string, value: unknown, key: string, depth: number): string {
  switch (typeof value) {
    case "string":
      return textElement(name, attributes, wellFormed(value));
    case "number":
      return leaf(name, attributes, "number", Object.is(value, -0) ? "-0" : String(value));
    case "boolean":
      return leaf(name, attributes, "boolean", String(value));
    case "bigint":
      return leaf(name, attributes, "bigint", digitsOf(value));
    case "object":
      return value === null
        ? leaf(name, attributes, "null", "")
        : objectElement(name, attributes, value, key, depth);
    default:
      return leaf(name, attributes, "null", "");
  }
}

/** As many digits as readers take. */
function digitsOf(value: bigint): string {
  const digits = BigInt.asIntN(1_280, value) === value ? String(value) : "";
  if (digits === "") throw unwritable("XML", "a bigint needs more than 1,280 bits");
  return digits;
}

function leaf(name: string, attributes: string, type: string, content: string): string {
  return content === ""
    ? `<${name}${attributes} type="${type}"/>`
    : `<${name}${attributes} type="${type}">${content}</${name}>`;
}

/** Characters that XML does not have, not even escaped, are written as JSON escapes them. */
function textElement(name: string, attributes: string, text: string): string {
  if (!isXmlText(text)) return leaf(name, attributes, "escaped", escapeText(jsonEscapes(text)));
  return `<${name}${attributes}>${escapeText(text)}</${name}>`;
}

function jsonEscapes(text: string): string {
  return JSON.stringify(text)
    .slice(1, -1)
    .replaceAll(
      /[\u007f\ufffe\uffff]/g,
      (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
    );
}

function objectElement(name: string, attributes: string, value: object, key: string, depth: number): string {
  if (depth >= MAX_DEPTH) throw tooDeep("XML");
  if (value instanceof Uint8Array) return leaf(name, attributes, "bytes", base64Of(value));
  if (value instanceof Date) return leaf(name, attributes, "date", isoOf(value));
  if (Array.isArray(value)) {
    const items = Array.from(value, (item: unknown, index) =>
      element(ITEM, "", item, String(index), depth + 1),
    );
    return leaf(name, attributes, "array", items.join(""));
  }
  const plain = plainOf(value, key);
  if (typeof plain !== "object" || plain === null || (plain !== value && !isRecord(plain))) {
    return element(name, attributes, plain, key, depth + 1);
  }
  return leaf(name, attributes, "object", entriesOf(plain as Record<string, unknown>, depth));
}

function isRecord(value: object): boolean {
  return !(value instanceof Uint8Array || value instanceof Date || Array.isArray(value));
}

function entriesOf(record: Record<string, unknown>, depth: number): string {
  let content = "";
  for (const key of Object.keys(record)) {
    const value = record[key];
    if (isNothing(value)) continue;
    content += NAME.test(key)
      ? element(key, "", value, key, depth + 1)
      : element(ITEM, keyAttribute(wellFormed(key)), value, key, depth + 1);
  }
  return content;
}

function keyAttribute(key: string): string {
  return isXmlText(key)
    ? ` key="${escapeAttribute(key)}"`
    : ` escaped-key="${escapeAttribute(jsonEscapes(key))}"`;
}

function isoOf(date: Date): string {
  if (Number.isNaN(date.getTime())) throw unwritable("XML", "a date is invalid");
  return date.toISOString();
}

const ESCAPES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "\t": "&#9;",
  "\n": "&#10;",
  "\r": "&#13;",
};

/** A carriage return would arrive as a line feed. */
function escapeText(text: string): string {
  return text.replaceAll(/[&<>\r]/g, (character) => ESCAPES[character]!);
}

/** Tabs and line ends would arrive as spaces. */
function escapeAttribute(text: string): string {
  return text.replaceAll(/[&<>"\t\n\r]/g, (character) => ESCAPES[character]!);
}

/**
 * A document like any other: an object with one key, the root. Keys beginning with `@` are attributes, `#text` is text,
 * an array repeats its element, and strings are all there is at the end.
 */
export function writeDocument(value: unknown): string {
  const [root, ...more] = Object.entries(recordOf(value));
  if (root === undefined || more.length > 0) throw unwritable("XML", "a document has one root, so one key");
  if (Array.isArray(root[1])) throw unwritable("XML", "the root cannot be repeated");
  return documentElement(root[0], root[1], 0);
}

const DOCUMENT_NAME = /^[A-Za-z_][A-Za-z0-9_.:-]*$/;

function documentElement(name: string, value: unknown, depth: number): string {
  if (!DOCUMENT_NAME.test(name))
    throw unwritable("XML", `${JSON.stringify(name)} is not a legal element name`);
  if (depth >= MAX_DEPTH) throw tooDeep("XML");
  if (typeof value === "string") return filled(name, "", escapeText(checked(value)));
  let attributes = "";
  let content = "";
  for (const [key, item] of Object.entries(recordOf(value))) {
    if (key === "#text") content += escapeText(checked(item));
    else if (key.startsWith("@")) attributes += attribute(key.slice(1), checked(item));
    else if (Array.isArray(item)) for (const one of item) content += documentElement(key, one, depth + 1);
    else content += documentElement(key, item, depth + 1);
  }
  return filled(name, attributes, content);
}

function filled(name: string, attributes: string, content: string): string {
  return content === "" ? `<${name}${attributes}/>` : `<${name}${attributes}>${content}</${name}>`;
}

function attribute(name: string, value: string): string {
  if (!DOCUMENT_NAME.test(name))
    throw unwritable("XML", `${JSON.stringify(name)} is not a legal attribute name`);
  return ` ${name}="${escapeAttribute(value)}"`;
}

function checked(value: unknown): string {
  if (typeof value !== "string") throw unwritable("XML", "all leaves of a document must be strings");
  const text = wellFormed(value);
  if (!isXmlText(text)) throw unwritable("XML", "a text has characters that XML does not allow");
  return text;
}

function recordOf(value: unknown): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw unwritable("XML", "a document may contain only objects, lists and strings");
  }
  return value as Record<string, unknown>;
}
