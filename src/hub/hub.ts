import { urlText } from "../message/url-text.ts";
import type { Server } from "node:http";
import { LocalEngine } from "../engine/local/local-engine.ts";
import { codecsOf } from "../codec/codecs.ts";
import type { BrokerStats } from "../broker/stats.ts";
import type { BeamGateway } from "../gateway/beam/gateway.ts";
import type { BeamOptions } from "../gateway/beam/options.ts";
import type { BeamStats } from "../gateway/beam/context.ts";
import type { GrpcGateway } from "../gateway/grpc/gateway.ts";
import type { GrpcOptions } from "../gateway/grpc/options.ts";
import type { GrpcStats } from "../gateway/grpc/connection.ts";
import type { HandlerOptions, HttpHandler } from "../gateway/http/embedded.ts";
import type { HttpOptions } from "../gateway/http/options.ts";
import type { JobsOptions } from "../gateway/jobs/options.ts";
import type { JobsGateway } from "../gateway/jobs/gateway.ts";
import { NativeGateway } from "../gateway/native/gateway.ts";
import { OVERDUE } from "../message/draining.ts";
import { LintelError } from "../message/failure.ts";
import { DEFAULT_LIMITS, type Limits } from "../message/limits.ts";
import { observerOf, type Callbacks } from "../observe/callbacks.ts";
import { combineObservers, reportFirst } from "../observe/combine.ts";
import type { Observer } from "../observe/observer.ts";
import { checkDrain } from "../peer/checks.ts";
import { EnginePeer, reportToStderr, type EnginePeerOptions } from "../peer/engine-peer.ts";
import { nodeObjects } from "../peer/node-objects.ts";
import type { CodecOptions, DrainOptions, Peer } from "../peer/peer.ts";
import type { ListenAt, TlsOptions } from "../transport/transport.ts";
import { DEFAULT_URL } from "../transport/default-url.ts";
import { TransportRegistry } from "../transport/registry.ts";
import { checkAttach, checkHttp, checkHubConfig, checkListenAt } from "./check-options.ts";
import { HttpDoors } from "./http-doors.ts";
import { MemoryRelief, processMemory } from "./memory-relief.ts";
import { LoopWatch, type LoopDelay } from "./loop-delay.ts";
import { SessionDoors, type HubListener } from "./session-doors.ts";

export interface HubConfig extends CodecOptions, Callbacks {
  /** The HTTP gateway, or false for none. Default: 127.0.0.1:8500. */
  readonly http?: false | HttpOptions;
  /**
   * Workers over plain HTTP, on the port of the HTTP gateway: false for none, or how. Default true, but then their paths give way
   * to routes for every path, such as that of a web app at `/`.
   */
  readonly jobs?: boolean | JobsOptions;
  /** Where to listen for the native protocol: URLs, with options where they need any. Default: `tcp://127.0.0.1:4500`. */
  readonly listen?: readonly (string | ListenAt)[];
  /**
   * Certificates for every gateway that takes some and has none of its own: the HTTP gateway, which then speaks HTTPS, and the
   * URLs of `listen` that are encrypted, and the gRPC gateway.
   */
  readonly tls?: TlsOptions;
  /** The gateway for programs that speak beam over a unix socket. Default: none. */
  readonly beam?: BeamOptions;
  /** The gateway for workers that speak gRPC. Default: none. */
  readonly grpc?: GrpcOptions;
  readonly limits?: Partial<Limits>;
  /** Shown to peers that connect. Default "lintel". */
  readonly name?: string;
  /** Told of every outcome, publication, session and registration: `docs/guides/observing.md`. */
  readonly observer?: Observer;
  readonly onError?: EnginePeerOptions["onError"];
  /** Transports besides, or instead of, those that come along. */
  readonly transports?: TransportRegistry;
}

