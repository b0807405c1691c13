export { connect, type ConnectOptions } from "./peer/connect.ts";
export { createHub, type Hub, type HubConfig, type HubStats } from "./hub/hub.ts";
export type { EngineAt } from "./engine/engine-at.ts";
export type { HubListener } from "./gateway/native/listeners.ts";
export type { BeamOptions, PlainMode } from "./gateway/beam/options.ts";
export type { BeamStats } from "./gateway/beam/stats.ts";
export type { CommandsOptions } from "./gateway/commands/options.ts";
export type { CommandsGiven } from "./gateway/commands/kind.ts";
export type { CommandsStats } from "./gateway/commands/stats.ts";
export type { GrpcOptions } from "./gateway/grpc/options.ts";
export type { GrpcStats } from "./gateway/grpc/stats.ts";
export type { HandlerOptions, HttpHandler } from "./gateway/http/embedded.ts";
export type { JobServiceOptions, JobsOptions } from "./gateway/jobs/options.ts";
export type { Access, Credentials, Principal, PrincipalLimits, Verb } from "./access/access.ts";
export type { AccessOptions, CertificateRule, KeyOptions, UnixRule } from "./access/access-options.ts";
export type { Grants } from "./access/grants.ts";
export type { JwtOptions } from "./access/jwt/options.ts";
export type { Role } from "./access/rights.ts";
export type { PeerCertificate, UnixPeer } from "./message/peer-identity.ts";
export type { Identity, Origin } from "./message/origin.ts";
export type {
  DropCause,
  LateReply,
  Observer,
  PollEvent,
  RegistrationEvent,
  RequestRecord,
  SessionEvent,
  SettledRequest,
} from "./observe/observer.ts";
export { LintelError, type LintelErrorOptions } from "./message/failure.ts";
export type { Code, Reason } from "./message/status.ts";
export type { EnabledVerb } from "./message/delivery.ts";
export type { Overflow } from "./message/overflow.ts";
export { DEFAULT_LIMITS, type Limits } from "./message/limits.ts";
export type { HeadersInit, MessageHeaders } from "./message/headers.ts";
export type { Context, HttpRequest, ReplyControl } from "./peer/context.ts";
export type { Codec, CodecSupports, ValueKind } from "./codec/codec.ts";
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
} from "./peer/peer.ts";
export { firstOf, type Attempt, type Destination, type Destinations } from "./peer/first-of.ts";
export { attachment, type AttachmentOptions } from "./peer/node-objects.ts";
export type { OpenFile } from "./peer/open-file.ts";
export type { Attachment } from "./peer/stream/attachment.ts";
export { type Channel, pipe } from "./peer/stream/channel.ts";
export { event, type EventOptions, type SequenceEvent } from "./peer/stream/event.ts";
export type { DuplexStream, ReceivedStream } from "./peer/stream/received.ts";
export type { ListenAt, ListenOptions, TlsOptions } from "./transport/transport.ts";
export { TransportRegistry } from "./transport/registry.ts";
export type {
  Connection,
  ConnectionHandler,
  DialOptions,
  Listener as TransportListener,
  Transport,
  TransportSupports,
} from "./transport/transport.ts";
