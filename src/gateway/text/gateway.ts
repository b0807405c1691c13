/** The gateway for programs that speak the text protocol of middleman, over WebSocket. */
import { pageRefusals } from "../../access/audited-decisions.ts";
import { LEAST_SHARE, SharedBound, shareOf } from "../../collections/shared-bound.ts";
import { callerOfSession } from "../../message/caller.ts";
import { LintelError, failure, type Failure } from "../../message/failure.ts";
import { deferToEndOfTick } from "../../runtime/defer-to-end-of-tick.ts";
import { SlicedWork } from "../../runtime/sliced-work.ts";
import type { Listener, TlsOptions } from "../../transport/transport.ts";
import { createMessageAcceptor, type MessageAcceptorOptions } from "../../transport/ws/message-acceptor.ts";
import { listenMessages } from "../../transport/ws/message-listener.ts";
import type { MessageSocket } from "../../transport/ws/message-socket.ts";
import type { Gateway, GatewayContext } from "../gateway.ts";
import type { PortPlace, PortSessions } from "../shared-port.ts";
import { GOING_AWAY, TextConnection } from "./connection.ts";
import type { TextContext } from "./context.ts";
import { HeaderNames } from "./decode.ts";
import { textSettings, type TextOptions, type TextSettings } from "./options.ts";
import { FullOutlets } from "./outlet.ts";
import type { TextStats } from "./stats.ts";
import { TextTenants } from "./tenant.ts";

/** Registrations of all connections. */
const MAX_REGISTRATIONS = 262_144;
/** What a frame may have besides headers and body: its first line, and its ends of lines. Bytes. */
const BESIDES = 4_096;
const TRY_AGAIN_LATER = 1013;

/** Opens the gateway. Rejects with `invalid_argument` for options that are wrong, and with the system's errors of listening. */
export async function openText(context: GatewayContext, options: TextOptions): Promise<TextGateway> {
  const settings = textSettings(options, context.limits, context.tls);
  const gateway = new TextGateway(context, settings);
  try {
    await gateway.listen();
  } catch (error) {
    await gateway.close();
    throw error;
  }
  const { path } = settings;
  if (path !== undefined) context.port.addSessions((place) => gateway.sessionsAt(place, path));
  return gateway;
}

