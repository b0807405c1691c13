/** From frames of the text protocol to messages of the hub. */
import { text as textCodec } from "../../codec/plain.ts";
import { LintelError } from "../../message/failure.ts";
import { headerLine, isHeaderValue } from "../../message/headers.ts";
import type { Limits } from "../../message/limits.ts";
import { Format, Message } from "../../message/message.ts";
import { parseDuration } from "../../message/quantity.ts";
import { headerOf, type TextHeaders, type TextMessage } from "../../text/message.ts";
import { CID, SPELLED, UID } from "./encode.ts";

/** What messages may have at most, and whether they go to another hub, where their spelling would be lost. */
export interface Rules extends Pick<Limits, "payload" | "headers"> {
  readonly isBehind: boolean;
}

export type Kind = "publication" | "request" | "answer";

const EVERYWHERE: readonly Kind[] = ["publication", "request", "answer"];
/** Headers that are not passed on: the hub writes them itself, or they are for the hub. */
const OMITTED: Readonly<Record<string, readonly Kind[]>> = {
  cid: EVERYWHERE,
  uid: EVERYWHERE,
  rid: ["request", "answer"],
  reqid: ["answer"],
  "error-code": ["answer"],
  "error-reason": ["answer"],
};

interface HeaderName {
  readonly lower: string;
  readonly omittedFrom: readonly Kind[];
}

const NOWHERE: readonly Kind[] = [];
/** Spellings that are remembered. */
const REMEMBERED = 1_000;

/** Names of headers in the spellings of their senders, which are few: each is looked at once. */
export class HeaderNames {
  readonly #known = new Map<string, HeaderName>();

  /** Throws `BAD_HEADER` for what is no name of a header. */
  find(name: string): HeaderName {
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    const lower = name.toLowerCase();
    headerLine(lower, "");
    const found = { lower, omittedFrom: Object.hasOwn(OMITTED, lower) ? OMITTED[lower]! : NOWHERE };
    if (this.#known.size >= REMEMBERED) this.#known.clear();
    this.#known.set(name, found);
    return found;
  }
}

/** Reads what one connection sends. */
export class MessageReader {
  readonly #cid: string;
  readonly #names: HeaderNames;
  readonly #rules: Rules;

  constructor(cid: string, names: HeaderNames, rules: Rules) {
    this.#cid = cid;
    this.#names = names;
    this.#rules = rules;
  }

  /** The message of a frame, sent by this user. Throws `BAD_HEADER`, `HEADERS_TOO_LARGE`, `TOO_LARGE`. */
  read({ headers, body }: TextMessage, kind: Kind, uid: string): Message {
    const { payload, headers: maxHead } = this.#rules;
    const cid = this.#cid;
    let head = uid === "" ? `${CID}:${cid}\n` : `${CID}:${cid}\n${UID}:${uid}\n`;
    let headerLines = "";
    let format: Format = Format.text;
    for (const [name, value] of headers) {
      const { lower, omittedFrom } = this.#names.find(name);
      if (omittedFrom !== NOWHERE && omittedFrom.includes(kind)) continue;
      const trimmed = value.trim();
      head += isHeaderValue(trimmed) ? `${lower}:${trimmed}\n` : headerLine(lower, trimmed); // which throws
      headerLines += `${name}:${value}\r\n`;
      if (lower === "content-type") format = Format.typed;
    }
    if (this.#rules.isBehind && headerLines !== "") head += this.#spelled(headers, kind);
    if (head.length * 3 > maxHead && Buffer.byteLength(head) > maxHead)
      throw LintelError.of("HEADERS_TOO_LARGE");
    if (body.length * 3 > payload && Buffer.byteLength(body) > payload) throw LintelError.of("TOO_LARGE");
    const message = Message.ofValue(body, textCodec, format, head);
    message.text = { headerLines, cid, uid };
    return message;
  }

  /** The headers as they were spelled, for text receivers behind another hub. */
  #spelled(headers: TextHeaders, kind: Kind): string {
    const passed = headers.filter(([name]) => !this.#names.find(name).omittedFrom.includes(kind));
    return headerLine(SPELLED, JSON.stringify(passed));
  }
}

/** The lines by which a requester knows its request, as it has sent them. */
export function idLines(headers: TextHeaders): string {
  let lines = "";
  for (const [name, value] of headers) {
    const { length } = name;
    if (length !== 3 && length !== 5) continue;
    const lower = name.toLowerCase();
    if (lower === "reqid" || lower === "rid") lines += `${name}:${value}\r\n`;
  }
  return lines;
}

/** Reads the `Timeout` of requests. A connection tends to say the same each time. */
export class TimeoutReader {
  #text = "";
  #ms: number | undefined;

  /** Milliseconds; undefined where there is none. Throws `invalid_argument`. */
  read(headers: TextHeaders): number | undefined {
    const given = headerOf(headers, "timeout");
    if (given === undefined) return undefined;
    if (given === this.#text) return this.#ms;
    const ms = parseDuration(given);
    if (ms === undefined) throw new LintelError("invalid_argument", `Timeout is no time such as 2s in`);
    this.#text = given;
    this.#ms = ms;
    return ms;
  }
}

/** The `concurrency` of an EREQ. Throws `invalid_argument`. */
export function concurrencyOf(headers: TextHeaders): number | undefined {
  const given = headerOf(headers, "concurrency");
  if (given === undefined) return undefined;
  if (!/^[1-9]\d{0,8}$/.test(given))
    throw new LintelError("invalid_argument", "concurrency is no whole number above 0 in");
  return Number(given);
}

/** The number of the job that an answer is for; undefined where it cannot be one. */
export function ridOf(headers: TextHeaders): number | undefined {
  const given = headerOf(headers, "rid");
  return given !== undefined && /^\d{1,16}$/.test(given) ? Number(given) : undefined;
}
