/** For gateways of your own: `lintel/gateway`, for Node only. */
export type { Counters, Gateway, GatewayContext, GatewayEntry, GatewayKind } from "./gateway.ts";
export type { Delivery, HttpApi, HttpCall } from "./http-api.ts";
export { requestBytes, type BytesAnswer, type BytesRequest } from "./request-bytes.ts";
export type { PortPlace, PortSessions, SharedPort } from "./shared-port.ts";
export type { Admission, Admitted } from "../access/admission.ts";
export type { Access, Credentials, Principal, Verb } from "../access/access.ts";
export { checkServe, checkSubscribe, type CheckedService } from "../engine/check-options.ts";
export type { Engine, EngineSupports } from "../engine/engine.ts";
export type {
  Capacity,
  Registration,
  Route,
  ServeOptions,
  Sink,
  SubscribeOptions,
  Subscriber,
  Subscription,
  Worker,
} from "../message/delivery.ts";
export { LintelError, failure, type Failure } from "../message/failure.ts";
export type { Limits } from "../message/limits.ts";
export { Format, Message } from "../message/message.ts";
export type { Origin } from "../message/origin.ts";
export type { Observer } from "../observe/observer.ts";
export type { Clock } from "../runtime/clock.ts";
export type { Section } from "../schema/section.ts";
