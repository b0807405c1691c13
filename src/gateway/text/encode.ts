/** From messages of the hub to frames of the text protocol. */
import { isUtf8 } from "node:buffer";
import { LintelError, failure, type Failure } from "../../message/failure.ts";
import { Format, encodedBy, type Message, type TextSender } from "../../message/message.ts";
import { frameOf, headerText, type TextHeaders } from "../../text/message.ts";

/** Of a message that no connection of this gateway has sent. */
const NOBODY: Pick<TextSender, "cid" | "uid"> = Object.freeze({ cid: "", uid: "" });

/** Pseudo-headers, for receivers behind another hub: who sent it, and its headers as they were spelled, in JSON. */
export const CID = ":cid";
export const UID = ":uid";
export const SPELLED = ":text-headers";

/** What the gateway writes itself: whatever a sender of another protocol calls so is left out. */
const OWN_NAMES: ReadonlySet<string> = new Set(["cid", "uid", "rid"]);

const TYPES: Readonly<Record<number, string>> = {
  [Format.typed]: "application/json",
  [Format.bytes]: "application/octet-stream",
};

/** The lines that say who sent a message. */
export function senderLines({ cid, uid }: Pick<TextSender, "cid" | "uid">): string {
  return `cid:${cid}\r\nuid:${uid}\r\n`;
}

/** What a frame says of a message besides its body. */
export interface Said extends TextSender {
  /** The headers as lines, each with its CRLF, without those of the sender. */
  readonly headerLines: string;
}

/**
 * The headers of a message, and who sent it. `isBehind`: messages come from another hub, whose word is taken for it. Without, only
 * this gateway itself can say who sent a message.
 */
export function saidIn(message: Message, isBehind: boolean): Said {
  if (message.text !== undefined) return message.text;
  const head = message.headText();
  let headerLines = "";
  let isTyped = false;
  let { cid, uid } = NOBODY;
  let spelled: string | undefined;
  for (let at = 0; at < head.length;) {
    const end = head.indexOf("\n", at);
    const colon = head.indexOf(":", at + 1);
    const stop = end < 0 ? head.length : end;
    if (colon > 0 && colon < stop) {
      const name = head.slice(at, colon);
      const value = head.slice(colon + 1, stop);
      if (name.charCodeAt(0) === COLON) {
        if (name === CID) cid = value;
        else if (name === UID) uid = value;
        else if (name === SPELLED) spelled = value;
      } else if (!OWN_NAMES.has(name)) {
        if (name === "content-type") isTyped = true;
        headerLines += `${name}:${value}\r\n`;
      }
    }
    at = stop + 1;
  }
  if (isBehind && spelled !== undefined) headerLines = spelledLines(spelled) ?? headerLines;
  else if (!isTyped) headerLines += typeLine(message);
  return isBehind ? { headerLines, cid, uid } : { headerLines, ...NOBODY };
}

const COLON = 58;

/** The body of a message. Throws `BAD_PAYLOAD` where it is no text, and `STREAMS_UNSUPPORTED`. */
export function bodyOf(message: Message): string {
  if (message.streams !== undefined)
    throw LintelError.of("STREAMS_UNSUPPORTED", "the text protocol has no streams");
  const { encoder } = message;
  const encoded = encoder === undefined ? message.payload() : encodedBy(encoder, message.value);
  if (typeof encoded === "string") return encoded;
  if (!isUtf8(encoded))
    throw LintelError.of("BAD_PAYLOAD", "the payload is not UTF-8, and the text protocol carries only text");
  return Buffer.from(encoded.buffer, encoded.byteOffset, encoded.length).toString();
}

/** A frame of a message. `firstLine` has its CRLF, as have `ownLines`, which come first. */
export function frameFor(firstLine: string, ownLines: string, said: Said, body: string): string {
  return frameOf(firstLine, `${ownLines}${said.headerLines}${senderLines(said)}`, body);
}

/** What an ERROR is about. */
export interface Complaint {
  readonly command: string;
  readonly target: string;
  /** The headers by which its sender knows it, as lines. */
  readonly ids?: string;
}

/** `PUB ERROR`, whose body is `<text> <COMMAND> <TARGET>`. */
export function errorFrame(why: Failure, { command, target, ids = "" }: Complaint): string {
  const retryable = why.retryable ? "retryable:true\r\n" : "";
  const lines = `${ids}code:${why.code}\r\nreason:${why.reason}\r\n${retryable}${senderLines(NOBODY)}`;
  return frameOf("PUB ERROR\r\n", lines, `${complaintText(why, command)} ${command} ${target}`);
}

/** Refusals of the hub itself. A worker that refuses a request in its own words is heard. */
const REFUSALS: ReadonlyMap<string, string> = new Map(
  (["PERMISSION_DENIED", "UNAUTHENTICATED"] as const).map((reason) => [reason, failure(reason).message]),
);

/** What the original said of these, whose texts its clients may look for. */
function complaintText({ reason, message }: Failure, command: string): string {
  if (reason === "NO_RESPONDERS") return "No responder for";
  const refusal = REFUSALS.get(reason);
  const isOfWorker = command === "REQ" && message !== refusal;
  return refusal === undefined || isOfWorker ? message : "Not trusted";
}

/** What the payload is where nothing says so: JSON and bytes, but not text. */
function typeLine({ format, encoder, value, payloadStart, end }: Message): string {
  const isEmpty = encoder === undefined ? payloadStart === end : value === undefined;
  const type = isEmpty ? undefined : TYPES[format];
  return type === undefined ? "" : `content-type:${type}\r\n`;
}

/** The headers in the sender's spelling; undefined where the other hub has said something else. */
function spelledLines(spelled: string): string | undefined {
  try {
    const headers = JSON.parse(spelled) as TextHeaders;
    let lines = "";
    for (const [name, value] of headers)
      if (!OWN_NAMES.has(name.toLowerCase())) lines += headerText(name, value);
    return lines;
  } catch {
    return undefined;
  }
}
