import { hostname } from "node:os";
import { LintelError } from "../../message/failure.ts";
import { aFunction, checkArgument, millisecondsOf } from "../../message/options.ts";
import { encodeUtf8 } from "../../message/text.ts";
import type { Duration } from "../../message/quantity.ts";
import type { Listener, TlsOptions } from "../../transport/transport.ts";
import { addBuiltIns } from "../built-in.ts";
import { ByteBudget } from "../byte-budget.ts";
import { CommandConnection } from "../connection.ts";
import { CommandCounts, type ActionCounts } from "../counts.ts";
import { CommandHandlers } from "../handlers.ts";
import { GOING_AWAY, type CommandLine } from "../line.ts";
import type { CommandHandler, CommandPeer } from "../peer.ts";
import { childLine, standardLine, type ChildPipes } from "../stream-line.ts";
import { Authentication } from "./authentication.ts";
import { addressOf, listenTcp, listenWeb, type CommandAddresses, type CommandUrls } from "./listening.ts";
import {
  serverSettingsOf,
  type CommandServerOptions,
  type ServerSettings,
  type ServerTimes,
} from "./options.ts";

/** What `/stats` shows. */
export interface CommandStats {
  readonly hostname: string;
  readonly connections: { readonly inbound: number };
  /** How commands ended, those that came and the calls of this end, by action; `*` for actions without handlers. */
  readonly commands: Readonly<Record<string, ActionCounts>>;
  /** Commands that handlers are busy with. */
  readonly functions: number;
}

const FULL = { code: 1013, reason: "the server has as many connections as it takes" };
const CALLBACK_FAILED = { code: 1008, reason: "the connection was refused" };
const CLOSE_MS = 5000;

/** Handlers for commands from any number of connections. */
export class CommandServer {
  readonly #settings: ServerSettings;
  readonly #handlers = new CommandHandlers();
  readonly #counts = new CommandCounts();
  readonly #authentication: Authentication | undefined;
  readonly #budget: ByteBudget;
  readonly #connections = new Set<CommandConnection>();
  readonly #listeners: Listener[] = [];
  readonly #onConnect: ((connection: CommandPeer) => unknown)[] = [];
  readonly #onDisconnect: ((connection: CommandPeer, why: Error | undefined) => unknown)[] = [];
  #closing: Promise<void> | undefined;

