/** One session of the native protocol at a hub: its requests go to the engine, the engine's requests to its services. */
import { NumberMap } from "../../collections/number-map.ts";
import type { EnabledVerb, Enabling, Route, Sink } from "../../message/delivery.ts";
import { failure, toFailure, type Failure } from "../../message/failure.ts";
import type { Message } from "../../message/message.ts";
import { discardStreams } from "../../stream/stream.ts";
import type { Origin } from "../../message/origin.ts";
import { refusedRequest } from "../../observe/request-watch.ts";
import { unsentAnswer } from "../../message/unsent.ts";
import type { Overflow } from "../../message/overflow.ts";
import type { Binding } from "../../session/bindings.ts";
import type {
  PressureLevel,
  SessionCalls,
  SessionLifecycle,
  SessionRegistrations,
} from "../../session/events.ts";
import type { Outbox } from "../../session/outbox.ts";
import { sideChannels } from "../../session/side-channels/side-channels.ts";
import { Session } from "../../session/session.ts";
import type { Connection } from "../../transport/transport.ts";
import { FrameType } from "../../wire/frame.ts";
import { FIRST_OWN_BINDING } from "./fan-out.ts";
import type { FanOutTarget, Feed } from "./feed.ts";
import { Backpressure } from "./backpressure.ts";
import type { ConnectionOptions } from "./connection-options.ts";
import type { FullSessions } from "./full-sessions.ts";
import { NativeWorker } from "./worker.ts";
import { SessionPrincipal } from "./session-principal.ts";
import { SlowConsumer } from "./slow-consumer.ts";
import { SessionSubscriptions } from "./subscriptions.ts";

const IN_FLIGHT_FULL = Object.freeze(
  failure("IN_FLIGHT_FULL", "this session has too many requests in flight"),
);

