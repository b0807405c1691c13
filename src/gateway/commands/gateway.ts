/** The gateway for programs that speak DRS: commands over WebSocket and TCP, on ports of their own and on the HTTP port. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { tryAdmit, type Admitted } from "../../access/admission.ts";
import { pageRefusals } from "../../access/audited-decisions.ts";
import { LEAST_SHARE, SharedBound, shareOf } from "../../collections/shared-bound.ts";
import type { CommandLine } from "../../commands/line.ts";
import { listenSockets } from "../../commands/socket-listener.ts";
import { socketLine } from "../../commands/stream-line.ts";
import { webLine } from "../../commands/web-line.ts";
import { callerOfSession } from "../../message/caller.ts";
import { failure, type Failure } from "../../message/failure.ts";
import type { PeerIdentity } from "../../message/peer-identity.ts";
import { remoteOf } from "../../transport/address.ts";
import { identityOf } from "../../transport/peer-certificate.ts";
import { answerRefusal, refusalOf } from "../../transport/problem.ts";
import type { Listener, TlsOptions } from "../../transport/transport.ts";
import { createMessageAcceptor } from "../../transport/ws/message-acceptor.ts";
import { listenMessages } from "../../transport/ws/message-listener.ts";
import type { MessageSocket } from "../../transport/ws/message-socket.ts";
import type { Gateway, GatewayContext } from "../gateway.ts";
import type { HttpApi } from "../http-api.ts";
import type { PortPlace, PortSessions } from "../shared-port.ts";
import { CommandsConnection } from "./connection.ts";
import type { CommandsContext } from "./context.ts";
import { readCounters } from "./counters.ts";
import { commandsSettings, type CommandsOptions, type CommandsSettings } from "./options.ts";
import { UnreadBytes } from "./outbox.ts";
import type { CommandsStats } from "./stats.ts";
import { CommandsTenants } from "./tenant.ts";

const DEFAULT_PATH = "/socket";
/** Connections have this long to end by themselves when the gateway is closed. Milliseconds. */
const CLOSING_MS = 1_000;
/** A message may have as many of the largest commands in it. */
const MESSAGE_COMMANDS = 2;
const JSON_TYPE = ["Content-Type", "application/json"];

/**
 * Opens the gateway: its ports, and its paths on the HTTP port. Rejects with `invalid_argument` for options that are wrong, and
 * with the system's errors of listening.
 */
export async function openCommands(
  context: GatewayContext,
  options: CommandsOptions,
): Promise<CommandsGateway> {
  const gateway = new CommandsGateway(context, options);
  try {
    await gateway.listen();
  } catch (error) {
    await gateway.close();
    throw error;
  }
  return gateway;
}

export class CommandsGateway implements Gateway, CommandsContext, HttpApi {
  readonly name = "commands";
  readonly closesAfterEngine = true;
  /** Its connections do not need the HTTP port after they were accepted. */
  readonly needsPort = false;
  readonly admission: CommandsContext["admission"];
  readonly clock: CommandsContext["clock"];
  readonly limits: CommandsContext["limits"];
  readonly settings: CommandsSettings;
  readonly tenants: CommandsTenants;
  readonly unread: UnreadBytes;
  refusal: Failure | undefined;
  readonly counters: CommandsStats = {
    connections: 0,
    calls: 0,
    jobs: 0,
    commands: 0,
    answered: 0,
    errors: 0,
    exceptions: 0,
    sent: 0,
    dropped: 0,
    late: 0,
    refused: 0,
    malformed: 0,
  };
  readonly #context: GatewayContext;
  readonly #listeners: Listener[] = [];
  /** The oldest first. */
  readonly #connections = new Set<CommandsConnection>();
  /** Those that are over, and may still have something to send. */
  readonly #closing = new Set<CommandsConnection>();
  /** Whose connections there are. */
  readonly #callers: SharedBound;
  /** Since the start. */
  #accepted = 0;
  #onEmpty: (() => void)[] = [];

