/** The gateway for the native protocol: sessions over any transport, in front of any engine. */
import { pageRefusals } from "../../access/audited-decisions.ts";
import { openAdmission, type Admission } from "../../access/admission.ts";
import type { Engine } from "../../engine/engine.ts";
import { callerOfSession } from "../../message/caller.ts";
import { systemClock, type Clock } from "../../runtime/clock.ts";
import { LintelError, failure, type Failure } from "../../message/failure.ts";
import { SlicedWork } from "../../runtime/sliced-work.ts";
import { DEFAULT_LIMITS, type Limits } from "../../message/limits.ts";
import type { Observer, SessionEvent } from "../../observe/observer.ts";
import { OpenStreams, STREAM_GRACE_MS } from "../../stream/open-streams.ts";
import { DescriptorChannels } from "../../session/side-channels/descriptor-channel.ts";
import { Flusher } from "../../session/outbox.ts";
import { deferToEndOfTick } from "../../runtime/defer-to-end-of-tick.ts";
import { TransportRegistry } from "../../transport/registry.ts";
import type { Connection, ListenAt, TlsOptions } from "../../transport/transport.ts";
import type { Gateway, GatewayContext } from "../gateway.ts";
import type { Backpressure } from "./backpressure.ts";
import { FullSessions } from "./full-sessions.ts";
import { NativeConnection } from "./connection.ts";
import { SessionListeners, type HubListener } from "./listeners.ts";
import { DEFAULT_LISTEN, type NativeOptions } from "./options.ts";
import { createPortSessions } from "./port-sessions.ts";
import { SessionShare, SessionShares } from "./session-shares.ts";
import { SessionTenants } from "./session-tenants.ts";
import { PublicationDrops } from "./slow-consumer.ts";
import { sessionStats, type SessionStats } from "./stats.ts";

export interface NativeGatewayOptions extends Omit<NativeOptions, "listen"> {
  /** Shown to clients that connect. */
  readonly name?: string;
  readonly limits?: Partial<Limits>;
  readonly clock?: Clock;
  /** Decides which callers are admitted. Default: all. */
  readonly admission?: Admission;
  readonly observer?: Observer | undefined;
  /** For URLs that take certificates and have none of their own. */
  readonly tls?: TlsOptions | undefined;
  /** Rejects for a URL that is not to be listened on. */
  readonly checkListen?: ((url: string) => Promise<void>) | undefined;
  /** Called with sessions that the hub ends because the other end does not read (P-62). */
  readonly onError?: (error: unknown, where: string) => void;
}

/** Opens the gateway: at each of its URLs, and on the HTTP port. */
export async function openNative(
  { engine, port, ...context }: GatewayContext,
  { listen, ...options }: NativeOptions,
): Promise<NativeGateway> {
  const { limits } = context;
  const gateway = new NativeGateway(engine, { ...context, ...options });
  try {
    for (const at of listen ?? DEFAULT_LISTEN) await gateway.listen(at);
  } catch (error) {
    await gateway.close(); // some may have come in meanwhile
    throw error;
  }
  const accept = (connection: Connection): void => gateway.accept(connection);
  port.addSessions((place) => createPortSessions({ ...place, maxConnections: limits.sessions, accept }));
  return gateway;
}

export class NativeGateway implements Gateway {
  readonly name = "native";
  readonly closesAfterEngine = true;
  readonly #engine: Engine;
  readonly #admission: Admission;
  readonly #options: NativeGatewayOptions;
  readonly #limits: Limits;
  readonly #listeners: SessionListeners;
  readonly #flusher = new Flusher();
  readonly #openStreams = new OpenStreams();
  readonly #later = deferToEndOfTick();
  /** What sessions that have ended leave behind. */
  readonly #endings = new SlicedWork(this.#later);
  readonly #tenants: SessionTenants;
  readonly #lanes = new DescriptorChannels();
  readonly #fullSessions: FullSessions<Backpressure>;
  readonly #connections = new Set<NativeConnection>();
  readonly #shares: SessionShares;
  /** Sessions that have not been greeted, the oldest first. */
  readonly #greeting = new Map<NativeConnection, SessionShare>();
  /** Connections since the start. */
  #accepted = 0;
  #draining = false;
  readonly #drops: PublicationDrops;
  #slowDisconnects = 0;
  #onEmpty: (() => void)[] = [];

  constructor(engine: Engine, options: NativeGatewayOptions = {}) {
    this.#engine = engine;
    this.#admission = options.admission ?? openAdmission(engine);
    this.#options = options;
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.#fullSessions = new FullSessions(this.#limits.sessionBuffers);
    this.#tenants = new SessionTenants(this.#flusher);
    this.#shares = new SessionShares(this.#limits);
    this.#drops = new PublicationDrops(options.observer);
    const { transports = new TransportRegistry(), tls, checkListen, observer } = options;
    const accept = (connection: Connection): void => this.accept(connection);
    const onRefused = pageRefusals(observer, this.name);
    this.#listeners = new SessionListeners(accept, transports, { tls, checkListen, onRefused });
  }