export interface HubStats extends Readonly<BrokerStats> {
  readonly inFlight: number;
  /** How late the event loop of the hub's process was since the last time that anybody asked for the stats. Milliseconds. */
  readonly loopDelay: LoopDelay;
  /** Bytes of requests that are kept, of at most `limits.queueBytes`. */
  readonly keptBytes: number;
  readonly sessions: number;
  /** Publications that were dropped instead of sent to a session: all of them, whatever the reason. */
  readonly droppedPublications: number;
  /** Of these: new ones, because their session was slow and its policy is drop-newest. */
  readonly droppedNewest: number;
  /** Of these: old ones, because their session was slow and its policy is drop-oldest. */
  readonly droppedOldest: number;
  /** Of these: because their session does not take messages of their size. */
  readonly droppedTooLarge: number;
  /** Sessions that were ended because they did not keep up. */
  readonly slowDisconnects: number;
  /** What the beam gateway has counted; undefined without one. */
  readonly beam: BeamStats | undefined;
  /** What the gRPC gateway has counted; undefined without one. */
  readonly grpc: GrpcStats | undefined;
}

/** A hub, and a peer of it in the same process. */
export interface Hub extends Peer {
  /** Where native sessions connect. */
  readonly urls: readonly string[];
  /** Where HTTP requests go. */
  readonly httpUrl: string | undefined;
  /** Where native sessions connect on the port of the HTTP gateway: `ws://127.0.0.1:8500/.lintel/session`. */
  readonly sessionUrl: string | undefined;
  /** Where programs that speak beam connect: `unix:///run/beam.sock`. */
  readonly beamUrl: string | undefined;
  /** Where workers that speak gRPC connect: `grpc://127.0.0.1:4510`, or `grpcs` with certificates. */
  readonly grpcUrl: string | undefined;
  /**
   * Listens for sessions on one more URL, until the gateway is closed or the hub is; sessions that came by it stay. Rejects as
   * `createHub` does.
   */
  listen(at: string | ListenAt): Promise<HubListener>;
  /**
   * Opens the HTTP gateway of a hub that was created with `http: false`, for those who want their workers there first.
   * Resolves with its URL; rejects as `createHub` does.
   */
  openHttp(options?: HttpOptions): Promise<string>;
  /**
   * The HTTP gateway for a server that is there already: a middleware, a listener for upgrades, and a function from
   * `Request` to `Response`. Rejects with `invalid_argument` for options that are wrong.
   */
  handler(options?: HandlerOptions): Promise<HttpHandler>;
  /**
   * Puts the HTTP gateway, and native sessions, in front of what a server of `node:http` or `node:https` does: with
   * `path`, everything below it is the hub's; without, only the `routes`. All else stays with the server, and everything
   * does once the hub is closed. Rejects as `handler` does.
   */
  attach(server: Server, options?: HandlerOptions): Promise<void>;
  /** Counters since the start. */
  stats(): HubStats;
  /**
   * Other certificates for one of `urls`, `httpUrl` or `grpcUrl`, from the next connection on; sessions that are open stay. Throws a TypeError
   * when they cannot be used or the URL has none, and then everything stays as it was.
   */
  reloadTls(url: string, tls: TlsOptions): void;
}

