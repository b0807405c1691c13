/** The HTTP gateways of a hub, with what a hub has and the HTTP gateway does not know: limits, and native sessions. */
import type { Server } from "node:http";
import type { Engine } from "../engine/engine.ts";
import { BodyBudget } from "../gateway/http/body-limit.ts";
import type { EmbeddedGateway, HandlerOptions, HttpHandler } from "../gateway/http/embedded.ts";
import type { HttpOptions } from "../gateway/http/options.ts";
import type { Certificates, HttpDependencies, HttpListening } from "../gateway/http/port.ts";
import type { PortSessions } from "../gateway/shared-port.ts";
import type { JobsGateway } from "../gateway/jobs/gateway.ts";
import type { NativeGateway } from "../gateway/native/gateway.ts";
import { LintelError, type Failure } from "../message/failure.ts";
import type { Limits } from "../message/limits.ts";
import { AccessRule } from "../transport/origins.ts";
import { SharedBound, shareOf } from "../collections/shared-bound.ts";
import { SESSION_PATH } from "../transport/session-protocol.ts";
import { renewTls, serverTls } from "../transport/tls-options.ts";
import type { TlsOptions } from "../transport/transport.ts";
import { createSessionDoor } from "../gateway/native/port-sessions.ts";

export class HttpDoors {
  readonly #engine: Engine;
  readonly #native: NativeGateway;
  readonly #limits: Limits;
  readonly #bodies: BodyBudget;
  readonly #answers: SharedBound;
  #port: HttpListening | undefined;
  #sessionUrl: string | undefined;
  readonly #embedded: EmbeddedGateway[] = [];
  readonly #detach: (() => void)[] = [];

  readonly #tls: TlsOptions | undefined;
  readonly #jobs: JobsGateway | undefined;
  readonly #jobsFirst: boolean;

  /** `tls` is for the port when its options have none; `jobsFirst`: there the paths of jobs go before routes for every path. */
  constructor(
    engine: Engine,
    native: NativeGateway,
    limits: Limits,
    tls: TlsOptions | undefined,
    jobs: JobsGateway | undefined,
    jobsFirst: boolean,
  ) {
    this.#engine = engine;
    this.#tls = tls;
    this.#jobs = jobs;
    this.#jobsFirst = jobsFirst;
    this.#native = native;
    this.#limits = limits;
    const { httpBodies, callerShare, payload } = limits;
    const share = shareOf(httpBodies, callerShare, payload);
    this.#bodies = new BodyBudget(httpBodies, share);
    this.#answers = new SharedBound(httpBodies, share);
  }

  /** Where requests go. */
  get url(): string | undefined {
    return this.#port?.url;
  }

  /** Where sessions go that come to the same port. */
  get sessionUrl(): string | undefined {
    return this.#sessionUrl;
  }

  /** Opens the port. */
  async open(options: HttpOptions): Promise<string> {
    if (this.#port !== undefined) throw new LintelError("already_exists", "the HTTP gateway is open already");
    const { openHttp } = await import("../gateway/http/port.ts");
    const sessions = this.#sessionsOf(options, "", true);
    const { tls = this.#tls ?? false } = options;
    const fittings: HttpDependencies = {
      bodies: this.#bodies,
      answers: this.#answers,
      ...(this.#jobs === undefined ? {} : { apis: [this.#jobs], apisFirst: this.#jobsFirst }),
      ...(sessions === undefined ? {} : { sessions }),
      ...(tls === false ? {} : { secure: certificatesOf(tls) }),
    };
    this.#port = await openHttp(this.#engine, this.#settle(options), fittings);
    const { url } = this.#port;
    if (sessions !== undefined) this.#sessionUrl = url.replace(/^http/, "ws") + SESSION_PATH;
    return url;
  }

  /** Other certificates, if this is the URL of the port and it has any; else false. */
  reload(url: string, tls: TlsOptions): boolean {
    if (this.#port?.reload === undefined || (url !== this.#port.url && url !== this.#sessionUrl))
      return false;
    this.#port.reload(tls);
    return true;
  }

  /** A gateway for an app's server. */
  async handler(options: HandlerOptions): Promise<HttpHandler> {
    return this.#embed(options);
  }

  /** Puts a gateway in front of what a server does. */
  async attach(server: Server, options: HandlerOptions): Promise<void> {
    const { attach } = await import("../gateway/http/attach.ts");
    const hasPath = (options.path ?? "/") !== "/";
    const gateway = await this.#embed({ defaultMapping: hasPath, ...options });
    this.#detach.push(attach(server, gateway));
  }

  async drain(): Promise<void> {
    const drained = Promise.all([this.#port?.drain(), ...this.#embedded.map((gateway) => gateway.drain())]);
    this.#jobs?.drain(); // workers that wait are no callers to wait for; their answers are the last on their connections
    await drained;
  }

  /** Ends every request that is under way, and tells its caller why. */
  abandon(why: Failure): void {
    this.#port?.abandon(why);
    for (const gateway of this.#embedded) gateway.abandon(why);
  }

  async close(): Promise<void> {
    this.#jobs?.close();
    for (const gateway of this.#embedded) gateway.close();
    for (const detach of this.#detach.splice(0)) detach();
    await this.#port?.close();
  }

  async #embed(options: HandlerOptions): Promise<EmbeddedGateway> {
    const { EmbeddedGateway } = await import("../gateway/http/embedded.ts");
    const sessions = this.#sessionsOf(options, options.path === "/" ? "" : (options.path ?? ""), false);
    const fittings = {
      bodies: this.#bodies,
      answers: this.#answers,
      ...(options.jobs === true ? { apis: [this.#jobsFor()], apisFirst: true } : {}),
      ...(sessions === undefined ? {} : { sessions }),
    };
    const gateway = new EmbeddedGateway(this.#engine, this.#settle(options), fittings);
    this.#embedded.push(gateway);
    return gateway;
  }

  #jobsFor(): JobsGateway {
    if (this.#jobs !== undefined) return this.#jobs;
    throw new LintelError("invalid_argument", "option jobs is true, and the hub has `jobs: false`");
  }

  /** The options with the limits of the hub where they name none. */
  #settle<Options extends HttpOptions>(options: Options): Options {
    const { payload, headers, timeout, httpBodies, callerShare } = this.#limits;
    const settled = { bodyLimit: payload, headerLimit: headers, timeoutMs: timeout, callerShare, ...options };
    if (settled.bodyLimit <= httpBodies) return settled;
    const text = `http option bodyLimit is ${settled.bodyLimit}, more than limits.httpBodies, ${httpBodies}, has room for`;
    throw new LintelError("invalid_argument", text);
  }

  #sessionsOf(
    { sessions = true, origins, hosts }: HttpOptions,
    base: string,
    atRoot: boolean,
  ): PortSessions | undefined {
    if (!sessions) return undefined;
    return createSessionDoor({
      base,
      atRoot,
      access: new AccessRule({ origins, hosts, hasPages: true }),
      maxConnections: this.#limits.sessions,
      accept: (connection) => this.#native.accept(connection),
    });
  }
}

function certificatesOf(tls: TlsOptions): Certificates {
  const name = "the HTTP gateway";
  const options = serverTls(name, tls);
  return { options, renew: (server, others) => renewTls(server, name, options, others) };
}
