/** One session of the native protocol at a hub: its requests go to the engine, the engine's requests to its services. */
import { NumberMap } from "../../broker/number-map.ts";
import type { Engine } from "../../engine/engine.ts";
import type { Route, Sink } from "../../message/delivery.ts";
import { LintelError, failure, type Failure } from "../../message/failure.ts";
import type { Message } from "../../message/message.ts";
import type { Binding } from "../../session/bindings.ts";
import type { SessionCalls, SessionLifecycle, SessionRegistrations } from "../../session/events.ts";
import type { Flusher, Outbox } from "../../session/outbox.ts";
import type { Limits } from "../../message/limits.ts";
import type { SessionLimits } from "../../session/options.ts";
import { Session } from "../../session/session.ts";
import type { Clock } from "../../message/clock.ts";
import type { Connection } from "../../transport/transport.ts";
import { FIRST_OWN_BINDING, type FanOut, type FanOutTarget, type Feed } from "./fan-out.ts";
import { FrameType } from "../../wire/frame.ts";
import { RemoteWorker } from "./remote-worker.ts";

const IN_FLIGHT_FULL = Object.freeze(
  failure("IN_FLIGHT_FULL", "this session has too many requests in flight"),
);

export interface ConnectionOptions {
  readonly engine: Engine;
  readonly fanOut: FanOut;
  readonly flusher: Flusher;
  readonly clock: Clock;
  readonly name: string;
  readonly limits: SessionLimits & Pick<Limits, "registrations" | "sessionInFlight">;
  /** Called once when the session is over. */
  readonly onClosed: (connection: NativeConnection, why: Failure) => void;
}

