import { HeldJobs } from "../../engine/held-jobs.ts";
import type { Registration, Route, Worker } from "../../message/delivery.ts";
import { toFailure, type Failure } from "../../message/failure.ts";
import type { Message } from "../../message/message.ts";
import { discardStreams } from "../../stream/stream.ts";
import type { Origin } from "../../message/origin.ts";
import type { OutBinding } from "../../session/bindings.ts";
import type { Session } from "../../session/session.ts";
import type { FullWorkers, SessionGroup } from "./full-sessions.ts";

/** Where workers of one gateway know how many of their group are paused. */
export type Groups = Pick<FullWorkers<never>, "join" | "leave">;

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
  readonly #jobs: HeldJobs;
  readonly #queue: string;
  readonly #groups: Groups;
  /** Undefined when it takes nothing new any more. */
  #group: SessionGroup | undefined;
  /** Numbers of the subjects requests came for: one, unless the pattern has wildcards. */
  #lastRoute: Route | undefined;
  #lastBinding: OutBinding | undefined;
  readonly #bindings = new Map<string, OutBinding>();

  /** `onGone` is called when it has left and its last job has ended. */
  constructor(session: Session<Route>, groups: Groups, asked: Asked, origin: Origin, onGone: () => void) {
    this.#session = session;
    this.origin = origin;
    this.#number = asked.number;
    this.#pattern = asked.pattern;
    this.#jobs = new HeldJobs(asked.concurrency, onGone);
    this.#queue = asked.queue;
    this.#groups = groups;
    this.#group = groups.join(asked.pattern, asked.queue);
    if (session.pressure.isFull) this.pause();
  }

  join(registration: Registration): Promise<void> {
    return this.#jobs.join(registration);
  }

  /** Takes nothing new until `resume`: requests wait in the queue of its group. */
  pause(): void {
    if (this.#jobs.pause() && this.#group !== undefined) this.#group.paused++;
  }

  resume(): void {
    if (!this.#jobs.isPaused) return;
    if (this.#group !== undefined) this.#group.paused--;
    this.#jobs.resume();
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
    if (this.#jobs.isPaused) this.#group.paused--;
    this.#group = undefined;
    this.#groups.leave(this.#pattern, this.#queue);
  }

  execute(job: number, route: Route, request: Message, timeoutMs: number): void {
    const binding = route === this.#lastRoute ? this.#lastBinding! : this.#bind(route);
    this.#jobs.hold(job);
    try {
      this.#session.request(binding, job, request, timeoutMs);
    } catch (error) {
      this.fail(job, toFailure(error));
    }
  }

  cancel(job: number, why: Failure): void {
    this.#session.cancel(this.#number, job, why);
    this.#jobs.canceled();
  }

  reply(job: number, answer: Message, now: number | undefined): void {
    if (!this.#jobs.reply(job, answer, now)) discardStreams(answer);
  }

  fail(job: number, why: Failure): void {
    this.#jobs.fail(job, why);
  }

  /** Resolves when the engine hands it nothing new any more. */
  leave(): Promise<void> {
    this.end();
    return this.#jobs.leave();
  }

  lose(): void {
    this.end();
    this.#jobs.lose();
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
