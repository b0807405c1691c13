/** What the programs of a gateway matrix say to each other. */

/** A payload, as far as gateways tell payloads apart. `content` is the text, the JSON text, the bytes in hexadecimal, or "". */
export interface Payload {
  readonly kind: "text" | "json" | "bytes" | "none";
  readonly content: string;
}

export const NOTHING: Payload = { kind: "none", content: "" };

export function textOf(content: string): Payload {
  return { kind: "text", content };
}

/** `content` is JSON as it is written: its digits and the order of its keys count. */
export function jsonOf(content: string): Payload {
  return { kind: "json", content };
}

export function bytesOf(bytes: Uint8Array): Payload {
  return { kind: "bytes", content: Buffer.from(bytes).toString("hex") };
}

/** What every gateway is tried with. */
export const SAMPLE_NAMES = [
  "a text",
  "a JSON object",
  "a list of texts",
  "a number of 20 digits",
  "bytes",
  "nothing",
] as const;
export type SampleName = (typeof SAMPLE_NAMES)[number];

export const SAMPLES: Readonly<Record<SampleName, Payload>> = {
  "a text": textOf("one\r\n.two\n.\r\nthré ☕\n"),
  "a JSON object": jsonOf('{"name":"thé","n":-1.5,"deep":[[null,true],{}]}'),
  "a list of texts": jsonOf('["tea","two words","☕"]'),
  "a number of 20 digits": jsonOf('{"n":12345678901234567890,"price":1.50}'),
  bytes: bytesOf(Buffer.from([0, 255, 13, 10, 46])),
  nothing: NOTHING,
};

/** The payload as it travels by a protocol that has bytes and a content type. */
export interface TypedBytes {
  readonly body: Uint8Array;
  /** Undefined for nothing. */
  readonly contentType: string | undefined;
}

const TYPES = {
  text: "text/plain; charset=utf-8",
  json: "application/json",
  bytes: "application/octet-stream",
  none: undefined,
} as const satisfies Record<Payload["kind"], string | undefined>;

export function toTyped({ kind, content }: Payload): TypedBytes {
  return { body: Buffer.from(content, kind === "bytes" ? "hex" : "utf8"), contentType: TYPES[kind] };
}

/** Throws for a type that no sample has: what arrives must say what it is. */
export function fromTyped({ body, contentType }: TypedBytes): Payload {
  const [type] = (contentType ?? "").split(";");
  if (type === "application/json") return jsonOf(Buffer.from(body).toString());
  if (type === "text/plain") return textOf(Buffer.from(body).toString());
  if (type === "application/octet-stream") return bytesOf(body);
  if (type === "" && body.length === 0) return NOTHING;
  throw new Error(`a payload of the type "${type}" with ${body.length} bytes`);
}