export class NativeConnection
  implements Sink, FanOutTarget, SessionLifecycle, SessionCalls<Route>, SessionRegistrations
{
  readonly session: Session<Route>;
  readonly outbox: Outbox;
  readonly #engine: Engine;
  readonly #options: ConnectionOptions;
  /** The session's requests in flight: its number for each, and the engine's handle. */
  readonly #handles = new NumberMap();
  readonly #workers = new Map<number, RemoteWorker>();
  readonly #patterns = new Map<number, string>();
  /** What the shared numbers stand for on this session. */
  readonly #feeds: (Feed | undefined)[] = [];
  /** Publications that were dropped because the session was slow. */
  droppedPublications = 0;

  constructor(connection: Connection, options: ConnectionOptions) {
    this.#engine = options.engine;
    this.#options = options;
    this.session = new Session<Route>(connection, {
      role: "acceptor",
      name: options.name,
      limits: options.limits,
      clock: options.clock,
      flusher: options.flusher,
      lifecycle: this,
      calls: this,
      registrations: this,
      firstBinding: FIRST_OWN_BINDING,
    });
    this.outbox = this.session.outbox;
  }

  // SessionLifecycle

  opened(): void {
    // nothing to do: the other end begins
  }

  goaway(): void {
    for (const worker of this.#workers.values()) void worker.leave();
  }

  drained(): void {
    // publications are dropped, not held, while a session is slow
  }

  ended(): void {
    // P-19: handles first, so that no outcome comes back to a session that cannot send it
    for (const handle of this.#handles.clear()) this.#engine.cancel(handle);
    for (const worker of this.#workers.values()) worker.lose();
    this.#workers.clear();
    for (const pattern of this.#patterns.values()) this.#options.fanOut.remove(pattern, this);
    this.#patterns.clear();
    this.#feeds.length = 0;
  }

  closed(why: Failure): void {
    this.#options.onClosed(this, why);
  }

  // SessionCalls

  request(id: number, binding: Binding<Route>, request: Message, timeoutMs: number): void {
    if (this.#handles.get(id) !== 0) {
      // P-40
      this.session.fail(failure("BAD_FRAME", `request ${id} is in flight already`));
      return;
    }
    if (this.#handles.size >= this.#options.limits.sessionInFlight) {
      this.session.error(0, id, IN_FLIGHT_FULL);
      return;
    }
    const route = (binding.resolved ??= this.#engine.route(binding.subject));
    const handle = this.#engine.request(route, request, timeoutMs, this, id);
    if (handle !== 0) this.#handles.set(id, handle);
  }

  reply(registration: number, id: number, answer: Message): void {
    this.#workers.get(registration)?.reply(id, answer);
  }

  error(registration: number, id: number, why: Failure): void {
    this.#workers.get(registration)?.fail(id, why);
  }

  cancel(_registration: number, id: number, why: Failure): void {
    const handle = this.#handles.take(id);
    if (handle !== 0) this.#engine.cancel(handle, why); // P-44
  }

  publish(binding: Binding<Route>, publication: Message): void {
    try {
      void this.#engine.publish((binding.resolved ??= this.#engine.route(binding.subject)), publication);
    } catch {
      this.droppedPublications++; // P-61: the engine is closed or has lost its hub; a publication has no answer
    }
  }

  // SessionRegistrations

  serve(registration: number, pattern: string, queue: string, concurrency: number): void {
    if (!this.#mayRegister(registration)) return;
    const worker = new RemoteWorker(this.session, registration, pattern, () =>
      this.#workers.delete(registration),
    );
    this.#workers.set(registration, worker);
    this.#settle(registration, FrameType.serve, () =>
      worker.join(this.#engine.serve(pattern, worker, { queue, concurrency: concurrency || undefined })),
    );
  }

  subscribe(registration: number, pattern: string): void {
    if (!this.#mayRegister(registration)) return;
    this.#patterns.set(registration, pattern);
    this.#settle(registration, FrameType.subscribe, () => this.#options.fanOut.add(pattern, this));
  }

  leave(registration: number): void {
    const worker = this.#workers.get(registration);
    if (worker !== undefined) {
      // P-55: what the engine has sent on its way meanwhile comes before
      void worker.leave().then(() => this.session.ready(registration, FrameType.leave));
      return;
    }
    const pattern = this.#patterns.get(registration);
    if (pattern !== undefined) {
      this.#patterns.delete(registration);
      this.#options.fanOut.remove(pattern, this);
    }
    this.session.ready(registration, FrameType.leave); // P-55
  }

  ready(): void {
    // this end registers nothing
  }

  refused(): void {
    // this end registers nothing
  }

  // Sink: outcomes of the session's requests

  answered(tag: number, answer: Message): void {
    this.#handles.take(tag);
    try {
      this.session.reply(0, tag, answer);
    } catch (error) {
      this.session.error(0, tag, sendFailure(error));
    }
  }

  failed(tag: number, why: Failure): void {
    this.#handles.take(tag);
    this.session.error(0, tag, why);
  }

  // FanOutTarget

  get maxPayload(): number {
    return this.session.maxPayload;
  }

  get maxHeaders(): number {
    return this.session.maxHeaders;
  }

  get isSlow(): boolean {
    return this.outbox.queued > this.#options.limits.sessionBuffer;
  }

  bindFeed(feed: Feed): void {
    if (this.#feeds[feed.number] === feed) return;
    this.#feeds[feed.number] = feed;
    this.session.bindNumber(feed.number, 0, feed.route.subject);
  }

  dropped(count: number): void {
    this.droppedPublications += count;
  }

  #mayRegister(registration: number): boolean {
    if (this.#workers.has(registration) || this.#patterns.has(registration)) {
      this.session.fail(failure("BAD_FRAME", `registration ${registration} exists already`)); // P-53
      return false;
    }
    const { registrations } = this.#options.limits;
    if (this.#workers.size + this.#patterns.size < registrations) return true;
    // P-54
    this.session.refuse(
      registration,
      failure("TOO_MANY", `more than ${registrations} services and subscriptions`),
    );
    return false;
  }

  /** Tells the session how its registration went. */
  #settle(registration: number, asked: FrameType, register: () => Promise<void>): void {
    const refuse = (error: unknown): void => {
      this.#workers.delete(registration);
      const pattern = this.#patterns.get(registration);
      this.#patterns.delete(registration);
      if (pattern !== undefined) this.#options.fanOut.remove(pattern, this);
      this.session.refuse(registration, sendFailure(error));
    };
    try {
      register().then(() => this.session.ready(registration, asked), refuse);
    } catch (error) {
      refuse(error);
    }
  }
}

/** What to tell the other end of an error of this one. */
export function sendFailure(error: unknown): Failure {
  return error instanceof LintelError ? error.toFailure() : failure("HANDLER_FAILED");
}
