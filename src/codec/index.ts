/** Codecs beside those every peer has. Each is made by a function, and loads what it needs when it is made. */
export type { CallableCodec } from "./callable.ts";
export type { Codec, CodecSupports, ValueKind } from "./codec.ts";
export { eisenRequest, eisenResponse, type EisenRequest, type EisenResponse } from "./eisenbeton.ts";
export { kv } from "./kv.ts";
export { msgpack } from "./msgpack.ts";
export { protobuf, type ProtobufCodec } from "./protobuf.ts";
export { xml, type XmlOptions } from "./xml.ts";
