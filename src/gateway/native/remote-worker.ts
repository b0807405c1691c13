import type { Registration, Route, Worker } from "../../message/delivery.ts";
import { LintelError, failure, type Failure } from "../../message/failure.ts";
import type { Message } from "../../message/message.ts";
import { discardStreams } from "../../message/stream.ts";
import type { OutBinding } from "../../session/bindings.ts";
import type { Session } from "../../session/session.ts";

/** Subjects of one wildcard service that keep their number; past this the numbers are given anew. */
const MAX_SUBJECTS = 16_384;

/** A service at the other end of a session, as the engine sees it. The engine's job numbers go over the wire as they are. */
export class RemoteWorker implements Worker {
  readonly #session: Session<Route>;
  readonly #number: number;
  readonly #pattern: string;
  readonly #onGone: () => void;
  /** Numbers of the subjects requests came for: one, unless the pattern has wildcards. */
  #lastRoute: Route | undefined;
  #lastBinding: OutBinding | undefined;
  readonly #bindings = new Map<string, OutBinding>();
  #registration: Registration | undefined;
  #held = 0;
  #leaving: Promise<void> | undefined;
  /** Nothing new can come any more. */
  #hasLeft = false;

  /** `onGone` is called when it has left and its last job has ended. */
  constructor(session: Session<Route>, number: number, pattern: string, onGone: () => void) {
    this.#session = session;
    this.#number = number;
    this.#pattern = pattern;
    this.#onGone = onGone;
  }

  get pattern(): string {
    return this.#pattern;
  }

  join(registration: Registration): Promise<void> {
    this.#registration = registration;
    return registration.ready;
  }

  execute(job: number, route: Route, request: Message, timeoutMs: number): void {
    const binding = route === this.#lastRoute ? this.#lastBinding! : this.#bind(route);
    this.#held++;
    try {
      this.#session.request(binding, job, request, timeoutMs);
    } catch (error) {
      const why = error instanceof LintelError ? error.toFailure() : failure("HANDLER_FAILED");
      // Joining a group hands over what is queued there, before the registration is known.
      if (this.#registration === undefined) queueMicrotask(() => this.fail(job, why));
      else this.fail(job, why);
    }
  }

  cancel(job: number, why: Failure): void {
    this.#session.cancel(this.#number, job, why);
    this.#ended();
  }

  reply(job: number, answer: Message): void {
    if (this.#registration?.reply(job, answer) === true) this.#ended();
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
    this.#registration?.lose();
  }

  async #leave(): Promise<void> {
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
