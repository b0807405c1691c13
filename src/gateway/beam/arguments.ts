/** From names and arguments to messages of the hub, and back (B-20 to B-26). */
import { json } from "../../codec/json.ts";
import { kv } from "../../codec/kv.ts";
import { bareType, builtInFor } from "../../codec/values.ts";
import { LintelError, failure, type Failure } from "../../message/failure.ts";
import { findHeader, headerLine } from "../../message/headers.ts";
import { Format, Message } from "../../message/message.ts";
import { isCode, reasonOr } from "../../message/status.ts";
import { isRoot } from "../../stream/stream.ts";
import { encodeUtf8 } from "../../message/text.ts";
import { bytesOfBase64, base64Of } from "../../codec/base64.ts";
import { argumentsIn, beginsPairs, type Argument, type BeamMessage, type Pairs } from "./message.ts";

/** Header that says what an answer is called, where it is not `set` or `ack`. */
const NAME = ":name";
/** Header with what a message of the first generation has besides its command. */
const PAIRS = ":pairs";
const KV_LINE = headerLine("content-type", kv.contentType);
/** How a value refers to the one stream that a message of beam can carry. */
const REFERENCE = { $stream: 0 };
const BRACKET = 0x5b;
const NO_BYTES = new Uint8Array(0);

/** A message of beam that is to be sent. */
export interface Outgoing {
  readonly name: string;
  readonly args: readonly Argument[];
  readonly pairs?: Pairs;
}

/**
 * The payload of a request: the list of its arguments, and behind them the stream that goes with it; one that is key-value
 * pairs is the payload by itself.
 */
export function requestOf(message: BeamMessage, attached = false): Message {
  const { pairs } = message;
  const args = argumentsIn(message);
  const head = pairs === undefined ? "" : pairsLine(pairs);
  if (attached) return Message.ofBytes(listOf(args, [REFERENCE]), head, Format.typed);
  const [first = ""] = args;
  const bytes = typeof first === "string" ? encodeUtf8(first) : first;
  if (args.length === 1 && beginsPairs(bytes, 0, bytes.length))
    return Message.ofBytes(bytes, head + KV_LINE, Format.typed);
  return Message.ofBytes(listOf(args), head, Format.typed);
}

/** Arguments as JSON. Bytes that are no text have a form of their own (B-18). */
function listOf(args: readonly Argument[], more: readonly object[] = []): Uint8Array {
  return encodeUtf8(JSON.stringify([...args.map(plainOf), ...more]));
}

function plainOf(argument: Argument): unknown {
  return typeof argument === "string" ? argument : { $bytes: base64Of(argument) };
}

/** Pairs as a header, in ASCII. */
function pairsLine(pairs: Pairs): string {
  const plain = Object.entries(pairs).map(([key, values]) => [key, values.map(plainOf)]);
  const written = JSON.stringify(Object.fromEntries(plain) as object);
  const escape = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return headerLine(PAIRS, written.replaceAll(/[^ -~]/g, escape));
}

/** The pairs that a message is to have for programs of the first generation. */
export function pairsOf(message: Message): { readonly pairs?: Pairs } {
  const text = findHeader(message.headText(), PAIRS);
  if (text === undefined) return {};
  try {
    const value = JSON.parse(text) as unknown;
    if (typeof value !== "object" || value === null || Array.isArray(value)) return {};
    const entries = Object.entries(value).flatMap(([key, values]: [string, unknown]) => {
      const items = Array.isArray(values) ? values.map(argumentOf) : [];
      return items.includes(undefined) ? [] : [[key, items as Argument[]] as const];
    });
    return entries.length === 0 ? {} : { pairs: Object.fromEntries(entries) };
  } catch {
    return {};
  }
}

/** What a member of a list stands for; undefined when it can be no argument. */
function argumentOf(item: unknown): Argument | undefined {
  if (typeof item === "string") return item;
  if (typeof item !== "object" || item === null) return undefined;
  const { $bytes: base64 } = item as { readonly $bytes?: unknown };
  if (typeof base64 !== "string" || Object.keys(item).length !== 1) return undefined;
  return bytesOfBase64(base64);
}

