import { LintelError } from "../../message/failure.ts";
import { Heartbeat } from "../../runtime/heartbeat.ts";
import { CommandConnection } from "../connection.ts";
import { CommandError } from "../error.ts";
import type { CommandLine } from "../line.ts";
import type { CommandConnectionOptions } from "../options.ts";
import type { ClientTimes, CommandToken } from "./client-options.ts";
import { HeardLine } from "./heard-line.ts";
import { Redialer } from "../../runtime/redialer.ts";
import type { CommandTarget } from "./target.ts";

/** A server that does not close its end is cut off after this long. Milliseconds. */
const CLOSE_GRACE_MS = 1_000;
const AUTH_TIMEOUT_MS = 5_000;

export interface ServerLinkOptions {
  readonly target: CommandTarget;
  readonly token: CommandToken | undefined;
  readonly tokenIn: "upgrade" | "query";
  readonly heartbeatMs: number;
  readonly times: ClientTimes;
  readonly connection: CommandConnectionOptions;
  /** A connection is open, and its token was accepted. */
  readonly onReady: (connection: CommandConnection) => void;
  /** A connection that `onReady` got has ended. */
  readonly onLost: (connection: CommandConnection, why: Error | undefined) => void;
  /** An attempt failed. Another follows unless `close` is called. */
  readonly onFailed: (error: LintelError) => void;
}

/** What one attempt to connect has brought. */
interface Dialed {
  readonly line: CommandLine;
  readonly token: string | undefined;
}

/** An open line and what belongs to it. */
interface Session {
  readonly line: HeardLine;
  readonly connection: CommandConnection;
  readonly heartbeat: Heartbeat;
  isReady: boolean;
}

/** Keeps a connection to one server, with its token shown. */
export class ServerLink {
  readonly #options: ServerLinkOptions;
  readonly #redialer: Redialer<Dialed>;
  #session: Session | undefined;

  /** Throws `invalid_argument` when the token can not be put where it is wanted. */
  constructor(options: ServerLinkOptions) {
    this.#options = options;
    const { name, hasQuery } = options.target;
    if (options.tokenIn === "query" && !hasQuery)
      throw new LintelError("invalid_argument", `${name} has no query that a token could be put into`);
    const { clock, random } = options.times;
    this.#redialer = new Redialer({
      clock,
      random,
      dial: (signal) => this.#dial(signal),
      discard: ({ line }) => line.abort(),
      onOpened: (dialed) => this.#opened(dialed),
      onFailed: (error) => this.#failed(error),
    });
  }

  start(): void {
    this.#redialer.start();
  }

  /** The connection while it is open and its token accepted. */
  get connection(): CommandConnection | undefined {
    return this.#session?.isReady === true ? this.#session.connection : undefined;
  }

  /** Ends the connection when what was sent is written, and dials no more. Resolves when nothing is left of it. */
  async close(): Promise<void> {
    this.#redialer.stop();
    const session = this.#session;
    if (session === undefined) return;
    const { clock } = this.#options.times;
    const timer = clock.after(CLOSE_GRACE_MS, () => session.line.abort());
    session.connection.close();
    await session.connection.lineEnded;
    clock.clear(timer);
  }

  async #dial(signal: AbortSignal): Promise<Dialed> {
    const { target, token: given, tokenIn } = this.#options;
    const token = typeof given === "function" ? await askFor(given) : given;
    const line = await target.dial(signal, tokenIn === "query" ? token : undefined);
    return { line, token: tokenIn === "upgrade" ? token : undefined };
  }

  #opened({ line: dialed, token }: Dialed): void {
    const { times, heartbeatMs, connection: options } = this.#options;
    const line = new HeardLine(dialed, () => heartbeat.heard());
    let unsent = 0;
    const limits = { heartbeat: heartbeatMs, heartbeatTimeout: heartbeatMs };
    const heartbeat = new Heartbeat(times.clock, limits, {
      ping: () => {
        unsent = line.buffered;
        connection.call("drs.ping").catch(() => undefined); // any answer will do, and none is noticed
      },
      lost: () => {
        // The ping waits behind what was sent before it: an end that takes some of that is there.
        if (line.buffered >= unsent) return line.giveUp(LintelError.of("HEARTBEAT_LOST"));
        heartbeat.heard();
        heartbeat.start();
      },
    });
    const connection = new CommandConnection(line, options);
    if (heartbeatMs > 0) heartbeat.start();
    const session: Session = { line, connection, heartbeat, isReady: false };
    this.#session = session;
    connection.onClose((why) => this.#ended(session, why));
    if (token === undefined) this.#ready(session);
    else void this.#showToken(session, token);
  }

  async #showToken(session: Session, token: string): Promise<void> {
    const { connection } = session;
    try {
      await connection.call("auth.upgrade", token, { timeout: AUTH_TIMEOUT_MS });
    } catch (error) {
      if (connection.isClosed) return; // the end of the connection is told already
      connection.close();
      return this.#failed(error instanceof CommandError ? this.#refusal(error) : error);
    }
    if (!connection.isClosed) this.#ready(session);
  }

  #refusal(error: CommandError): LintelError {
    const message = `${this.#options.target.name} refuses the token: ${error.message}`;
    return LintelError.of("UNAUTHENTICATED", message, error);
  }

  #ready(session: Session): void {
    session.isReady = true;
    this.#options.onReady(session.connection);
  }

  #ended(session: Session, why: Error | undefined): void {
    session.heartbeat.stop();
    this.#session = undefined;
    if (session.isReady) this.#options.onLost(session.connection, why);
    else this.#failed(why ?? new Error("the server closed the connection"));
    this.#redialer.lost();
  }

  #failed(error: unknown): void {
    const { target, onFailed } = this.#options;
    if (error instanceof LintelError && error.reason === "UNAUTHENTICATED") return onFailed(error);
    const message = `cannot connect to ${target.name}: ${error instanceof Error ? error.message : String(error)}`;
    onFailed(LintelError.of("NOT_CONNECTED", message, error));
  }
}

async function askFor(token: () => string | Promise<string>): Promise<string> {
  try {
    return await token();
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`the function "token" failed: ${why}`, { cause });
  }
}
