/** From frames of the text protocol to messages of the hub. */
import { text as textCodec } from "../../codec/plain.ts";
import { LintelError } from "../../message/failure.ts";
import { headerLine } from "../../message/headers.ts";
import type { Limits } from "../../message/limits.ts";
import { Format, Message } from "../../message/message.ts";
import { parseDuration } from "../../message/quantity.ts";
import { headerOf, type TextHeaders, type TextMessage } from "../../text/message.ts";
import { CID, SPELLED, UID } from "./encode.ts";

/** Who sends, as the hub knows it. */
export interface Sender {
  readonly cid: string;
  readonly uid: string;
}

/** What messages may have at most, and whether they go to another hub, where their spelling would be lost. */
export interface Rules extends Pick<Limits, "payload" | "headers"> {
  readonly isBehind: boolean;
}

/** Headers that are the hub's to write: what a sender calls so is dropped. */
const STAMPS: ReadonlySet<string> = new Set(["cid", "uid"]);
const WITHOUT_RID: ReadonlySet<string> = new Set([...STAMPS, "rid"]);
const OF_ANSWERS: ReadonlySet<string> = new Set([...STAMPS, "rid", "reqid", "error-code", "error-reason"]);

export type Kind = "publication" | "request" | "answer";
const OMITTED: Readonly<Record<Kind, ReadonlySet<string>>> = {
  publication: STAMPS,
  request: WITHOUT_RID,
  answer: OF_ANSWERS,
};

/** The message of a frame. Throws `BAD_HEADER`, `HEADERS_TOO_LARGE`, `TOO_LARGE`. */
export function messageFrom(sent: TextMessage, kind: Kind, { cid, uid }: Sender, rules: Rules): Message {
  const { headers, body } = sent;
  const omitted = OMITTED[kind];
  let head = "";
  let headerLines = "";
  let format: Format = Format.text;
  for (const [name, value] of headers) {
    const lower = name.toLowerCase();
    if (omitted.has(lower)) continue;
    head += headerLine(lower, value.trim());
    headerLines += `${name}:${value}\r\n`;
    if (lower === "content-type") format = Format.typed;
  }
  if (cid !== "") head += `${CID}:${cid}\n`;
  if (uid !== "") head += `${UID}:${uid}\n`;
  if (rules.isBehind && headerLines !== "") {
    const spelled = headers.filter(([name]) => !omitted.has(name.toLowerCase()));
    head += headerLine(SPELLED, JSON.stringify(spelled));
  }
  if (head.length * 3 > rules.headers && Buffer.byteLength(head) > rules.headers)
    throw LintelError.of("HEADERS_TOO_LARGE");
  if (body.length * 3 > rules.payload && Buffer.byteLength(body) > rules.payload)
    throw LintelError.of("TOO_LARGE");
  const message = Message.ofValue(body, textCodec, format, head);
  message.text = { headerLines, cid, uid };
  return message;
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