/** What a worker of beam has answered; `attached` says that a stream goes with it. */
export function answerOf(message: BeamMessage, attached: boolean): Message {
  const { name } = message;
  const args = argumentsIn(message);
  const head = name === "set" || name === "ack" ? "" : nameLine(name);
  if (attached) {
    if (args.length === 0) return Message.ofBytes(NO_BYTES, `${head}:value:stream\n`, Format.typed);
    return Message.ofBytes(listOf(args, [REFERENCE]), head, Format.typed);
  }
  if (name === "ack" && args.length === 0) return Message.ofBytes(NO_BYTES, head, Format.typed);
  const answer = requestOf(message);
  answer.head = head + answer.headText();
  return answer;
}

/** A message on a channel: the whole list, and its attachment, if there is one, as the last item. */
export function channelMessageOf(message: BeamMessage, attached: boolean): Message {
  const { name, pairs } = message;
  const args = argumentsIn(message);
  const head = pairs === undefined ? "" : pairsLine(pairs);
  return Message.ofBytes(listOf([name, ...args], attached ? [REFERENCE] : []), head, Format.typed);
}

/** The arguments that carry a payload. Throws `BAD_PAYLOAD` for JSON that is none. */
export function argumentsOf(message: Message): Argument[] {
  const payload = message.payload();
  if (payload.length === 0) return message.format === Format.typed ? [] : [payload];
  const list =
    payload[0] === BRACKET && isJson(message) ? textsOf(payload, message.streams?.length === 1) : undefined;
  return list ?? [payload];
}

/** An answer as it is sent: `set` with what it carries, `ack` when it carries nothing, or as it says itself. */
export function outgoingAnswer(answer: Message): Outgoing {
  const args = argumentsOf(answer);
  const nothing = args.length === 0 && (isRoot(answer) || answer.end === answer.payloadStart);
  const name =
    findHeader(answer.headText(), NAME) ?? (nothing && answer.encoder === undefined ? "ack" : "set");
  return { name, args, ...pairsOf(answer) };
}

/** A value on a channel: a list of texts is the message itself, anything else is sent as an answer is. */
export function outgoingMessage(message: Message): Outgoing {
  const { name, args, pairs } = outgoingAnswer(message);
  const more = pairs === undefined ? {} : { pairs };
  const [first, ...rest] = args;
  if (name !== "set" || typeof first !== "string") return { name, args, ...more };
  return { name: first, args: rest, ...more };
}

/** A failure, as beam has them: the text first, which is all that its own programs read. */
export function errorOf({ message, code, reason }: Failure): Outgoing {
  return { name: "error", args: [message, code, reason] };
}

/** The failure that a worker of beam has answered with. */
export function failureOf({ args }: BeamMessage): Failure {
  const [message = "the worker gave no reason", code, reason] = args;
  const known = isCode(code) ? code : "unknown";
  return new LintelError(known, message, { reason: reasonOr(reason, known) }).toFailure();
}

/** The failure for a message that beam cannot carry, because it carries more than one stream. */
export function tooManyStreams(): Failure {
  return failure("BAD_ANSWER", "a beam message carries at most one stream");
}

/** A name may have characters that no header has. */
function nameLine(name: string): string {
  try {
    return headerLine(NAME, name);
  } catch {
    return "";
  }
}

function isJson(message: Message): boolean {
  if (message.format !== Format.typed) return false;
  const contentType = findHeader(message.headText(), "content-type");
  return (
    contentType === undefined ||
    (bareType(contentType) !== kv.contentType && builtInFor(contentType) === json)
  );
}

/** The texts of a JSON list, without the reference to the stream at its end; undefined when it has anything else. */
function textsOf(payload: Uint8Array, hasStream: boolean): Argument[] | undefined {
  const list = json.decode(payload, 0, payload.length);
  if (!Array.isArray(list)) return undefined;
  const items: unknown[] = hasStream && isReference(list.at(-1)) ? list.slice(0, -1) : list;
  const args = items.map(argumentOf);
  return args.includes(undefined) ? undefined : (args as Argument[]);
}

function isReference(item: unknown): boolean {
  return typeof item === "object" && item !== null && "$stream" in item && Number(item.$stream) === 0;
}
