import { LintelError } from "../../message/failure.ts";
import type { CommandHandlers } from "../handlers.ts";
import type { CallOptions } from "../peer.ts";
import type { ActionOf, Actions, AnyActions, CallArguments, ResultOf } from "./actions.ts";
import {
  clientSettingsOf,
  type ClientCallOptions,
  type ClientSettings,
  type ClientTimes,
  type CommandClientOptions,
} from "./client-options.ts";
import { CommandClient } from "./command-client.ts";
import { HostRules, type Host, type HostRule } from "./host-rules.ts";
import { callRetrying } from "./retrying.ts";
import type { CommandTarget } from "./target.ts";
import { TypedHandlers } from "./typed-handlers.ts";

/** A client of one host, as the rules see it. */
class RoutedHost implements Host {
  readonly client: CommandClient;

  constructor(client: CommandClient) {
    this.client = client;
  }

  get isUp(): boolean {
    return this.client.state === "connected";
  }

  get pendingCalls(): number {
    return this.client.connection?.pending ?? 0;
  }
}

/**
 * Commands to several servers: each goes to a host that its action's rule names. A host that is down gets none, and is connected
 * again without a limit of attempts.
 */
export class CommandRouter<
  Remote extends Actions<Remote> = AnyActions,
  Local extends Actions<Local> = AnyActions,
> extends TypedHandlers<Local> {
  readonly #rules: HostRules<RoutedHost>;
  readonly #hosts: RoutedHost[] = [];
  readonly #settings: ClientSettings;
  readonly #times: ClientTimes;

  /** `targetOf` gives the server of a URL. Dials nothing before `start`. */
  constructor(
    rules: readonly HostRule[],
    targetOf: (url: string) => CommandTarget,
    options: CommandClientOptions,
    handlers: CommandHandlers,
    times: ClientTimes,
  ) {
    super(handlers);
    this.#settings = clientSettingsOf(options);
    this.#times = times;
    this.#rules = new HostRules(rules, (url) => {
      const host = new RoutedHost(new CommandClient(targetOf(url), options, handlers, times));
      this.#hosts.push(host);
      return host;
    });
  }

  /** Connects to all hosts. Resolves when each rule has a host that is connected; rejects, and closes, when one has none in time. */
  async start(): Promise<void> {
    const { clock } = this.#times;
    const { connectTimeoutMs } = this.#settings;
    let timer: unknown;
    try {
      await new Promise<void>((resolve, reject) => {
        const look = (): void => {
          if (this.#rules.areServed) resolve();
        };
        timer = clock.after(connectTimeoutMs, () => reject(this.#failure(connectTimeoutMs)));
        for (const { client } of this.#hosts) client.onConnect(look).begin();
      });
    } catch (error) {
      await this.close();
      throw error;
    } finally {
      clock.clear(timer);
    }
  }

  /** The clients of all hosts, in the order of the rules. */
  get clients(): readonly CommandClient[] {
    return this.#hosts.map(({ client }) => client);
  }

  /**
   * Calls an action of the least busy of its hosts. Rejects as `CommandClient.call` does; with `NOT_CONNECTED` when all of its hosts
   * are down, and with `NO_RESPONDERS` when no rule is for it. A retry goes to another host where there is one.
   */
  async call<A extends ActionOf<Remote>>(
    action: A,
    ...[body, options = {}]: CallArguments<Remote[A], ClientCallOptions>
  ): Promise<ResultOf<Remote[A]>> {
    let last: RoutedHost | undefined;
    const attempt = async (each: CallOptions): Promise<unknown> => {
      last = this.#rules.pick(action, last);
      return last.client.call(action, body, { ...each, retries: 0 });
    };
    const result = await callRetrying(attempt, options, this.#settings, this.#times);
    return result as ResultOf<Remote[A]>; // as the map of actions says
  }

  /** Sends a command to the least busy host of its action. Throws as `call` rejects when there is none. */
  fire<A extends ActionOf<Remote>>(action: A, ...[body]: CallArguments<Remote[A], never>): boolean {
    return this.#rules.pick(action).client.fire(action, body);
  }

  /** The time of the server whose clock is known best. */
  now(): number {
    let best: CommandClient | undefined;
    for (const { client } of this.#hosts) {
      if ((client.maxClockError ?? Infinity) < (best?.maxClockError ?? Infinity)) best = client;
    }
    return best?.now() ?? this.#times.wallClock();
  }

  /** Closes the connections to all hosts. */
  async close(): Promise<void> {
    await Promise.all(this.#hosts.map(({ client }) => client.close()));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #failure(timeoutMs: number): LintelError {
    const down = this.#hosts.filter(({ isUp }) => !isUp);
    const why = down.map(({ client }) => client.lastFailure?.message ?? `no connection to ${client.name}`);
    return LintelError.of("NOT_CONNECTED", `${why.join("; ")} (tried for ${timeoutMs} ms)`);
  }
}
