/** A hub with a gateway for commands, and clients of it. */
import { createHub, type Hub, type HubConfig } from "../../../src/hub/hub.ts";
import type { CommandsOptions } from "../../../src/gateway/commands/options.ts";
import type { CommandsStats } from "../../../src/gateway/commands/stats.ts";
import { RawClient } from "./raw-client.ts";

export type Scheme = "ws" | "tcp";
export const SCHEMES: readonly Scheme[] = ["ws", "tcp"];

export class Scene implements AsyncDisposable {
  readonly hub: Hub;
  /** What reaches no caller. */
  readonly reported: unknown[];
  readonly #clients: RawClient[] = [];

  private constructor(hub: Hub, reported: unknown[]) {
    this.hub = hub;
    this.reported = reported;
  }

  static async open(options: CommandsOptions = {}, config: HubConfig = {}): Promise<Scene> {
    const reported: unknown[] = [];
    const listen = ["ws://127.0.0.1:0", "tcp://127.0.0.1:0"];
    const hub = await createHub({
      http: false,
      listen: [],
      onError: (error) => reported.push(error),
      commands: { listen, ...options },
      ...config,
    });
    return new Scene(hub, reported);
  }

  urlOf(scheme: Scheme): string {
    return this.hub.commandsUrls.find((url) => url.startsWith(`${scheme}:`))!;
  }

  /** A client that the hub has taken. `query` is that of the URL. */
  async connect(scheme: Scheme = "ws", query = "", headers: Record<string, string> = {}): Promise<RawClient> {
    const client = await RawClient.open(this.urlOf(scheme) + query, headers);
    this.#clients.push(client);
    return client;
  }

  /** The same, and the hub has done for it all that it does at first. */
  async ready(scheme: Scheme = "ws", query = ""): Promise<RawClient> {
    const client = await this.connect(scheme, query);
    await client.call("drs.ping");
    return client;
  }

  get stats(): CommandsStats {
    return this.hub.stats().gateways["commands"] as CommandsStats; // it has counted them
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) client.leave();
    await this.hub.close();
  }
}

/** Code, reason and text of a failure. */
export function failureOf(error: unknown): readonly [code: string, reason: string, message: string] {
  const { code, reason, message } = error as Record<"code" | "reason" | "message", string>;
  return [code, reason, message];
}