export class TextGateway implements Gateway {
  readonly name = "text";
  readonly closesAfterEngine = true;
  readonly #host: GatewayContext;
  readonly #settings: TextSettings;
  readonly #context: TextContext;
  readonly #counters: TextStats = {
    connections: 0,
    requests: 0,
    publications: 0,
    refused: 0,
    malformed: 0,
    dropped: 0,
    slowDisconnects: 0,
  };
  readonly #listeners: Listener[] = [];
  /** With what gives its place back, which may be called more than once. */
  readonly #connections = new Map<TextConnection, () => void>();
  /** Whose connections and registrations there are. */
  readonly #places: SharedBound;
  readonly #accepting: Omit<MessageAcceptorOptions, "access">;
  #accepted = 0;
  #isDraining = false;
  #onEmpty: (() => void)[] = [];

  constructor(host: GatewayContext, settings: TextSettings) {
    const { admission, limits, clock } = host;
    this.#host = host;
    this.#settings = settings;
    const share = (limit: number, least: number): SharedBound =>
      new SharedBound(limit, shareOf(limit, limits.callerShare, least));
    this.#places = share(settings.maxConnections, LEAST_SHARE);
    const registrations = share(Math.max(MAX_REGISTRATIONS, limits.registrations), limits.registrations);
    // A body of which every line begins with a dot has half as many bytes again on the wire.
    const maxPayload = 2 * limits.payload + 2 * limits.headers + BESIDES;
    this.#accepting = { maxPayload, heartbeat: { clock, limits } };
    this.#context = {
      admission,
      tenants: new TextTenants(),
      settings,
      limits,
      clock,
      counters: this.#counters,
      full: new FullOutlets(limits.sessionBuffers),
      headerNames: new HeaderNames(),
      endings: new SlicedWork(deferToEndOfTick()),
      takeRegistration: (caller) => registrations.take(caller, 1),
      giveRegistrations: (caller, count) => registrations.give(caller, count),
    };
  }

  async listen(): Promise<void> {
    const { urls, tls, origins, hosts } = this.#settings;
    const onRefused = pageRefusals(this.#host.observer, this.name);
    for (const url of urls) {
      await this.#host.checkListen(url);
      const listener = await listenMessages(url, (socket) => this.#accept(socket), {
        ...this.#accepting,
        ...(tls !== undefined && url.startsWith("wss:") ? { tls } : {}),
        ...(origins === undefined ? {} : { origins }),
        ...(hosts === undefined ? {} : { hosts }),
        ...(onRefused === undefined ? {} : { onRefused }),
      });
      this.#listeners.push(listener);
    }
  }

  /** Its connections on a port of HTTP. */
  sessionsAt({ base, access }: PortPlace, path: string): PortSessions {
    const acceptor = createMessageAcceptor({ ...this.#accepting, access });
    return {
      needsPort: false,
      request: () => false,
      upgrade: (request, socket, head) => {
        const [asked] = (request.url ?? "").split("?", 1);
        if (asked !== base + path) return false;
        acceptor.handleUpgrade(request, socket, head, (accepted) => this.#accept(accepted));
        return true;
      },
    };
  }

  get urls(): readonly string[] {
    return this.#listeners.map(({ url }) => url);
  }

  /** `urls`, and where the HTTP port has it. */
  urlsWith(httpUrl: string | undefined): readonly string[] {
    const { path } = this.#settings;
    if (httpUrl === undefined || path === undefined) return this.urls;
    return [...this.urls, httpUrl.replace(/^http/, "ws") + path];
  }

  stats(): TextStats {
    return { ...this.#counters };
  }

  reload(url: string, tls: TlsOptions): boolean {
    const listener = this.#listeners.find((one) => one.url === url);
    listener?.reload?.(tls);
    return listener?.reload !== undefined;
  }

  /** Takes no new connections. What those that are there ask for, the engine knows of. */
  drain(): Promise<void> {
    this.#isDraining = true;
    for (const listener of this.#listeners) void listener.close();
    return Promise.resolve();
  }

  /** Sends what waits, and tells every connection that this is the end. */
  async close(): Promise<void> {
    this.#isDraining = true;
    const listening = Promise.all(this.#listeners.map((listener) => listener.close()));
    const left = [...this.#connections.keys()];
    this.#context.endings.run(() => {
      left.pop()?.end(GOING_AWAY, "the hub is shutting down");
      return left.length > 0;
    });
    if (this.#connections.size > 0) await new Promise<void>((resolve) => this.#onEmpty.push(resolve));
    await listening;
  }

  #accept(socket: MessageSocket): void {
    const caller = callerOfSession(socket.remote, ++this.#accepted);
    let isTaken = this.#places.take(caller, 1) || this.#makeRoom(caller);
    const refusal = isTaken ? undefined : this.#refusal();
    const giveBack = (): void => {
      if (isTaken) this.#places.give(caller, 1);
      isTaken = false;
    };
    const connection: TextConnection = new TextConnection(socket, this.#context, {
      caller,
      onSlow: (why) => this.#host.onError(LintelError.from(why), `the text connection of ${socket.remote}`),
      onOver: () => this.#left(connection),
    });
    this.#connections.set(connection, giveBack);
    this.#counters.connections++;
    connection.open();
    if (this.#isDraining) connection.refuse(failure("DRAINING"), GOING_AWAY);
    else if (refusal !== undefined) connection.refuse(refusal, TRY_AGAIN_LATER);
  }

  /** Connections that have sent no key keep no others out: a new one replaces the oldest of them. */
  #makeRoom(caller: string): boolean {
    if (this.#places.taken < this.#places.limit) return false; // it has its share
    for (const [connection, giveBack] of this.#connections) {
      if (!connection.isSilent) continue;
      giveBack();
      connection.abort();
      return this.#places.take(caller, 1);
    }
    return false;
  }

  #refusal(): Failure {
    const { taken, limit } = this.#places;
    const text =
      taken < limit
        ? "this caller has its share of the connections"
        : `the limit of ${limit} connections is reached`;
    return failure("TOO_MANY", text);
  }

  #left(connection: TextConnection): void {
    this.#connections.get(connection)?.();
    this.#connections.delete(connection);
    this.#counters.connections--;
    if (this.#connections.size > 0) return;
    for (const resolve of this.#onEmpty.splice(0)) resolve();
  }
}
