/** What a session tells its owner. Messages are borrowed until the call returns. */
import type { EnabledVerb } from "../message/delivery.ts";
import type { Failure } from "../message/failure.ts";
import type { Message } from "../message/message.ts";
import type { Overflow } from "../message/overflow.ts";
import type { Binding } from "./bindings.ts";

export type PressureLevel = "full" | "answered" | "less" | "room";

export interface SessionLifecycle {
  /** The greeting is done; requests may flow. */
  opened(): void;
  /** The other end takes nothing new; what is under way still ends. */
  goaway(why: Failure): void;
  /** The connection has taken everything that waited. */
  drained(): void;
  /**
   * "full": more waits than it should, and what can wait elsewhere is to wait there; "answered": and one more answer to what
   * the other end has asked; "less": some of it was taken; "room": the session is full no longer.
   */
  pressure?(level: PressureLevel): void;
  /** Nothing more is read, and what is sent from now on is lost. Called once. */
  ended(why: Failure): void;
  /** The connection is gone as well. Called once, after `ended`. */
  closed(why: Failure): void;
}

export interface SessionCalls<R> {
  request(id: number, binding: Binding<R>, request: Message, timeoutMs: number): void;
  /** An answer to request `id`, which had gone to this registration (0: to none in particular). */
  reply(registration: number, id: number, answer: Message): void;
  error(registration: number, id: number, why: Failure): void;
  /** The requester withdrew request `id`, which had come for this registration. */
  cancel(registration: number, id: number, why: Failure): void;
  publish(binding: Binding<R>, publication: Message): void;
  /** So many publications on the subject are missing here. */
  dropped(binding: Binding<R>, count: number): void;
}

export interface SessionRegistrations {
  serve(registration: number, pattern: string, queue: string, concurrency: number): void;
  subscribe(registration: number, pattern: string, overflow: Overflow): void;
  /**
   * The other end enables a pattern for clients. Left out, as every dialer does, this end takes no ENABLE, and does not
   * announce that it does (P-146).
   */
  enable?(registration: number, verb: EnabledVerb, pattern: string): void;
  leave(registration: number): void;
  /** The other end has done what the frame of type `asked` asked for: SERVE, SUBSCRIBE, ENABLE or LEAVE. */
  ready(registration: number, asked: number): void;
  /** The other end does not take the registration, or ends it. */
  refused(registration: number, why: Failure): void;
}
