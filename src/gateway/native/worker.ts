import type { Registration, Route, Worker } from "../../message/delivery.ts";
import { toFailure, type Failure } from "../../message/failure.ts";
import type { Message } from "../../message/message.ts";
import { discardStreams } from "../../stream/stream.ts";
import type { Origin } from "../../message/origin.ts";
import type { OutBinding } from "../../session/bindings.ts";
import type { Session } from "../../session/session.ts";
import type { FullSessions, SessionGroup } from "./full-sessions.ts";

/** Where workers of one gateway know how many of their group are paused. */
export type Groups = Pick<FullSessions<never>, "join" | "leave">;

/** Subjects of one wildcard service that keep their number; past this the numbers are given anew. */
const MAX_SUBJECTS = 16_384;

/** What a SERVE asked for. */
export interface Asked {
  readonly number: number;
  readonly pattern: string;
  readonly queue: string;
  readonly concurrency: number;
}

/** A service at the other end of a session, as the engine sees it. The engine's job numbers go over the wire as they are. */
export class NativeWorker implements Worker {
  readonly origin: Origin;
  readonly #session: Session<Route>;
  readonly #number: number;
  readonly #pattern: string;
  /** Requests it takes at a time. */
  readonly #concurrency: number;
  readonly #onGone: () => void;
  readonly #queue: string;
  readonly #groups: Groups;
  /** Undefined when it takes nothing new any more. */
  #group: SessionGroup | undefined;
  /** Numbers of the subjects requests came for: one, unless the pattern has wildcards. */
  #lastRoute: Route | undefined;
  #lastBinding: OutBinding | undefined;
  readonly #bindings = new Map<string, OutBinding>();
  #registration: Registration | undefined;
  #held = 0;
  /** True while it takes nothing because its session is full. */
  #isPaused = false;
  #leaving: Promise<void> | undefined;
  /** Nothing new can come any more. */
  #hasLeft = false;

  /** `onGone` is called when it has left and its last job has ended. */
  constructor(session: Session<Route>, groups: Groups, asked: Asked, origin: Origin, onGone: () => void) {
    this.#session = session;
    this.origin = origin;
    this.#number = asked.number;
    this.#pattern = asked.pattern;
    this.#concurrency = asked.concurrency;
    this.#onGone = onGone;
    this.#queue = asked.queue;
    this.#groups = groups;
    this.#group = groups.join(asked.pattern, asked.queue);
    if (session.pressure.isFull) this.pause();
  }

  join(registration: Registration): Promise<void> {
    this.#registration = registration;
    if (this.#isPaused) registration.capacity?.resize(0);
    return registration.ready;
  }

  /** Takes nothing new until `resume`: requests wait in the queue of its group. */
  pause(): void {
    if (this.#isPaused) return;
    this.#isPaused = true;
    if (this.#group !== undefined) this.#group.paused++;
    this.#registration?.capacity?.resize(0); // an engine without places sends what the worker has asked for
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    if (this.#group !== undefined) this.#group.paused--;
    this.#registration?.capacity?.resize(this.#concurrency);
  }

  /** True when requests on this route wait for it, or for others of its group that are paused like it. */
  keepsWaiting(route: Route): boolean {
    const group = this.#group;
    if (group === undefined || group.paused < group.workers) return false;
    return route === this.#lastRoute || this.#pattern === route.subject || this.#bindings.has(route.subject);
  }

  /** It takes nothing new any more. */
  end(): void {
    if (this.#group === undefined) return;
    if (this.#isPaused) this.#group.paused--;
    this.#group = undefined;
    this.#groups.leave(this.#pattern, this.#queue);
  }

  execute(job: number, route: Route, request: Message, timeoutMs: number): void {
    const binding = route === this.#lastRoute ? this.#lastBinding! : this.#bind(route);
    this.#held++;
    try {
      this.#session.request(binding, job, request, timeoutMs);
    } catch (error) {
      this.fail(job, toFailure(error));
    }
  }

  cancel(job: number, why: Failure): void {
    this.#session.cancel(this.#number, job, why);
    this.#ended();
  }

  reply(job: number, answer: Message, now: number | undefined): void {
    if (this.#registration?.reply(job, answer, now) === true) this.#ended();
    else discardStreams(answer);
  }

  fail(job: number, why: Failure): void {
    if (this.#registration?.fail(job, why) === true) this.#ended();
  }

  /** Resolves when the engine hands it nothing new any more. */
  leave(): Promise<void> {
    this.#leaving ??= this.#leave();
    return this.#leaving;
  }

  lose(): void {
    this.end();
    this.#registration?.lose();
  }

  async #leave(): Promise<void> {
    this.end();
    await this.#registration?.leave();
    this.#hasLeft = true;
    if (this.#held === 0) this.#onGone();
  }

  #ended(): void {
    this.#held--;
    if (this.#hasLeft && this.#held === 0) this.#onGone();
  }

  #bind(route: Route): OutBinding {
    let binding = this.#bindings.get(route.subject);
    if (binding === undefined) {
      if (this.#bindings.size >= MAX_SUBJECTS) this.#bindings.clear();
      binding = { subject: route.subject, registration: this.#number, number: 0 };
      this.#bindings.set(route.subject, binding);
    }
    this.#lastRoute = route;
    this.#lastBinding = binding;
    return binding;
  }
}
