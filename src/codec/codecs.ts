import { LintelError } from "../message/failure.ts";
import { checkArgument, checkOptions, type Check } from "../message/options.ts";
import { findHeader, headerLine } from "../message/headers.ts";
import { Format, Message, encodeBody } from "../message/message.ts";
import { Wishes, acceptOf } from "./accept.ts";
import { areCodecs, isCodec } from "./check.ts";
import type { Codec } from "./codec.ts";
import { json } from "./json.ts";
import { bareType, builtInFor, messageOf, valueOf, type KnownCodecs } from "./values.ts";

/**
 * The codecs of one peer. Strings, bytes and no value need none. Everything else is written by the preferred codec, JSON
 * unless another was chosen, and read by the codec that its content type names.
 */
export class Codecs implements KnownCodecs {
  /** Those every peer has, and no others. */
  static readonly builtIn: Codecs = new Codecs();

  readonly #preferred: Codec;
  readonly #registered: readonly Codec[];
  /** By content type, in lower case. Undefined when there are none but the built-in ones. */
  readonly #byType: ReadonlyMap<string, Codec> | undefined;
  /** The header line that tells handlers what this peer reads, most preferred first. */
  readonly #accept: string;
  readonly #preferring = new WeakMap<Codec, Codecs>();

  constructor(registered: readonly Codec[] = [], preferred: Codec = json) {
    this.#preferred = preferred;
    this.#registered = [...new Set([preferred, ...registered])].filter((codec) => codec !== json);
    this.#byType = this.#registered.length === 0 ? undefined : indexOf(this.#registered);
    const readable = new Set([preferred, ...this.#registered, json]);
    this.#accept = headerLine("accept", acceptOf([...readable].map(({ contentType }) => contentType)));
  }

  /** The same codecs and this one, which is preferred. */
  preferring(codec: Codec): Codecs {
    let codecs = this.#preferring.get(codec);
    if (codecs === undefined) {
      checkArgument("a message", "codec", codec, isCodec);
      codecs = new Codecs([...this.#registered], codec);
      this.#preferring.set(codec, codecs);
    }
    return codecs;
  }

  /** The registered codec that reads this content type. */
  find(contentType: string): Codec | undefined {
    const index = this.#byType;
    if (index === undefined) return undefined;
    const exact = index.get(contentType);
    if (exact !== undefined) return exact;
    const type = bareType(contentType);
    const message = /;\s*message="?([\w.]+)"?/i.exec(contentType)?.[1];
    if (message !== undefined) return index.get(`${type};message=${message}`.toLowerCase());
    const plus = type.lastIndexOf("+");
    return index.get(type) ?? (plus < 0 ? undefined : index.get(type.slice(plus)));
  }

  /** The value a message carries. Throws `BAD_PAYLOAD`. */
  value(message: Message): unknown {
    return this.#byType === undefined ? valueOf(message) : valueOf(message, this);
  }

  /** A message with this value. A `content-type` among the headers chooses the codec. */
  message(value: unknown, head: string): Message {
    return this.#byType === undefined ? messageOf(value, head) : this.#typedMessage(value, head);
  }

  /** A message with this value that says what may be answered. */
  request(value: unknown, head: string): Message {
    if (this.#byType === undefined) return messageOf(value, head);
    const told = head !== "" && findHeader(head, "accept") !== undefined;
    return this.#typedMessage(value, told ? head : head + this.#accept);
  }

  /**
   * The answer to a request with these headers: in the codec the request came in if that carries the value, else in one
   * that the caller accepts, else in the preferred one. Throws `BAD_PAYLOAD` when none carries it.
   */
  answer(value: unknown, head: string, requestHead: string): Message {
    if (this.#byType === undefined) return messageOf(value, head);
    if (!needsCodec(value) || findHeader(head, "content-type") !== undefined)
      return this.#typedMessage(value, head);
    let refusal: unknown;
    for (const codec of this.#candidates(requestHead)) {
      if (codec === json && codec === this.#preferred) return messageOf(value, head); // written where it is sent
      try {
        return Message.ofBytes(encodeBody(codec, value), headFor(codec, head), Format.typed);
      } catch (error) {
        if (!(error instanceof LintelError)) throw error;
        refusal ??= error;
      }
    }
    throw refusal;
  }

  #typedMessage(value: unknown, head: string): Message {
    if (!needsCodec(value)) return messageOf(value, head);
    const contentType = head === "" ? undefined : findHeader(head, "content-type");
    if (contentType !== undefined) {
      const codec = this.find(contentType);
      return codec === undefined ? messageOf(value, head) : Message.ofValue(value, codec, Format.typed, head);
    }
    return Message.ofValue(value, this.#preferred, Format.typed, headFor(this.#preferred, head));
  }

  /** Codecs to try for an answer, in this order. */
  #candidates(requestHead: string): ReadonlySet<Codec> {
    const contentType = findHeader(requestHead, "content-type");
    const asked = contentType === undefined ? undefined : (this.find(contentType) ?? builtInFor(contentType));
    const came =
      asked === json || (asked !== undefined && this.#registered.includes(asked)) ? asked : undefined;
    const order = [...this.#kin(came), this.#preferred, ...this.#registered, json];
    const accept = findHeader(requestHead, "accept");
    if (accept === undefined) return new Set(order);
    const wishes = new Wishes(accept);
    const weights = new Map(order.map((codec) => [codec, wishes.weightOf(codec.contentType)]));
    const wanted = order.filter((codec) => weights.get(codec)! > 0);
    wanted.sort((one, other) => weights.get(other)! - weights.get(one)!);
    const first = came !== undefined && wanted.includes(came) ? [came] : [];
    return new Set([...first, ...wanted, ...order]);
  }

  /** The codec a request came in, and those for other messages of the same type; JSON when it did not say. */
  #kin(came: Codec | undefined): readonly Codec[] {
    if (came === undefined) return [json];
    const type = bareType(came.contentType);
    return [came, ...this.#registered.filter((codec) => bareType(codec.contentType) === type)];
  }
}

const CODEC_OPTIONS: Readonly<Record<string, Check>> = { codec: isCodec, codecs: areCodecs };

/** The codecs a peer was given, or the built-in ones. Throws `invalid_argument` for anything else; `call` is the function that received them. */
export function codecsOf(
  options: { readonly codec?: Codec; readonly codecs?: readonly Codec[] },
  call: string,
): Codecs {
  if (options.codec === undefined && options.codecs === undefined) return Codecs.builtIn;
  checkOptions(call, options, CODEC_OPTIONS);
  return new Codecs(options.codecs, options.codec);
}

function needsCodec(value: unknown): boolean {
  return value !== undefined && typeof value !== "string" && !(value instanceof Uint8Array);
}

/** JSON is what is meant when nothing is said. */
function headFor(codec: Codec, head: string): string {
  return codec === json ? head : head + headerLine("content-type", codec.contentType);
}

/** The first codec of a type has it. */
function indexOf(codecs: readonly Codec[]): Map<string, Codec> {
  const index = new Map<string, Codec>();
  const add = (type: string, codec: Codec): void => {
    if (!index.has(type)) index.set(type, codec);
  };
  for (const codec of codecs) {
    const { contentType, aliases = [] } = codec;
    add(contentType, codec);
    add(contentType.replaceAll(" ", "").toLowerCase(), codec);
    add(bareType(contentType), codec);
    for (const alias of aliases) {
      add(alias, codec);
      const message = contentType.indexOf(";message=");
      if (message >= 0) add((alias + contentType.slice(message)).toLowerCase(), codec);
    }
  }
  return index;
}
