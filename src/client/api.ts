/** What the client has everywhere, besides `connect`. */
export { LintelError, type LintelErrorOptions } from "../message/failure.ts";
export type { Code, Reason } from "../message/status.ts";
export type { EnabledVerb } from "../message/delivery.ts";
export type { Overflow } from "../message/overflow.ts";
export { DEFAULT_LIMITS, type Limits } from "../message/limits.ts";
export type { HeadersInit, MessageHeaders } from "../message/headers.ts";
export type { Context, HttpRequest, ReplyControl } from "../peer/context.ts";
export type { Codec, CodecSupports, ValueKind } from "../codec/codec.ts";
export { msgpack } from "../codec/msgpack.ts";
export type {
  CodecOptions,
  Enablement,
  Handler,
  Listener,
  Peer,
  Publication,
  PublishOptions,
  Reply,
  RequestOptions,
  ServeOptions,
  Service,
  SubscribeOptions,
  Subscription,
} from "../peer/peer.ts";
export type { ConnectOptions } from "./connect.ts";
export { event, type EventOptions, type SequenceEvent } from "../peer/stream/event.ts";
