import type { Access } from "../access/access.ts";
import type { AccessOptions } from "../access/access-options.ts";
import { createAdmission, type HubAdmission } from "../access/admission.ts";
import type { AccessStats } from "../access/quota/access-stats.ts";
import type { Tenants } from "../access/tenants.ts";
import type { BrokerStats } from "../broker/stats.ts";
import { codecsOf } from "../codec/codecs.ts";
import type { EngineAt } from "../engine/engine-at.ts";
import type { Engine } from "../engine/engine.ts";
import type { Counters, GatewayContext, GatewayEntry, GatewayKind } from "../gateway/gateway.ts";
import {
  builtInMembers,
  builtInStats,
  entriesOf,
  type BuiltInMembers,
  type BuiltInOptions,
  type BuiltInStats,
} from "../gateway/registry.ts";
import { SharedPort } from "../gateway/shared-port.ts";
import { OVERDUE } from "../message/draining.ts";
import { LintelError } from "../message/failure.ts";
import { limitsOf, type LimitOptions } from "../message/limit-options.ts";
import { DEFAULT_LIMITS, type Limits } from "../message/limits.ts";
import { IN_PROCESS } from "../message/origin.ts";
import { urlText } from "../message/url-text.ts";
import type { Callbacks } from "../observe/callbacks.ts";
import type { Observer } from "../observe/observer.ts";
import { checkDrain } from "../peer/checks.ts";
import { EnginePeer, reportToStderr, type EnginePeerOptions } from "../peer/engine-peer.ts";
import { nodeObjects } from "../peer/node-objects.ts";
import type { CodecOptions, DrainOptions, Peer } from "../peer/peer.ts";
import { OpenStreams, STREAM_GRACE_MS } from "../stream/open-streams.ts";
import type { TlsOptions } from "../transport/transport.ts";
import { checkEntries, checkHubConfig, entryOf } from "./check-options.ts";
import { GatewayList, type OpenGateway } from "./gateway-list.ts";
import { refuseExposed } from "./exposure.ts";
import { openAccess } from "./hub-access.ts";
import { openEngines } from "./hub-engine.ts";
import { openObserver, type HubObserver } from "./hub-observer.ts";
import { LoopWatch, type LoopDelay } from "./loop-delay.ts";
import { MemoryRelief, processMemory } from "./memory-relief.ts";

export interface HubConfig extends BuiltInOptions, CodecOptions, Callbacks {
  /**
   * Gateways of your own: each a kind, or a kind with its options. They are opened, drained and closed with those that come
   * along. Default: none.
   */
  readonly gateways?: readonly (GatewayKind | GatewayEntry)[];
  /**
   * Certificates for every gateway that takes some and has none of its own: the HTTP gateway, which then speaks HTTPS, and the
   * URLs of `listen` that are encrypted, and the gRPC gateway.
   */
  readonly tls?: TlsOptions;
  /**
   * Which callers are admitted, and what they may do: keys, tokens, certificates and grants, or an access of your own. Default:
   * all callers, everything. The hub's own process is not checked. docs/guides/access.md
   */
  readonly access?: AccessOptions | Access;
  /**
   * Without `access` a hub listens on this machine only, and refuses other addresses with `INSECURE_LISTEN`. True: everybody who
   * can reach its addresses may do everything. Default false.
   */
  readonly insecure?: boolean;
  /**
   * The file to which the access log is added, a line of JSON for each refusal and each act of administration; `"-"` for
   * stderr, `"off"` for none. Default: none. docs/guides/observing.md
   */
  readonly accessLog?: string;
  readonly limits?: LimitOptions;
  /**
   * What routes the messages: the URL of another hub, which all gateways are then in front of, or an engine of your own, which
   * the hub drains and closes. Default: a broker in this process. docs/guides/engines.md
   */
  readonly engine?: string | EngineAt | Engine;
  /** Shown to peers that connect. Default "lintel". */
  readonly name?: string;
  /** Called with every outcome, publication, session and registration: `docs/guides/observing.md`. */
  readonly observer?: Observer;
  readonly onError?: EnginePeerOptions["onError"];
}

export interface HubStats extends Readonly<BrokerStats>, BuiltInStats {
  readonly inFlight: number;
  /** How late the event loop of the hub's process was since the last call of `stats()`. Milliseconds. */
  readonly loopDelay: LoopDelay;
  /** Bytes of requests that are kept, of at most `limits.queueBytes`. */
  readonly keptBytes: number;
  /** Tenants that have an engine, the hub's own included. */
  readonly tenants: number;
  /** What was refused because of credentials, or of the limits of principals. */
  readonly access: AccessStats;
  /** What each gateway counts, by its name. */
  readonly gateways: Readonly<Record<string, Counters>>;
}

/** A hub, and a peer of it in the same process. */
export interface Hub extends Peer, BuiltInMembers {
  /** The gateways that are open, with their URLs: the built-in ones and your own. */
  readonly gateways: readonly OpenGateway[];
  /** Counters since the start. */
  stats(): HubStats;
  /**
   * Other certificates for one of the URLs of `gateways`, from the next connection on; sessions that are open stay. Throws a
   * TypeError when they cannot be used or the URL has none, and then everything stays as it was.
   */
  reloadTls(url: string, tls: TlsOptions): void;
}