export class NativeConnection
  implements Sink, FanOutTarget, SessionLifecycle, SessionCalls<Route>, SessionRegistrations
{
  readonly session: Session<Route>;
  readonly outbox: Outbox;
  readonly #principal: SessionPrincipal;
  readonly #options: ConnectionOptions;
  /** The session's requests in flight: its number for each, and the engine's handle. */
  readonly #handles = new NumberMap();
  readonly #workers = new Map<number, NativeWorker>();
  readonly #subscriptions: SessionSubscriptions;
  /** What it enables clients to do. */
  readonly #enablings = new Map<number, Enabling>();
  /** What the shared numbers stand for on this session. */
  readonly #feeds: (Feed | undefined)[] = [];
  readonly #slow: SlowConsumer;
  /** The engine counts deadlines by the clock of the session. */
  readonly #sharesClock: boolean;
  /** An observer measures how long requests take. */
  readonly #timesReplies: boolean;
  readonly #fullSessions: FullSessions<Backpressure>;
  readonly #backpressure: Backpressure;
  /** The session is ended because a subscription that must not miss anything would have. */
  wantedNoGaps: boolean = false;
  /** The session has ended; what it has had is being ended. */
  #isOver = false;

  constructor(connection: Connection, options: ConnectionOptions) {
    const { admission } = options;
    this.#principal = new SessionPrincipal(connection, options, (why) => this.session.fail(why)); // P-145
    this.#subscriptions = new SessionSubscriptions(this.#principal);
    this.#options = options;
    this.session = new Session<Route>(connection, {
      role: "acceptor",
      name: options.name,
      limits: options.limits,
      clock: options.clock,
      flusher: options.flusher,
      openStreams: options.openStreams,
      room: options.share,
      lifecycle: this,
      calls: this,
      registrations: this,
      admit: admission.isOpen ? undefined : this.#principal.admit,
      descriptorChannels: options.lanes,
      sideChannels,
      firstBinding: FIRST_OWN_BINDING,
      isShort: () => options.fullSessions.isShort,
    });
    this.#sharesClock = options.engine.clock === options.clock;
    this.#timesReplies = this.#sharesClock && options.observer?.settled !== undefined;
    this.#fullSessions = options.fullSessions;
    this.#backpressure = new Backpressure({
      session: this.session,
      workers: this.#workers,
      fullSessions: options.fullSessions,
      fullWorkers: () => this.#principal.tenant.full,
      clock: options.clock,
      stallTimeout: options.limits.stallTimeout,
    });
    this.outbox = this.session.outbox;
    this.#slow = new SlowConsumer(this, options.limits.sessionBuffer, options.drops, options.share);
  }

  // SessionLifecycle

  opened(): void {
    this.#options.onGreeted?.();
  }

  goaway(): void {
    for (const worker of this.#workers.values()) void worker.leave();
  }

  drained(): void {
    this.#slow.drained();
  }

  pressure(level: PressureLevel): void {
    this.#backpressure.changed(level);
  }

  ended(why: Failure): void {
    this.#backpressure.end();
    this.#options.onEnded(why);
    this.#isOver = true;
    this.#principal.end();
    const { endings } = this.#options;
    // P-19: handles first, so that no outcome comes back to a session that cannot send it
    const handles = this.#handles.clear();
    if (handles.length > 0) endings.run(() => this.#cancelOne(handles));
    if (this.#workers.size > 0) endings.run(() => this.#loseOne());
    if (this.#subscriptions.size > 0) endings.run(() => this.#subscriptions.removeOne());
    for (const enabling of this.#enablings.values()) void enabling.close(); // P-150: at once
    this.#enablings.clear();
    this.#slow.clear();
    this.#feeds.length = 0;
  }

  closed(why: Failure): void {
    this.#options.share.end();
    this.#options.onClosed(why);
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
      discardStreams(request, IN_FLIGHT_FULL);
      const told = refusedRequest(binding.subject, this.origin, timeoutMs, IN_FLIGHT_FULL);
      this.#options.observer?.settled?.(told);
      return;
    }
    const route = (binding.resolved ??= this.#principal.engine.route(binding.subject));
    const now = this.#sharesClock ? this.session.heartbeat.heardAt : undefined;
    const handle = this.#principal.engine.request(route, request, timeoutMs, this, id, now);
    if (handle === 0) return;
    this.#handles.set(id, handle);
    if (this.#principal.tenant.full.sessions.size > 0) this.#backpressure.requested(route);
  }

  reply(registration: number, id: number, answer: Message): void {
    const worker = this.#workers.get(registration);
    if (worker === undefined) return discardStreams(answer);
    const now = this.#timesReplies ? this.session.heartbeat.heardAt : undefined;
    if (this.#fullSessions.isShort) return this.#backpressure.replied(() => worker.reply(id, answer, now));
    return worker.reply(id, answer, now);
  }

  error(registration: number, id: number, why: Failure): void {
    this.#workers.get(registration)?.fail(id, why);
  }

  cancel(_registration: number, id: number, why: Failure): void {
    const handle = this.#handles.take(id);
    if (handle !== 0) this.#principal.engine.cancel(handle, why); // P-44
  }

  publish(binding: Binding<Route>, publication: Message): void {
    try {
      const route = (binding.resolved ??= this.#principal.engine.route(binding.subject));
      this.#principal.engine.publish(route, publication)?.catch(() => this.#untaken(binding));
    } catch {
      this.#untaken(binding);
    }
  }

  dropped(): void {
    // this end subscribes to nothing
  }

  // SessionRegistrations

  serve(registration: number, pattern: string, queue: string, concurrency: number): void {
    if (!this.#mayRegister(registration)) return;
    const places = concurrency || this.#options.limits.concurrency;
    const asked = { number: registration, pattern, queue, concurrency: places };
    const gone = (): void => this.#forgetWorker(registration);
    const worker = new NativeWorker(this.session, this.#principal.tenant.full, asked, this.origin, gone);
    this.#workers.set(registration, worker);
    this.#backpressure.joined();
    const onEnded = (why: Failure): void => this.#refuse(registration, why);
    const options = { queue, concurrency: concurrency || undefined, onEnded };
    this.#settle(registration, FrameType.serve, () =>
      worker.join(this.#principal.engine.serve(pattern, worker, options)),
    );
  }

  subscribe(registration: number, pattern: string, overflow: Overflow): void {
    if (!this.#mayRegister(registration)) return;
    const ended = (why: Failure): void => this.#refuse(registration, why);
    this.#settle(registration, FrameType.subscribe, () =>
      this.#subscriptions.add(registration, this, { pattern, overflow }, ended),
    );
  }

  enable(registration: number, verb: EnabledVerb, pattern: string): void {
    if (!this.#mayRegister(registration)) return;
    const onEnded = (why: Failure): void => this.#refuse(registration, why);
    const enabling = this.#principal.enable(verb, pattern, { onEnded });
    this.#enablings.set(registration, enabling);
    this.#settle(registration, FrameType.enable, () => enabling.ready);
  }

  leave(registration: number): void {
    this.#forget(registration);
    const confirm = (): void => this.session.ready(registration, FrameType.leave);
    const worker = this.#workers.get(registration);
    if (worker === undefined) confirm();
    else void worker.leave().then(confirm); // P-55: what the engine has sent on its way meanwhile comes before
  }

  ready(): void {
    // this end registers nothing
  }

  refused(): void {
    // this end registers nothing
  }

  // Sink: outcomes of the session's requests

  answered(tag: number, answer: Message): void {
    if (this.#isOver) return discardStreams(answer);
    this.#handles.take(tag);
    try {
      this.session.reply(0, tag, answer);
    } catch (error) {
      this.session.error(0, tag, unsentAnswer(answer, error)); // P-48
    }
  }

  failed(tag: number, why: Failure): void {
    if (this.#isOver) return;
    this.#handles.take(tag);
    this.session.error(0, tag, why);
  }

  callerOf(): string {
    return this.#options.share.caller;
  }

  originOf(): Origin {
    return this.origin;
  }

  /** Where its requests and its workers come from, for observers. */
  get origin(): Origin {
    return this.#principal.origin;
  }

  // FanOutTarget

  get maxPayload(): number {
    return this.session.maxPayload;
  }

  get maxHeaders(): number {
    return this.session.maxHeaders;
  }

  get isSlow(): boolean {
    return this.#slow.check();
  }

  bindFeed(feed: Feed): void {
    if (this.#feeds[feed.number] === feed) return;
    this.#feeds[feed.number] = feed;
    this.session.bindNumber(feed.number, 0, feed.route.subject);
  }

  overflow(feed: Feed, count: number, policy: Overflow, keep: () => Uint8Array): void {
    this.#slow.overflow(feed, count, policy, keep);
  }

  tooLarge(feed: Feed): void {
    this.#slow.tooLarge(feed);
  }

  missed(feed: Feed, count: number): void {
    this.#slow.missed(feed, count);
  }

  // for its SlowConsumer

  tell(feed: Feed, count: number): void {
    this.bindFeed(feed);
    this.session.dropped(feed.number, count);
  }

  endSlow(): void {
    if (this.wantedNoGaps) return;
    this.wantedNoGaps = true;
    // Not now: the publisher is in the middle of passing the same message to others.
    this.#options.flusher.schedule({
      flush: () =>
        this.session.fail(failure("SLOW_CONSUMER", 'a subscription with overflow "disconnect" fell behind')),
    });
  }

  /** P-64, P-144: a publication has no answer. */
  #untaken({ subject }: Binding<Route>): void {
    this.#options.drops.add("untaken", subject, 1);
  }

  #cancelOne(handles: number[]): boolean {
    this.#principal.engine.cancel(handles.pop()!);
    return handles.length > 0;
  }

  #loseOne(): boolean {
    for (const [registration, worker] of this.#workers) {
      this.#workers.delete(registration);
      worker.lose();
      break;
    }
    return this.#workers.size > 0;
  }

  #mayRegister(registration: number): boolean {
    const all = [this.#workers, this.#subscriptions, this.#enablings];
    if (all.some((some) => some.has(registration))) {
      this.session.fail(failure("BAD_FRAME", `registration ${registration} exists already`)); // P-53
      return false;
    }
    const { registrations } = this.#options.limits;
    const isFull = all.reduce((sum, { size }) => sum + size, 0) >= registrations;
    if (!isFull && this.#options.share.takeRegistration()) return true;
    const whose = isFull ? "session" : "caller";
    const text = `the ${whose} has too many services, subscriptions and enablements`;
    this.session.refuse(registration, failure("TOO_MANY", text)); // P-54
    return false;
  }

  #forgetWorker(registration: number): void {
    if (this.#workers.delete(registration)) this.#options.share.giveRegistration();
  }

  /** Tells the session how its registration went. */
  #settle(registration: number, asked: FrameType, register: () => Promise<void>): void {
    const refuse = (error: unknown): void => this.#refuse(registration, toFailure(error));
    try {
      register().then(() => this.session.ready(registration, asked), refuse);
    } catch (error) {
      refuse(error);
    }
  }

  #refuse(registration: number, why: Failure): void {
    this.#workers.get(registration)?.end();
    this.#forgetWorker(registration);
    this.#forget(registration);
    this.session.refuse(registration, why); // P-52
  }

  /** Ends what is no worker: a subscription or an enablement. */
  #forget(registration: number): void {
    const enabling = this.#enablings.get(registration);
    this.#enablings.delete(registration);
    void enabling?.close();
    if (enabling !== undefined || this.#subscriptions.remove(registration))
      this.#options.share.giveRegistration();
  }
}
