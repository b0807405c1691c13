/** HTTP: the port of a hub, and gateways inside servers of an app, which share bounds and what others have put on the port. */
import type { Server } from "node:http";
import { SharedBound, shareOf } from "../../collections/shared-bound.ts";
import { LintelError, type Failure } from "../../message/failure.ts";
import { bytesOf } from "../../message/options.ts";
import { formatAddress } from "../../transport/address.ts";
import { SESSION_PATH } from "../../transport/session-protocol.ts";
import { renewTls, serverTls } from "../../transport/tls-options.ts";
import type { TlsOptions } from "../../transport/transport.ts";
import type { Gateway, GatewayContext } from "../gateway.ts";
import type { HttpApi } from "../http-api.ts";
import type { PortSessions } from "../shared-port.ts";
import { BodyBudget } from "./body-limit.ts";
import type { EmbeddedGateway, HandlerOptions, HttpHandler } from "./embedded.ts";
import type { Certificates } from "./node-server.ts";
import { MAX_BODY, accessRuleOf, addressOf, type HttpOptions } from "./options.ts";
import type { HttpDependencies, HttpListening } from "./port.ts";
import type { HttpStats } from "./stats.ts";

export class HttpGateway implements Gateway {
  readonly name = "http";
  readonly #context: GatewayContext;
  readonly #bodies: BodyBudget;
  readonly #answers: SharedBound;
  #port: HttpListening | undefined;
  #sessionUrl: string | undefined;
  readonly #embedded: EmbeddedGateway[] = [];
  readonly #detach: (() => void)[] = [];

  constructor(context: GatewayContext) {
    this.#context = context;
    const { httpBodies, callerShare, payload } = context.limits;
    const share = shareOf(httpBodies, callerShare, payload);
    this.#bodies = new BodyBudget(httpBodies, share);
    this.#answers = new SharedBound(httpBodies, share);
  }

  get urls(): readonly string[] {
    return this.#port === undefined ? [] : [this.#port.url];
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
    if (this.#port !== undefined) throw new LintelError("already_exists", "the HTTP gateway is already open");
    const { openHttp } = await import("./port.ts");
    const { engine, admission, observer, port, tls: shared = false, checkListen } = this.#context;
    const { tls = shared } = options;
    const sessions = this.#sessionsOf(options, "", true, tls === false);
    const settled = this.#settle(options);
    const { host, port: number } = addressOf(settled);
    await checkListen(`${tls === false ? "http" : "https"}://${formatAddress(host, number)}`);
    const fittings: HttpDependencies = {
      admission,
      observer,
      bodies: this.#bodies,
      answers: this.#answers,
      apis: port.apis,
      ...(sessions === undefined ? {} : { sessions }),
      ...(tls === false ? {} : { secure: certificatesOf(tls) }),
    };
    this.#port = await openHttp(engine, settled, fittings);
    const { url } = this.#port;
    if (sessions !== undefined) this.#sessionUrl = url.replace(/^http/, "ws") + SESSION_PATH;
    return url;
  }

  stats(): HttpStats {
    return { connections: this.#port?.connections ?? 0 };
  }

  /** Other certificates, if this is the URL of the port and it has any; else false. */
  reload(url: string, tls: TlsOptions): boolean {
    if (this.#port === undefined || (url !== this.#port.url && url !== this.#sessionUrl)) return false;
    this.#port.reload(tls);
    return true;
  }

  /** A gateway for an app's server. */
  async handler(options: HandlerOptions): Promise<HttpHandler> {
    return this.#embed(options);
  }

  /** Puts a gateway in front of what a server does. */
  async attach(server: Server, options: HandlerOptions): Promise<void> {
    const { attach } = await import("./attach.ts");
    const hasPath = (options.path ?? "/") !== "/";
    const gateway = await this.#embed({ defaultMapping: hasPath, ...options });
    this.#detach.push(attach(server, gateway));
  }

  /** Resolves when every caller has its answer. */
  async drain(): Promise<void> {
    await Promise.all([this.#port?.drain(), ...this.#embedded.map((gateway) => gateway.drain())]);
  }

  /** Ends every request that is under way, and tells its caller why. */
  abandon(why: Failure): void {
    this.#port?.abandon(why);
    for (const gateway of this.#embedded) gateway.abandon(why);
  }

  async close(): Promise<void> {
    for (const gateway of this.#embedded) gateway.close();
    for (const detach of this.#detach.splice(0)) detach();
    await this.#port?.close();
  }

  async #embed(options: HandlerOptions): Promise<EmbeddedGateway> {
    const { EmbeddedGateway } = await import("./embedded.ts");
    const sessions = this.#sessionsOf(
      options,
      options.path === "/" ? "" : (options.path ?? ""),
      false,
      false,
    );
    const { engine, admission, observer } = this.#context;
    const fittings = {
      admission,
      observer,
      bodies: this.#bodies,
      answers: this.#answers,
      ...(options.jobs === true ? { apis: this.#jobsApis(), apisFirst: true } : {}),
      ...(sessions === undefined ? {} : { sessions }),
    };
    const gateway = new EmbeddedGateway(engine, this.#settle(options), fittings);
    this.#embedded.push(gateway);
    return gateway;
  }

  /** The paths for workers over HTTP, where a server of an app is to have them. */
  #jobsApis(): readonly HttpApi[] {
    const apis = this.#context.port.apis.filter(({ name }) => name === "jobs");
    if (apis.length > 0) return apis;
    throw new LintelError("invalid_argument", "option jobs is true, and the hub has `jobs: false`");
  }

  /** The options with the limits of the hub where they name none. */
  #settle<Options extends HttpOptions>(options: Options): Options {
    const { payload, headers, timeout, httpBodies, callerShare } = this.#context.limits;
    const bodyLimit = bytesOf("http option bodyLimit", options.bodyLimit ?? payload, 0, MAX_BODY);
    const settled = { headerLimit: headers, timeoutMs: timeout, callerShare, ...options, bodyLimit };
    if (bodyLimit <= httpBodies) return settled;
    const text = `http option bodyLimit is ${bodyLimit}, which is more than limits.httpBodies, ${httpBodies}, allows`;
    throw new LintelError("invalid_argument", text);
  }

  #sessionsOf(
    options: HttpOptions,
    base: string,
    atRoot: boolean,
    isPlain: boolean,
  ): PortSessions | undefined {
    if (options.sessions === false) return undefined;
    const access = accessRuleOf(options, this.#context.observer, isPlain);
    return this.#context.port.sessionsAt({ base, atRoot, access });
  }
}

function certificatesOf(tls: TlsOptions): Certificates {
  const name = "the HTTP gateway";
  const options = serverTls(name, tls);
  return { options, renew: (server, others) => renewTls(server, name, options, others) };
}