/** Starts a hub. With everything left out it listens on loopback only: HTTP on 8500, native sessions on 4500. */
export async function createHub(config: HubConfig = {}): Promise<Hub> {
  checkHubConfig(config);
  const codecs = codecsOf(config, "createHub");
  const limits: Limits = { ...DEFAULT_LIMITS, ...config.limits };
  const observer = combineObservers(
    [observerOf(config), config.observer],
    reportFirst((error, method) => (config.onError ?? reportToStderr)(error, `observer.${method}`)),
  );
  const engine = new LocalEngine({ limits, observer });
  const native = new NativeGateway(engine, {
    limits,
    ...(config.name === undefined ? {} : { name: config.name }),
    observer,
    onError: config.onError ?? reportToStderr,
  });
  const doors = new SessionDoors(native, config.transports ?? new TransportRegistry(), config.tls);
  let beam: BeamGateway | undefined;
  let grpc: GrpcGateway | undefined;
  try {
    for (const at of config.listen ?? [DEFAULT_URL]) await doors.listen(at);
    beam = await openBeamDoor(engine, config, limits);
    grpc = await openGrpcDoor(engine, config, limits);
    const jobs = await openJobs(engine, config, limits);
    const http = new HttpDoors(engine, native, limits, config.tls, jobs, config.jobs !== undefined);
    const hub = new RunningHub(
      engine,
      native,
      doors,
      http,
      { beam, grpc },
      {
        timeoutMs: limits.timeout,
        codecs,
        objects: nodeObjects,
        ...(config.onError === undefined ? {} : { onError: config.onError }),
      },
    );
    if (config.http !== false) await hub.openHttp(config.http);
    return hub;
  } catch (error) {
    await Promise.all([beam?.close(), grpc?.close(), doors.close()]);
    await native.close(); // some may have come in meanwhile
    await engine.close();
    throw error;
  }
}

/** Loaded where it is wanted. */
async function openJobs(
  engine: LocalEngine,
  { jobs: options = true, onPoll }: HubConfig,
  { callerShare }: Limits,
): Promise<JobsGateway | undefined> {
  if (options === false) return undefined;
  const { JobsGateway } = await import("../gateway/jobs/gateway.ts");
  return new JobsGateway(engine, options === true ? {} : options, onPoll, callerShare);
}

/** Loaded when it is asked for: it needs what passes sockets, which not every platform has. */
async function openBeamDoor(
  engine: LocalEngine,
  { beam, onError }: HubConfig,
  { timeout, payload }: Limits,
): Promise<BeamGateway | undefined> {
  if (beam === undefined) return undefined;
  const { openBeam } = await import("../gateway/beam/gateway.ts");
  const told = onError === undefined ? {} : { onError };
  return openBeam(engine, { timeoutMs: timeout, messageLimit: payload, ...told, ...beam });
}

/** Loaded when it is asked for: it needs what reads protobuf, which not everybody has installed. */
async function openGrpcDoor(
  engine: LocalEngine,
  { grpc, tls }: HubConfig,
  limits: Limits,
): Promise<GrpcGateway | undefined> {
  if (grpc === undefined) return undefined;
  const { openGrpc } = await import("../gateway/grpc/gateway.ts").catch(explainMissing);
  return openGrpc(engine, { ...(tls === undefined ? {} : { tls }), ...grpc }, limits);
}

function explainMissing(cause: unknown): never {
  if ((cause as NodeJS.ErrnoException).code !== "ERR_MODULE_NOT_FOUND") throw cause;
  const text = "the gRPC gateway needs a package: npm install @bufbuild/protobuf";
  throw new LintelError("failed_precondition", text, { cause });
}

/** Doors that are there only when they are asked for. */
interface SomeDoors {
  readonly beam: BeamGateway | undefined;
  readonly grpc: GrpcGateway | undefined;
}

/** Callers that were told that the hub ends have so long to read it. Milliseconds. */
const LAST_WORDS_MS = 1_000;

class RunningHub extends EnginePeer implements Hub {
  readonly #engine: LocalEngine;
  readonly #native: NativeGateway;
  readonly #doors: SessionDoors;
  readonly #http: HttpDoors;
  readonly #beam: BeamGateway | undefined;
  readonly #grpc: GrpcGateway | undefined;
  readonly #relief: MemoryRelief;
  readonly #loop = new LoopWatch();
  #ending: Promise<void> | undefined;

