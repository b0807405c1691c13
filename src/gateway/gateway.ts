/**
 * The contract between a hub and its gateways. A gateway turns a foreign protocol into messages for an engine, and the
 * hub knows nothing else of it. A kind of gateway that you write is used in the same way as the built-in ones
 * (`registry.ts`).
 *
 * **Start.** The hub opens its gateways one after the other: the built-in ones, then yours, and the HTTP port last,
 * because others have put paths on it by then (`context.port`). When one fails to open, the hub closes those that are
 * open and `createHub` rejects.
 *
 * **Drain.** The hub
 * 1. calls `drain` of every gateway, the one that was opened last first, and waits for all of them;
 * 2. drains the engine: requests of sessions and of the hub's own process have their outcome then;
 * 3. calls `streamsEnded` of every gateway and waits for all of them;
 * 4. closes as below.
 * When the time of grace is over before that, the engine is closed with the reason `DRAINING`, and `abandon` of every
 * gateway is called with the same reason. One second later the hub closes.
 *
 * **Close.** The hub calls `close` of every gateway in the order in which they were opened, closes the engine meanwhile,
 * and then calls `close` of those that have `closesAfterEngine`.
 */
import type { Admission } from "../access/admission.ts";
import type { Engine } from "../engine/engine.ts";
import type { Failure } from "../message/failure.ts";
import type { Limits } from "../message/limits.ts";
import type { Observer } from "../observe/observer.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Section } from "../schema/section.ts";
import type { TlsOptions } from "../transport/transport.ts";
import type { SharedPort } from "./shared-port.ts";

/** Numbers by name. */
export type Counters = Readonly<Record<string, number>>;

export interface Gateway {
  /** The name of its kind. */
  readonly name: string;
  /** Where it is reached, with the ports it really has. Empty when it has no address of its own. */
  readonly urls: readonly string[];
  /**
   * True for a gateway whose connections hold requests of both directions, such as sessions: it is closed after the engine,
   * so that each connection is told the outcome of what is under way before it ends. Default false.
   */
  readonly closesAfterEngine?: boolean;
  /** What it counts. The hub shows it under the gateway's name in `hub.stats().gateways`. */
  stats(): Counters;
  /**
   * Uses other certificates for one of its URLs, from the next connection on. False when the URL is none of its own or has
   * no certificates. Throws a TypeError when the certificates cannot be used; then everything stays as it was.
   */
  reload?(url: string, tls: TlsOptions): boolean;
  /**
   * Accepts nothing new. Resolves when every request that came in here has its outcome, as far as the engine does not know
   * of it. Connections stay open for answers that still need them.
   */
  drain(): Promise<void>;
  /** Resolves when no stream through it is open, at the latest after `graceMs`. */
  streamsEnded?(graceMs: number): Promise<void>;
  /** The drain took too long: ends everything that is under way, and tells each caller why. */
  abandon?(why: Failure): void;
  /** Ends everything at once. Resolves when nothing is left of it. May be called without `drain` before it, and twice. */
  close(): Promise<void>;
  /** The hub is idle: gives memory back that it keeps for what may come. */
  trim?(): void;
}

/** What a hub gives to each of its gateways. */
export interface GatewayContext {
  /** Routes messages. What a caller asks for goes to the engine that `admission` gives for it, not to this one. */
  readonly engine: Engine;
  /** Gives credentials a principal, and an engine that lets it do what it may. */
  readonly admission: Admission;
  /** Called with events that only the gateway sees; the engine reports every outcome to it. Undefined without an observer. */
  readonly observer: Observer | undefined;
  readonly limits: Limits;
  readonly clock: Clock;
  /** The hub's certificates, for gateways that encrypt and have none of their own. */
  readonly tls: TlsOptions | undefined;
  /** Puts paths and upgrades on the HTTP port. */
  readonly port: SharedPort;
  /**
   * To be called with each URL before the gateway listens there. Rejects with `INSECURE_LISTEN` where other machines can reach it and
   * the hub lets everybody in. The hub looks at `urls` as well, once the gateway is open.
   */
  readonly checkListen: (url: string) => Promise<void>;
  /** Reports an error that reaches no caller to the hub's owner. `where` says what failed. */
  readonly onError: (error: unknown, where: string) => void;
  /** The hub's name, for protocols that show one to their clients. */
  readonly name: string;
}

/** A kind of gateway: a light object. What the gateway needs is loaded by `open`. */
export interface GatewayKind<Options = unknown> {
  /** Its name in stats, and its key in a configuration file: `[a-z][a-z0-9-]*`. */
  readonly name: string;
  /** Its key in a configuration file where that is not its name. */
  readonly key?: string;
  /** What it declares for configuration files, the environment and flags. Loaded only where one of them is read. */
  config?(): Promise<Section>;
  /** Throws `invalid_argument` for options of the wrong kind. Called before any gateway is opened. */
  check?(options: unknown): void;
  /**
   * Opens a gateway. Rejects with `invalid_argument` for options that are wrong, and with the system's error when it cannot
   * listen. A gateway without options gets `{}`.
   */
  open(context: GatewayContext, options: Options): Promise<Gateway>;
}

/** A gateway that is to be opened. */
export interface GatewayEntry<Options = unknown> {
  readonly kind: GatewayKind<Options>;
  readonly options?: Options;
}