  /** Where sessions connect, without the HTTP port. */
  get urls(): readonly string[] {
    return this.#listeners.urls;
  }

  stats(): SessionStats {
    return sessionStats(this.#connections.size, this.#drops.counts, this.#slowDisconnects);
  }

  trim(): void {
    this.#flusher.trim();
  }

  /** Listens on one more URL, until the listener is closed or the gateway is; sessions that came by it stay. */
  listen(at: string | ListenAt): Promise<HubListener> {
    return this.#listeners.listen(at);
  }

  reload(url: string, tls: TlsOptions): boolean {
    return this.#listeners.reload(url, tls);
  }

  /** Starts a session on a connection, however it came to be. */
  accept(connection: Connection): void {
    this.#accepted++;
    const share = new SessionShare(this.#shares, callerOfSession(connection.remote, this.#accepted));
    const session: NativeConnection = new NativeConnection(connection, {
      share,
      onGreeted: () => this.#greeting.delete(session),
      admission: this.#admission,
      engine: this.#engine,
      tenants: this.#tenants,
      flusher: this.#flusher,
      openStreams: this.#openStreams,
      endings: this.#endings,
      clock: this.#options.clock ?? systemClock,
      name: this.#options.name ?? "lintel",
      lanes: this.#lanes,
      drops: this.#drops,
      fullSessions: this.#fullSessions,
      limits: this.#limits,
      observer: this.#options.observer,
      onEnded: (why) => this.#ended(session, why),
      onClosed: (why) => this.#closed(session, why),
    });
    const isTaken = share.takeSession() || this.#makeRoom(share);
    this.#connections.add(session);
    if (isTaken) this.#greeting.set(session, share);
    session.session.start();
    this.#tell("opened", session, undefined);
    if (this.#draining) session.session.fail(failure("DRAINING"));
    else if (!isTaken) session.session.fail(this.#refusal());
  }

  /** Sessions that have not sent their greeting keep no others out: a new one replaces the oldest of them. */
  #makeRoom(share: SessionShare): boolean {
    const { sessions } = this.#shares;
    const ofCaller = sessions.takenBy(share.caller) >= sessions.share;
    for (const [session, other] of this.#greeting) {
      if (ofCaller && other.caller !== share.caller) continue;
      session.session.abort(
        failure("TOO_MANY", "the session has not sent its greeting, and another one needs its place"),
      );
      return share.takeSession();
    }
    return false;
  }

  #refusal(): Failure {
    const { taken, limit } = this.#shares.sessions;
    const text =
      taken < limit
        ? "this caller has its share of the hub's sessions"
        : `this hub is at its limit of ${limit} sessions`;
    return failure("TOO_MANY", text);
  }

  /** Accepts no new sessions, and asks every peer to send nothing new. What they have sent, the engine knows of. */
  drain(): Promise<void> {
    void this.#listeners.close();
    this.#draining = true;
    for (const { session } of this.#connections) session.goaway(failure("DRAINING"));
    return Promise.resolve();
  }

  /** Resolves when no session has a stream open, at the latest after `graceMs`. */
  streamsEnded(graceMs: number = STREAM_GRACE_MS): Promise<void> {
    return this.#openStreams.ended(this.#options.clock ?? systemClock, graceMs);
  }

  /** Tells every peer that this is the end, sends what waits, and resolves when all sessions are over. */
  async close(): Promise<void> {
    this.#draining = true;
    const listening = this.#listeners.close();
    const left = [...this.#connections];
    this.#endings.run(() => {
      left.pop()?.session.close(failure("DRAINING", "the hub is shutting down"));
      return left.length > 0;
    });
    if (this.#connections.size > 0) await new Promise<void>((resolve) => this.#onEmpty.push(resolve));
    await listening;
  }

  #ended({ session, wantedNoGaps }: NativeConnection, why: Failure): void {
    if (why.reason !== "SLOW_CONSUMER" || session.wasClosedByPeer) return;
    this.#slowDisconnects++;
    if (wantedNoGaps) return; // it has asked for that, and hears of it
    this.#options.onError?.(LintelError.from(why), `the session of ${session.remote}`);
  }

  #tell(event: SessionEvent["event"], { origin }: NativeConnection, why: Failure | undefined): void {
    this.#options.observer?.session?.({ event, ...origin, why });
  }

  #closed(connection: NativeConnection, why: Failure): void {
    this.#connections.delete(connection);
    this.#greeting.delete(connection);
    this.#tell("closed", connection, why);
    if (this.#connections.size > 0) return;
    for (const resolve of this.#onEmpty.splice(0)) resolve();
  }
}