  constructor(
    engine: LocalEngine,
    native: NativeGateway,
    doors: SessionDoors,
    http: HttpDoors,
    { beam, grpc }: SomeDoors,
    options: EnginePeerOptions,
  ) {
    super(engine, options);
    this.#engine = engine;
    this.#native = native;
    this.#doors = doors;
    this.#http = http;
    this.#beam = beam;
    this.#grpc = grpc;
    const release = (): void => {
      native.trim();
      processMemory.release();
    };
    this.#relief = new MemoryRelief({ ...processMemory, release });
    this.#relief.start();
  }

  get urls(): readonly string[] {
    return this.#doors.urls;
  }

  get httpUrl(): string | undefined {
    return this.#http.url;
  }

  get sessionUrl(): string | undefined {
    return this.#http.sessionUrl;
  }

  get beamUrl(): string | undefined {
    return this.#beam?.url;
  }

  get grpcUrl(): string | undefined {
    return this.#grpc?.url;
  }

  async listen(at: string | ListenAt): Promise<HubListener> {
    checkListenAt("listen", at);
    if (this.#ending !== undefined) throw LintelError.of("CLOSED");
    const door = await this.#doors.listen(at);
    if (this.#ending === undefined) return door;
    await door.close();
    throw LintelError.of("CLOSED");
  }

  async openHttp(options: HttpOptions = {}): Promise<string> {
    checkHttp("openHttp", options);
    if (this.#ending !== undefined) throw LintelError.of("CLOSED");
    return this.#http.open(options);
  }

  async handler(options: HandlerOptions = {}): Promise<HttpHandler> {
    checkHttp("handler", options);
    if (this.#ending !== undefined) throw LintelError.of("CLOSED");
    return this.#http.handler(options);
  }

  async attach(server: Server, options: HandlerOptions = {}): Promise<void> {
    checkAttach(server, options);
    if (this.#ending !== undefined) throw LintelError.of("CLOSED");
    return this.#http.attach(server, options);
  }

  stats(): HubStats {
    const { sessions, slowDisconnects, drops } = this.#native;
    return {
      ...this.#engine.stats,
      inFlight: this.#engine.inFlight,
      loopDelay: this.#loop.take(),
      keptBytes: this.#engine.keptBytes,
      sessions,
      droppedPublications: drops.newest + drops.oldest + drops["too-large"] + drops.untaken,
      droppedNewest: drops.newest,
      droppedOldest: drops.oldest,
      droppedTooLarge: drops["too-large"],
      slowDisconnects,
      beam: this.#beam?.stats,
      grpc: this.#grpc === undefined ? undefined : { ...this.#grpc.stats },
    };
  }

  reloadTls(url: string, tls: TlsOptions): void {
    if (this.#grpc?.url === url) this.#grpc.reload(tls);
    else if (!this.#doors.reload(url, tls) && !this.#http.reload(url, tls))
      throw new TypeError(`"${urlText(url)}" is no URL of this hub that has certificates`);
  }

  /** Accepts nothing new; requests under way are answered, streams end, then every session is told and closed. */
  override async drain(options: DrainOptions = {}): Promise<void> {
    checkDrain(options);
    const drained = this.#drained(options);
    await this.within(
      options,
      () => drained,
      async () => {
        await this.#engine.close(OVERDUE);
        this.#http.abandon(OVERDUE);
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
    void this.#doors.drain();
    this.#native.goaway();
    void this.#grpc?.drain();
    await Promise.all([this.#http.drain(), this.#beam?.drain()]); // first: what has come in may still need the engine
    await this.#engine.drain();
    await Promise.all([this.streamsEnded(options), this.#native.streamsEnded(options.streamGraceMs)]);
  }

  override close(): Promise<void> {
    this.#ending ??= this.#end();
    return this.#ending;
  }

  async #end(): Promise<void> {
    this.#relief.stop();
    this.#loop.stop();
    await Promise.all([this.#http.close(), this.#beam?.close(), super.close()]);
    const closing = Promise.all([this.#doors.close(), this.#grpc?.close()]);
    await this.#native.close();
    await closing;
  }
}
