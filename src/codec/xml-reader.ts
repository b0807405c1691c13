import type { SaxesParser } from "saxes";
import { encodeUtf8 } from "../message/text.ts";
import { bytesOfBase64 } from "./base64.ts";
import { setKey } from "./record.ts";
import { MAX_DEPTH, undecodable } from "./refusal.ts";
import { VALUE_NAMESPACE } from "./xml-text.ts";

/** An element while, and after, it is read. */
interface XmlElement {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: XmlElement[];
  text: string;
  /** Where its content begins, in UTF-16 units. */
  readonly at: number;
}

/** Something that is wrong at a place of the text; becomes the error that callers see. */
class Misfit extends Error {
  readonly at: number;

  constructor(why: string, at: number) {
    super(why);
    this.at = at;
  }
}

/** The parser, made anew for each document. */
export type MakeParser = () => SaxesParser<{ position: true }>;

/** Reads a document, checked for well-formedness as it is read. Throws `BAD_PAYLOAD`. */
export function readXml(text: string, makeParser: MakeParser): unknown {
  try {
    const root = parse(text, makeParser());
    if (root.attributes["xmlns"] === VALUE_NAMESPACE) return typedValue(root);
    const document: Record<string, unknown> = {};
    setKey(document, root.name, documentValue(root));
    return document;
  } catch (error) {
    if (!(error instanceof Misfit)) throw error;
    throw undecodable("XML", error.message, encodeUtf8(text.slice(0, error.at)).length);
  }
}

function parse(text: string, parser: SaxesParser<{ position: true }>): XmlElement {
  const open: XmlElement[] = [];
  let root: XmlElement | undefined;
  const refuse = (why: string): never => {
    throw new Misfit(why, parser.position);
  };
  parser.on("error", (error) => refuse(error.message.replace(/^\d+:\d+: /, "")));
  parser.on("doctype", () => refuse("document type declarations are not allowed"));
  parser.on("xmldecl", ({ version, encoding }) => {
    if (version !== undefined && version !== "1.0") refuse(`version ${version} is not supported`);
    if (encoding !== undefined && encoding.toLowerCase() !== "utf-8")
      refuse(`encoding ${encoding} is not supported`);
  });
  parser.on("opentag", ({ name, attributes }) => {
    if (open.length >= MAX_DEPTH) refuse(`it is nested deeper than ${MAX_DEPTH}`);
    const element: XmlElement = {
      name,
      attributes: attributes as Record<string, string>,
      children: [],
      text: "",
      at: parser.position,
    };
    const parent = open.at(-1);
    if (parent === undefined) root = element;
    else parent.children.push(element);
    open.push(element);
  });
  parser.on("closetag", () => void open.pop());
  const take = (chunk: string): void => {
    const element = open.at(-1);
    if (element !== undefined) element.text += chunk;
  };
  parser.on("text", take);
  parser.on("cdata", take);
  parser.write(text).close();
  return root ?? refuse("there is no element");
}

/** Longer ones take long to read. */
const BIGINT = /^-?\d{1,400}$/;

/** A value as its types say. */
function typedValue(element: XmlElement): unknown {
  const { text, attributes } = element;
  switch (attributes["type"]) {
    case undefined:
      return text;
    case "escaped":
      return unescaped(text, element.at);
    case "null":
      return null;
    case "boolean":
      return text === "true" ? true : text === "false" ? false : bad(element);
    case "number":
      return numberOf(element);
    case "bigint":
      return BIGINT.test(text) ? BigInt(text) : bad(element);
    case "bytes":
      return bytesOfBase64(text) ?? bad(element);
    case "date":
      return dateOf(element);
    case "array":
      return element.children.map(typedValue);
    case "object":
      return objectOf(element);
    default:
      return bad(element);
  }
}

const NUMBER = /^(?:-?\d+(?:\.\d+)?(?:e[+-]?\d+)?|-?Infinity|NaN)$/i;

function numberOf(element: XmlElement): number {
  return NUMBER.test(element.text) ? Number(element.text) : bad(element);
}

const DATE = /^(?:\d{4}|[+-]\d{6})-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/;

function dateOf(element: XmlElement): Date {
  if (!DATE.test(element.text)) return bad(element);
  const date = new Date(element.text);
  return Number.isNaN(date.getTime()) || !isDay(element.text) ? bad(element) : date;
}

/** The platform takes February 30th for March 1st or 2nd, and 24:00 for the next day. */
function isDay(text: string): boolean {
  const [day = "", time = ""] = text.split("T");
  const date = new Date(day);
  if (Number.isNaN(date.getTime()) || time.startsWith("24")) return false;
  return date.toISOString().includes(`${day.slice(-6)}T`);
}

function objectOf({ children }: XmlElement): Record<string, unknown> {
  const record: Record<string, unknown> = {};
  for (const child of children) {
    const escaped = child.attributes["escaped-key"];
    const key =
      escaped === undefined ? (child.attributes["key"] ?? child.name) : unescaped(escaped, child.at);
    setKey(record, key, typedValue(child));
  }
  return record;
}

function unescaped(text: string, at: number): string {
  try {
    const value: unknown = JSON.parse(`"${text}"`);
    if (typeof value === "string") return value;
  } catch {
    // Said below, like everything else that is no escaped text.
  }
  throw new Misfit("an escaped text is malformed", at);
}

function bad({ name, attributes, text, at }: XmlElement): never {
  const excerpt = JSON.stringify(text.slice(0, 32));
  const type = String(attributes["type"]).slice(0, 32);
  throw new Misfit(`element ${name.slice(0, 64)} has ${excerpt}, which is not of type ${type}`, at);
}

/** An element of a document that says nothing of types: text, or an object of attributes, children and text. */
function documentValue(element: XmlElement): unknown {
  const { attributes, children, text } = element;
  const names = Object.keys(attributes);
  if (children.length === 0 && names.length === 0) return text;
  const record: Record<string, unknown> = {};
  for (const name of names) record[`@${name}`] = attributes[name];
  const lists = new Map<string, unknown[]>();
  for (const child of children) {
    const list = lists.get(child.name);
    if (list === undefined) lists.set(child.name, [documentValue(child)]);
    else list.push(documentValue(child));
  }
  for (const [name, list] of lists) setKey(record, name, list.length === 1 ? list[0] : list);
  if (text.trim() !== "" || (children.length === 0 && text !== "")) record["#text"] = text;
  return record;
}