  constructor(context: GatewayContext, options: CommandsOptions) {
    const { admission, clock, limits, onError } = context;
    this.#context = context;
    this.admission = admission;
    this.clock = clock;
    this.limits = limits;
    this.settings = commandsSettings(options, limits);
    const { settings, counters } = this;
    this.tenants = new CommandsTenants({ settings, stats: counters, onError });
    this.unread = new UnreadBytes(limits.sessionBuffers);
    const { maxConnections } = settings;
    this.#callers = new SharedBound(maxConnections, shareOf(maxConnections, limits.callerShare, LEAST_SHARE));
  }

  async listen(): Promise<void> {
    const { port } = this.#context;
    const { listen, path, statsPath } = this.settings;
    for (const url of listen) this.#listeners.push(await this.#listenAt(url));
    if (path !== false) port.addSessions((place) => this.#sessionsAt(place, path));
    if (statsPath !== false) port.addApi(this);
  }

  get urls(): readonly string[] {
    return this.#listeners.map(({ url }) => url);
  }

  /** `urls`, and where the HTTP port has it. */
  urlsWith(httpUrl: string | undefined): readonly string[] {
    const { path } = this.settings;
    if (httpUrl === undefined || path === false) return this.urls;
    return [...this.urls, httpUrl.replace(/^http/, "ws") + path];
  }

  stats(): CommandsStats {
    let [calls, jobs] = [0, 0];
    for (const connection of this.#connections) {
      calls += connection.calls.size;
      jobs += connection.jobs;
    }
    return { ...this.counters, connections: this.#connections.size, calls, jobs };
  }

  reload(url: string, tls: TlsOptions): boolean {
    const listener = this.#listeners.find((one) => one.url === url);
    listener?.reload?.(tls);
    return listener?.reload !== undefined;
  }

  /** Accepts no connections and no calls. What has come in, the engine knows of. */
  async drain(): Promise<void> {
    this.refusal ??= failure("DRAINING"); // C-61
    await this.#stopListening();
  }

  /** Tells every client, sends what waits, and resolves when all connections are over. */
  async close(): Promise<void> {
    this.refusal ??= failure("DRAINING");
    await this.#stopListening();
    for (const connection of [...this.#connections])
      connection.end(failure("DRAINING", "the hub is shutting down"));
    await this.#emptied();
    for (const connection of [...this.#closing]) connection.abort();
  }

  // HttpApi

  claims(path: string): boolean {
    return path === this.settings.statsPath;
  }

  take(call: Parameters<HttpApi["take"]>[0]): void {
    if (call.method !== "GET") return call.problem(failure("METHOD_NOT_ALLOWED"), ["Allow", "GET"]);
    return readCounters(call.admitted, this.tenants, (said) => {
      if (typeof said === "string") call.answer(200, [...JSON_TYPE, "Cache-Control", "no-store"], said);
      else call.problem(said);
    });
  }

  // Where connections come from

  async #listenAt(url: string): Promise<Listener> {
    const { tls, checkListen, observer } = this.#context;
    const { maxCommand, path, origins, hosts } = this.settings;
    await checkListen(url);
    const certificates = /^(?:wss|tls):/.test(url) ? (this.settings.tls ?? tls) : undefined;
    const secure = certificates === undefined ? {} : { tls: certificates };
    const onRefused = pageRefusals(observer, this.name);
    if (/^(?:tcp|tls):/.test(url))
      return listenSockets(
        url,
        (socket, remote, identity) => this.#acceptSocket(socket, remote, identity),
        secure,
      );
    return listenMessages(url, (socket) => this.#acceptMessages(socket), {
      ...secure,
      ...(origins === undefined ? {} : { origins }),
      ...(hosts === undefined ? {} : { hosts }),
      ...(onRefused === undefined ? {} : { onRefused }),
      heartbeat: { clock: this.clock, limits: this.limits },
      maxPayload: MESSAGE_COMMANDS * maxCommand,
      path: path === false ? DEFAULT_PATH : path,
      request: (request, response) => this.#answer(request, response),
    });
  }

  #sessionsAt({ base, access }: PortPlace, path: string): PortSessions {
    const acceptor = createMessageAcceptor({
      access,
      maxPayload: MESSAGE_COMMANDS * this.settings.maxCommand,
      heartbeat: { clock: this.clock, limits: this.limits },
    });
    return {
      needsPort: false,
      request: () => false,
      upgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => {
        const [asked] = (request.url ?? "").split("?", 1);
        if (asked !== base + path) return false;
        acceptor.handleUpgrade(request, socket, head, (accepted) => this.#acceptMessages(accepted));
        return true;
      },
    };
  }

  #acceptMessages(socket: MessageSocket): void {
    const token = socket.query.get("token") ?? undefined;
    this.#accept(webLine(socket), token, socket.identity);
  }

  #acceptSocket(socket: Socket, remote: string, identity: () => PeerIdentity | undefined): void {
    this.#accept(socketLine(socket, remote), undefined, identity());
  }

  #accept(line: CommandLine, token: string | undefined, identity: PeerIdentity | undefined): void {
    this.#accepted++;
    const caller = callerOfSession(line.remote, this.#accepted);
    const connection = new CommandsConnection(
      line,
      this,
      { token, identity, caller },
      {
        over: () => {
          if (this.#connections.delete(connection)) this.#callers.give(caller, 1);
          this.#closing.add(connection);
        },
        closed: () => {
          this.#closing.delete(connection);
          this.#settle();
        },
      },
    );
    if (this.refusal !== undefined || !this.#takeRoom(caller)) {
      this.counters.refused++;
      line.open(connection);
      return connection.end(
        this.refusal ?? failure("TOO_MANY", "there are too many connections of commands"),
      );
    }
    this.#connections.add(connection);
    return connection.open();
  }

  /** Connections without credentials keep no others out: a new one replaces the oldest of them. */
  #takeRoom(caller: string): boolean {
    if (this.#callers.take(caller, 1)) return true;
    const ofCaller = this.#callers.takenBy(caller) >= this.#callers.share;
    for (const connection of this.#connections) {
      if (!connection.isStranger || (ofCaller && connection.caller !== caller)) continue;
      connection.end(
        failure("TOO_MANY", "the connection has shown no credentials, and another one needs its place"),
      );
      return this.#callers.take(caller, 1);
    }
    return false;
  }

  /** A request to a WebSocket port of its own. */
  #answer(request: IncomingMessage, response: ServerResponse): boolean {
    const { statsPath } = this.settings;
    const [asked, query] = (request.url ?? "").split("?", 2);
    if (statsPath === false || asked !== statsPath || request.method !== "GET") return false;
    const decided = (admitted: Admitted | Failure): void => {
      if ("code" in admitted) return answerRefusal(response, refusalOf(admitted));
      return readCounters(admitted, this.tenants, (said) => {
        if (typeof said !== "string") return answerRefusal(response, refusalOf(said));
        response.writeHead(200, { "content-type": "application/json", "cache-control": "no-store" });
        return void response.end(said);
      });
    };
    const shown = identityOf(request)();
    const token = shown.token ?? new URLSearchParams(query).get("token") ?? undefined;
    const remote = remoteOf("http", request.socket);
    const admitted = tryAdmit(this.admission, { gateway: this.name, remote, ...shown, token });
    if (admitted instanceof Promise) void admitted.then(decided);
    else decided(admitted);
    return true;
  }

  async #stopListening(): Promise<void> {
    await Promise.all(this.#listeners.map((listener) => listener.close()));
  }

  #emptied(): Promise<void> {
    if (this.#connections.size + this.#closing.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, CLOSING_MS);
      this.#onEmpty.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  #settle(): void {
    if (this.#connections.size + this.#closing.size > 0) return;
    for (const resolve of this.#onEmpty.splice(0)) resolve();
  }
}
