/** The gateways of a hub, in the order in which they were opened. `gateway/gateway.ts` says what happens when. */
import type { Counters, Gateway, GatewayContext, GatewayEntry } from "../gateway/gateway.ts";
import { LintelError, type Failure } from "../message/failure.ts";
import type { Clock } from "../runtime/clock.ts";
import type { TlsOptions } from "../transport/transport.ts";

/** A gateway of a hub, as its user sees it. */
export interface OpenGateway {
  readonly name: string;
  /** Where it is reached, with the ports it really has. */
  readonly urls: readonly string[];
}

/** A gateway has so long to close. Milliseconds. */
const CLOSE_MS = 10_000;
const STILL_OPEN = `it has not closed within ${CLOSE_MS / 1_000} s, and is waited for no longer`;

export class GatewayList {
  readonly #open = new Map<string, Gateway>();
  readonly #onError: (error: unknown, where: string) => void;
  readonly #clock: Clock;

  /** `onError` hears of gateways that fail to end, which keeps no other from ending. */
  constructor(clock: Clock, onError: (error: unknown, where: string) => void) {
    this.#clock = clock;
    this.#onError = onError;
  }

  get all(): readonly OpenGateway[] {
    return [...this.#open].map(([name, { urls }]) => ({ name, urls }));
  }

  /** Opens all of them, one after the other. When it rejects, those that are open stay so until `close`. */
  async open(entries: readonly GatewayEntry[], context: GatewayContext): Promise<void> {
    for (const { kind, options = {} } of entries) {
      const gateway = await kind.open(context, options);
      if (!isGateway(gateway)) throw new TypeError(`the gateway "${kind.name}": ${NO_GATEWAY}`);
      this.#open.set(kind.name, gateway); // so that it is closed in any case
      for (const url of gateway.urls) await context.checkListen(url);
    }
  }

  find(name: string): Gateway | undefined {
    return this.#open.get(name);
  }

  /** By their names, without those that fail to say. */
  stats(): Record<string, Counters> {
    const stats: Record<string, Counters> = {};
    for (const [name, gateway] of this.#open)
      try {
        stats[name] = gateway.stats();
      } catch (error) {
        this.#onError(error, `stats() of the gateway "${name}"`);
      }
    return stats;
  }

  /** Other certificates for a URL. False when it is none of theirs or has none. */
  reload(url: string, tls: TlsOptions): boolean {
    return [...this.#open.values()].some((gateway) => gateway.reload?.(url, tls) === true);
  }

  /** The one that was opened last is the first to stop: others have put paths on its port. */
  drain(): Promise<void> {
    return this.#each("drain", [...this.#open].toReversed(), (gateway) => gateway.drain());
  }

  streamsEnded(graceMs: number): Promise<void> {
    return this.#each("wait for its streams", [...this.#open], (gateway) => gateway.streamsEnded?.(graceMs));
  }

  abandon(why: Failure): void {
    for (const gateway of this.#open.values()) gateway.abandon?.(why);
  }

  /** Closes those that are closed before the engine, or those that are closed after it. */
  close(when: "before engine" | "after engine"): Promise<void> {
    const isAfter = when === "after engine";
    const closed = [...this.#open].filter(
      ([, { closesAfterEngine = false }]) => closesAfterEngine === isAfter,
    );
    return this.#each("close", closed, (gateway) => this.#closed(gateway));
  }

  /** A hub does not wait for ever for a gateway that is somebody else's code. */
  async #closed(gateway: Gateway): Promise<void> {
    const clock = this.#clock;
    let timer: unknown;
    const late = new Promise<never>((_resolve, reject) => {
      timer = clock.after(CLOSE_MS, () => reject(LintelError.of("DEADLINE", STILL_OPEN)));
    });
    await Promise.race([gateway.close(), late]).finally(() => clock.clear(timer));
  }

  trim(): void {
    for (const gateway of this.#open.values()) gateway.trim?.();
  }

  /** Begins with all of them at once, in this order, and resolves when the last is done. */
  async #each(
    what: string,
    gateways: readonly (readonly [string, Gateway])[],
    action: (gateway: Gateway) => Promise<void> | undefined,
  ): Promise<void> {
    await Promise.all(
      gateways.map(async ([name, gateway]) => {
        try {
          await action(gateway);
        } catch (error) {
          this.#onError(error, `the gateway "${name}", which was to ${what},`);
        }
      }),
    );
  }
}

const NO_GATEWAY = "open() must return { name, urls, stats, drain, close }";

/** A kind is somebody else's code: what it returns is looked at. */
function isGateway(given: Partial<Gateway> | undefined): boolean {
  const { urls, stats, drain, close } = given ?? {};
  return Array.isArray(urls) && [stats, drain, close].every((method) => typeof method === "function");
}