  /** Throws `invalid_argument` for options that are none. */
  constructor(options: CommandServerOptions = {}, times: ServerTimes = {}) {
    this.#settings = serverSettingsOf(options, times);
    const { authenticate, connections, maxBytes } = this.#settings;
    this.#budget = new ByteBudget(maxBytes);
    addBuiltIns(this.#handlers, connections.epochMs);
    if (authenticate !== undefined) this.#authentication = new Authentication(authenticate, this.#handlers);
  }

  /** The connections that are open. */
  get connections(): ReadonlySet<CommandPeer> {
    return this.#connections;
  }

  /** Adds handlers to the chain of an action, for all connections. */
  on(action: string, ...handlers: readonly CommandHandler[]): this {
    this.#handlers.on(action, ...handlers);
    return this;
  }

  /** Removes a handler from an action's chain; without one, the whole chain. Commands under way keep theirs. */
  off(action: string, handler?: CommandHandler): this {
    this.#handlers.off(action, handler);
    return this;
  }

  /** Adds handlers that run before every chain. What one throws ends the command. */
  before(...handlers: readonly CommandHandler[]): this {
    this.#handlers.before(...handlers);
    return this;
  }

  /** Adds handlers that run after every chain, whether it failed or not. */
  after(...handlers: readonly CommandHandler[]): this {
    this.#handlers.after(...handlers);
    return this;
  }

  /** Called with each new connection, before its first command. A callback that throws, or rejects, ends the connection. */
  onConnect(callback: (connection: CommandPeer) => unknown): this {
    checkArgument("onConnect", "callback", callback, aFunction);
    this.#onConnect.push(callback);
    return this;
  }

  /** Called with each connection that has ended. */
  onDisconnect(callback: (connection: CommandPeer, why: Error | undefined) => unknown): this {
    checkArgument("onDisconnect", "callback", callback, aFunction);
    this.#onDisconnect.push(callback);
    return this;
  }

  /**
   * Sends a command without a key to every connection that may call something. Returns how many. A connection that leaves more
   * unread than `maxBuffered` is ended.
   */
  broadcast(action: string, body?: unknown): number {
    const written = this.#settings.connections.protocol.encode({ action, body });
    const encoded = typeof written === "string" ? encodeUtf8(written) : written; // once, not for each
    let count = 0;
    for (const connection of this.#connections) {
      if (this.#authentication?.isKnown(connection) === false) continue;
      connection.forward(encoded);
      count++;
    }
    return count;
  }

  stats(): CommandStats {
    let functions = 0;
    for (const { underWay } of this.#connections) functions += underWay;
    return {
      hostname: hostname(),
      connections: { inbound: this.#connections.size },
      commands: this.#counts.snapshot(),
      functions,
    };
  }

  /**
   * Takes connections at these addresses, too. Resolves with the URLs and the ports that they really have. Rejects with
   * `INSECURE_LISTEN` for addresses that other machines can reach while there is no `authenticate`, and with the system's errors.
   */
  async listen({ ws, tcp }: CommandAddresses): Promise<CommandUrls> {
    if (this.#closing !== undefined) throw LintelError.of("CLOSED", "the server was closed");
    const urls: CommandUrls = {};
    const accept = (line: CommandLine, query?: URLSearchParams): void => void this.accept(line, query);
    const { path, statsPath } = this.#settings;
    const webAddress = ws === undefined ? undefined : addressOf("ws", ws);
    const tcpAddress = tcp === undefined ? undefined : addressOf("tcp", tcp);
    if (webAddress !== undefined) {
      const stats = (): string => `${JSON.stringify(this.stats())}\n`;
      const { url } = this.#listening(await listenWeb(webAddress, this.#settings, accept, stats));
      urls.ws = url;
      if (statsPath !== false) urls.stats = url.replace(/^ws/, "http").slice(0, -path.length) + statsPath;
    }
    if (tcpAddress !== undefined)
      urls.tcp = this.#listening(await listenTcp(tcpAddress, this.#settings, accept)).url;
    return urls;
  }

  /** Takes one connection over any line. */
  accept(line: CommandLine, query: URLSearchParams = new URLSearchParams()): CommandConnection {
    const connection = new CommandConnection(line, {
      ...this.#settings.options,
      shared: this.#handlers,
      counts: this.#counts,
      budget: this.#budget,
      pausesReading: true,
      query,
    });
    const refusal = this.#refusal();
    if (refusal !== undefined) {
      connection.close(refusal);
      return connection;
    }
    this.#connections.add(connection);
    connection.onClose((why) => {
      this.#connections.delete(connection);
      for (const callback of this.#onDisconnect) this.#tell("onDisconnect", () => callback(connection, why));
    });
    this.#authentication?.begin(connection);
    for (const callback of this.#onConnect)
      this.#tell(
        "onConnect",
        () => callback(connection),
        () => connection.close(CALLBACK_FAILED),
      );
    return connection;
  }

  /** Talks to a child process through its standard input and output, which must be pipes. It may call as any connection. */
  attach(child: ChildPipes): CommandPeer {
    return this.accept(childLine(child, `process ${child.pid ?? "?"}`));
  }

  /** Talks to the parent process through this process's own standard input and output. Nothing else may write there. */
  attachToParent(): CommandPeer {
    return this.accept(standardLine());
  }

  /** Other certificates for the connections to come. Throws what `listen` would, and then everything stays as it was. */
  reload(tls: TlsOptions): void {
    for (const listener of this.#listeners) listener.reload?.(tls);
  }

  /**
   * Takes nothing new, waits for the commands under way, at most `timeout` (5 seconds by default), and ends every connection. Calls
   * without a reply reject with `CLOSED`.
   */
  close({ timeout = CLOSE_MS }: { readonly timeout?: Duration } = {}): Promise<void> {
    const timeoutMs = millisecondsOf("close option timeout", timeout, 0);
    this.#closing ??= this.#close(timeoutMs);
    return this.#closing;
  }

  async #close(timeoutMs: number): Promise<void> {
    const { clock } = this.#settings.connections;
    await Promise.all(this.#listeners.map((listener) => listener.close()));
    const drained = Promise.all([...this.#connections].map((connection) => connection.drain()));
    let timer: unknown;
    const late = new Promise<void>((resolve) => (timer = clock.after(timeoutMs, resolve)));
    await Promise.race([drained, late]);
    clock.clear(timer);
    await Promise.all([...this.#connections].map((connection) => this.#end(connection)));
  }

  /** Resolves when the line has ended. */
  #end(connection: CommandConnection): Promise<void> {
    connection.close(GOING_AWAY);
    return connection.lineEnded;
  }

  #listening(listener: Listener): Listener {
    this.#listeners.push(listener);
    if (this.#closing !== undefined) void listener.close(); // it was closed meanwhile
    return listener;
  }

  #refusal(): { readonly code: number; readonly reason: string } | undefined {
    if (this.#closing !== undefined) return GOING_AWAY;
    if (this.#connections.size < this.#settings.maxConnections) return undefined;
    return this.#evictStranger() ? undefined : FULL;
  }

  /** Whoever has shown no token yet gives way, the one that came first: strangers cannot keep others out. */
  #evictStranger(): boolean {
    for (const connection of this.#connections) {
      if (this.#authentication?.isKnown(connection) !== false) continue;
      connection.close(FULL);
      return true;
    }
    return false;
  }

  #tell(where: string, call: () => unknown, failed?: () => void): void {
    const report = (error: unknown): void => {
      this.#settings.connections.onError(error, where);
      failed?.();
    };
    try {
      const result = call();
      if (result instanceof Promise) result.catch(report);
    } catch (error) {
      report(error);
    }
  }
}

/** A server of commands. Its actions are added with `on`, its addresses with `listen`. */
export function createCommandServer(options: CommandServerOptions = {}): CommandServer {
  return new CommandServer(options);
}
