/** Checks that a value passed as a codec is one, and says what to write if it is not. */
import type { Check } from "../message/options.ts";
import type { Codec } from "./codec.ts";

/** Functions of `lintel/codecs`, each with what it takes. */
const MADE_BY: Readonly<Record<string, string>> = {
  kv: "kv()",
  msgpack: "msgpack()",
  xml: "xml()",
  protobuf: "protobuf(schema)",
  eisenRequest: "eisenRequest()",
  eisenResponse: "eisenResponse()",
};

export const isCodec: Check = (value) => {
  if (typeof value === "string") return byName(value);
  if (typeof value === "object" || typeof value === "function") return value === null ? ANY : lacks(value);
  return ANY;
};

/** A list of codecs. */
export const areCodecs: Check = (value) => {
  if (!Array.isArray(value)) return `a list of codecs, such as [await msgpack()]`;
  for (const one of value) {
    const wanted = isCodec(one);
    if (wanted !== undefined) return `a list of codecs, each ${wanted}`;
  }
  return undefined;
};

const ANY = 'a codec, such as await msgpack() of "lintel/codecs"';

/** A codec's name, where the codec itself is wanted. */
function byName(name: string): string {
  if (name === "json") return "a codec, or left out for JSON";
  const made = Object.entries(MADE_BY).find(([known]) => known.toLowerCase() === name.toLowerCase());
  if (made !== undefined) return `a codec: await ${made[1]}, with import { ${made[0]} } from "lintel/codecs"`;
  return `${ANY}; there are ${Object.keys(MADE_BY).join(", ")}`;
}

function lacks(value: object): string | undefined {
  const given = value as Partial<Record<keyof Codec, unknown>> & { readonly then?: unknown };
  const isThere =
    typeof given.contentType === "string" &&
    typeof given.encode === "function" &&
    typeof given.decode === "function" &&
    typeof given.transfer === "function";
  if (isThere) return undefined;
  const made = typeof given.name === "string" ? MADE_BY[given.name] : undefined;
  if (typeof value === "function") return `called: await ${made ?? "msgpack()"}`;
  if (typeof given.then === "function") return "waited for: await msgpack()";
  return `${ANY}, with contentType, encode, decode and transfer`;
}