/** Starts a hub. With everything left out it listens on loopback only: HTTP on 8500, native sessions on 4500. */
export async function createHub(config: HubConfig = {}): Promise<Hub> {
  checkHubConfig(config);
  const entries = entriesOf(config, (config.gateways ?? []).map(entryOf));
  checkEntries(entries);
  const { onError = reportToStderr, tls, name = "lintel" } = config;
  const codecs = codecsOf(config, "createHub");
  const limits: Limits = { ...DEFAULT_LIMITS, ...limitsOf(config.limits ?? {}) };
  const observing = await openObserver(config, onError);
  const { observer } = observing;
  const { transports } = config;
  const openStreams = new OpenStreams();
  const isSeveral = config.engine === undefined;
  const access = await openedOr(openAccess(config.access, onError, observer, isSeveral), () =>
    observing.close(),
  );
  const engines = openEngines(config.engine, { limits, observer, name, transports, onError, openStreams });
  const tenants = await openedOr(engines, async () => {
    await access?.close?.();
    await observing.close();
  });
  const { engine } = tenants.main;
  const gateways = new GatewayList(engine.clock, onError);
  const admission = createAdmission(tenants, { access, limits, observer, onError });
  const closeAccess = async (): Promise<void> => {
    admission.close();
    await access?.close?.();
  };
  const hub = new RunningHub(
    tenants,
    gateways,
    { admission, close: closeAccess },
    {
      timeoutMs: limits.timeout,
      codecs,
      objects: nodeObjects,
      onError,
      open: openStreams,
      enabler: admission.enabler,
      observing,
    },
  );
  const port = new SharedPort();
  const { clock } = engine;
  const isOpenToAll = access === undefined && config.insecure !== true;
  const checkListen = isOpenToAll
    ? (url: string) => refuseExposed(url)
    : (): Promise<void> => Promise.resolve();
  const context: GatewayContext = {
    engine,
    admission,
    observer,
    limits,
    clock,
    tls,
    port,
    checkListen,
    onError,
    name,
  };
  try {
    await gateways.open(entries, context);
  } catch (error) {
    await hub.close();
    throw error;
  }
  const members = builtInMembers(
    (wanted) => gateways.find(wanted),
    () => hub.checkOpen(),
  );
  // The members of both, as getters and methods.
  return Object.defineProperties(hub, Object.getOwnPropertyDescriptors(members)) as RunningHub &
    BuiltInMembers;
}

/** What opens, or else the end of what was opened before it. */
async function openedOr<T>(opening: Promise<T>, close: () => Promise<void>): Promise<T> {
  try {
    return await opening;
  } catch (error) {
    await close();
    throw error;
  }
}

/** Callers that were told that the hub ends have so long to read it. Milliseconds. */
const LAST_WORDS_MS = 1_000;

interface OpenAccess {
  readonly admission: HubAdmission;
  close(): Promise<void>;
}

class RunningHub extends EnginePeer implements Omit<Hub, keyof BuiltInMembers> {
  readonly #tenants: Tenants;
  readonly #gateways: GatewayList;
  readonly #access: OpenAccess;
  readonly #observing: HubObserver;
  readonly #relief: MemoryRelief;
  readonly #loop = new LoopWatch();
  #ending: Promise<void> | undefined;

  constructor(
    tenants: Tenants,
    gateways: GatewayList,
    access: OpenAccess,
    { observing, ...options }: EnginePeerOptions & { readonly observing: HubObserver },
  ) {
    super(tenants.main.engine, options);
    this.#access = access;
    this.#observing = observing;
    this.#tenants = tenants;
    this.#gateways = gateways;
    const release = (): void => {
      gateways.trim();
      processMemory.release();
    };
    this.#relief = new MemoryRelief({ ...processMemory, release });
    this.#relief.start();
  }

  get gateways(): readonly OpenGateway[] {
    return this.#gateways.all;
  }

  /** Throws when it takes nothing new any more. */
  checkOpen(): void {
    if (this.#ending !== undefined) throw LintelError.of("CLOSED");
  }

  stats(): HubStats {
    const gateways = this.#gateways.stats();
    return {
      ...this.#tenants.stats,
      inFlight: this.#tenants.inFlight,
      loopDelay: this.#loop.take(),
      keptBytes: this.#tenants.keptBytes,
      tenants: this.#tenants.size,
      access: this.#access.admission.stats,
      ...builtInStats(gateways),
      gateways,
    };
  }

  reloadTls(url: string, tls: TlsOptions): void {
    if (!this.#gateways.reload(url, tls))
      throw new TypeError(`"${urlText(url)}" is not a URL of this hub with certificates`);
    const name = urlText(url);
    this.#observing.observer?.administered?.({ ...IN_PROCESS, action: "certificates changed", name });
  }

  /** Accepts nothing new; requests under way are answered, streams end, then every session is told and closed. */
  override async drain(options: DrainOptions = {}): Promise<void> {
    checkDrain(options);
    const drained = this.#drained(options);
    await this.within(
      options,
      () => drained,
      async () => {
        await this.#tenants.close(OVERDUE);
        this.#gateways.abandon(OVERDUE);
        await this.within(
          { graceMs: LAST_WORDS_MS },
          () => drained,
          () => Promise.resolve(),
        );
      },
    );
    await this.close();
  }

  async #drained(options: DrainOptions): Promise<void> {
    await this.#gateways.drain(); // first: what has come in may still need the engine
    await this.#tenants.drain();
    const { streamGraceMs = STREAM_GRACE_MS } = options;
    await Promise.all([this.streamsEnded(options), this.#gateways.streamsEnded(streamGraceMs)]);
  }

  override close(): Promise<void> {
    this.#ending ??= this.#end();
    return this.#ending;
  }

  async #end(): Promise<void> {
    this.#relief.stop();
    this.#loop.stop();
    await Promise.all([this.#gateways.close("before engine"), super.close(), this.#tenants.close()]);
    await this.#gateways.close("after engine");
    await this.#access.close();
    await this.#observing.close();
  }
}
