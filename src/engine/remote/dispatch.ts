import type { Clock } from "../../runtime/clock.ts";
import type { Route } from "../../message/delivery.ts";
import { LintelError, failure, type Failure } from "../../message/failure.ts";
import type { Message } from "../../message/message.ts";
import type { Observer } from "../../observe/observer.ts";
import { discardStreams } from "../../stream/stream.ts";
import type { Binding } from "../../session/bindings.ts";
import type { SessionCalls, SessionRegistrations } from "../../session/events.ts";
import type { Session } from "../../session/session.ts";
import { FrameType } from "../../wire/frame.ts";
import type { Jobs } from "./jobs.ts";
import type { Outgoing } from "./outgoing.ts";
import type { Incoming, Registrations, ServiceEntry } from "./registrations.ts";

export interface DispatchOptions {
  readonly outgoing: Outgoing;
  readonly jobs: Jobs;
  readonly registered: Registrations;
  readonly clock: Clock;
  readonly session: () => Session<Incoming> | undefined;
  readonly observer: Observer | undefined;
  /** A request has ended. */
  readonly onEnded: () => void;
}

const NO_SERVICE = Object.freeze(
  failure("NO_RESPONDERS", "this peer does not serve the subject (any longer)"),
);
const UNIMPLEMENTED: Failure = Object.freeze(
  new LintelError("unimplemented", "a peer that dialed accepts no registrations").toFailure(),
);

/** What arrives from the hub: outcomes of requests made here, and requests and publications for what is served here. */
export class Dispatch implements SessionCalls<Incoming>, SessionRegistrations {
  readonly #options: DispatchOptions;
  /** An observer measures how long requests take. */
  readonly #timesReplies: boolean;

  constructor(options: DispatchOptions) {
    this.#options = options;
    this.#timesReplies = options.observer?.settled !== undefined;
  }

  request(id: number, binding: Binding<Incoming>, request: Message, timeoutMs: number): void {
    const { jobs, clock, session } = this.#options;
    const service = binding.resolved?.service ?? this.#resolve(binding).service;
    if (service === undefined || service.lost) return this.#refuse(binding, id, request, NO_SERVICE);
    if (timeoutMs === 0) return this.#refuse(binding, id, request, failure("DEADLINE")); // P-41
    if (jobs.holds(id)) {
      // P-40
      session()?.fail(failure("BAD_FRAME", `request ${id} is in flight already`));
      return;
    }
    const now = session()?.heartbeat.heardAt ?? clock.now();
    const job = jobs.add(id, service, now + timeoutMs);
    if (job === 0) this.#refuse(binding, id, request, failure("IN_FLIGHT_FULL"));
    else service.worker.execute(job, binding.resolved!.route, request, timeoutMs, now, 1);
  }

  reply(_registration: number, id: number, answer: Message): void {
    const now = this.#timesReplies ? this.#options.session()?.heartbeat.heardAt : undefined;
    if (!this.#options.outgoing.answered(id, answer, now)) discardStreams(answer); // late
  }

  error(_registration: number, id: number, why: Failure): void {
    this.#options.outgoing.failed(id, why);
  }

  cancel(_registration: number, id: number, why: Failure): void {
    this.#options.jobs.cancel(id, why);
    this.#options.onEnded();
  }

  publish(binding: Binding<Incoming>, publication: Message): void {
    const incoming = binding.resolved ?? this.#resolve(binding);
    const listeners = this.#options.registered.listeners(incoming);
    for (let index = 0; index < listeners.length; index++)
      listeners[index]!.deliver(incoming.route, publication);
  }

  dropped(binding: Binding<Incoming>, count: number): void {
    const incoming = binding.resolved ?? this.#resolve(binding);
    for (const listener of this.#options.registered.listeners(incoming)) {
      listener.missed?.(incoming.route, count); // P-65
    }
    this.#options.observer?.dropped?.(binding.subject, count, "upstream");
  }

  serve(registration: number): void {
    this.#options.session()?.refuse(registration, UNIMPLEMENTED);
  }

  subscribe(registration: number): void {
    this.#options.session()?.refuse(registration, UNIMPLEMENTED);
  }

  leave(registration: number): void {
    this.#options.session()?.ready(registration, FrameType.leave); // P-55: also when nothing was registered
  }

  ready(registration: number, asked: number): void {
    this.#options.registered.ready(registration, asked);
    this.#options.onEnded();
  }

  refused(registration: number, why: Failure): void {
    this.#options.registered.refused(registration, why);
    this.#options.onEnded();
  }

  #refuse(binding: Binding<Incoming>, id: number, request: Message, why: Failure): void {
    this.#options.session()?.error(binding.registration, id, why);
    discardStreams(request, why);
  }

  #resolve(binding: Binding<Incoming>): Incoming {
    const { registered } = this.#options;
    const route: Route = { subject: binding.subject };
    const service: ServiceEntry | undefined = registered.service(binding.registration);
    binding.resolved = { route, service, subscribers: [], version: 0 };
    return binding.resolved;
  }
}
