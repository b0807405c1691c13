import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import type { Codec } from "./codec.ts";
import { MAX_DEPTH, undecodable, unwritable, writingAs } from "./refusal.ts";

/** A codec whose values are messages of one schema. */
export interface ProtobufCodec<D extends DescMessage> extends Codec {
  decode(bytes: Uint8Array, start: number, end: number): MessageShape<D>;
  transfer(value: unknown): MessageShape<D>;
}

/**
 * Protocol Buffers, for messages of one schema: the descriptor that `protoc-gen-es` generates. Fields that the schema
 * does not know are kept. A value that is no message of this schema is refused; `create(schema, ...)` makes one.
 * Resolves when `@bufbuild/protobuf`, which the schema comes from as well, is loaded.
 */
export async function protobuf<D extends DescMessage>(schema: D): Promise<ProtobufCodec<D>> {
  const { fromBinary, toBinary, isMessage } = await import("@bufbuild/protobuf");
  const name = schema.typeName;

  const encode = (value: unknown): Uint8Array => {
    if (!isMessage(value, schema)) throw unwritable(`protobuf ${name}`, "it is not a message of this type");
    return writingAs(`protobuf ${name}`, () => toBinary(schema, value));
  };
  const decode = (bytes: Uint8Array, start: number, end: number): MessageShape<D> => {
    try {
      return fromBinary(schema, bytes.subarray(start, end), { recursionLimit: MAX_DEPTH });
    } catch (error) {
      throw undecodable(
        `protobuf ${name}`,
        error instanceof Error ? error.message : String(error),
        undefined,
        error,
      );
    }
  };
  return {
    name: "protobuf",
    contentType: `application/protobuf;message=${name}`,
    aliases: ["application/x-protobuf"],
    supports: { kinds: [], depth: MAX_DEPTH, empty: true, strict: true },
    encode,
    decode,
    transfer(value) {
      const bytes = encode(value);
      return decode(bytes, 0, bytes.length);
    },
  };
}
