/** The gateway for programs that speak beam over a unix socket, and pass sockets beside their messages. */
import { failure, type Failure } from "../../message/failure.ts";
import { ReadBudget } from "../../stream/read-window.ts";
import type { DescriptorSocket } from "../../transport/descriptors/descriptor-socket.ts";
import { listenDescriptors } from "../../transport/descriptors/endpoints.ts";
import type { Listener } from "../../transport/transport.ts";
import type { Gateway, GatewayContext } from "../gateway.ts";
import { BeamConnection } from "./connection.ts";
import { BeamContext } from "./context.ts";
import { beamSettings, type BeamOptions } from "./options.ts";
import type { BeamStats } from "./stats.ts";

const CLOSED = Object.freeze(failure("CLOSED", "the hub was closed"));

/**
 * Opens the gateway. Rejects with `invalid_argument` for options that are wrong, with `DESCRIPTORS_UNSUPPORTED` where sockets
 * cannot be passed, and with the system's errors of listening.
 */
export async function openBeam(context: GatewayContext, options: BeamOptions): Promise<BeamGateway> {
  const gateway = new BeamGateway(context, options);
  await gateway.listen();
  return gateway;
}

export class BeamGateway implements Gateway {
  readonly name = "beam";
  readonly #site: BeamContext;
  readonly #connections = new Set<BeamConnection>();
  #listener: Listener | undefined;
  #onIdle: (() => void)[] = [];

  constructor({ engine, admission, limits, onError }: GatewayContext, options: BeamOptions) {
    const { timeout: timeoutMs, payload: messageLimit } = limits;
    const settings = beamSettings({ timeoutMs, messageLimit, onError, ...options });
    this.#site = new BeamContext(engine, admission, settings, new ReadBudget());
  }

  async listen(): Promise<void> {
    const { path, mode } = this.#site.settings;
    this.#listener = await listenDescriptors(path, (socket) => this.#accept(socket), mode);
  }

  /** `unix:///run/beam.sock` */
  get urls(): readonly string[] {
    return [`unix://${this.#site.settings.path}`];
  }

  stats(): BeamStats {
    return { ...this.#site.stats };
  }

  /** Accepts nothing new, neither connections nor messages, and resolves when every request has its outcome. */
  async drain(): Promise<void> {
    this.#site.refusal ??= failure("DRAINING");
    await this.#listener?.close();
    if (!this.#isIdle) await new Promise<void>((resolve) => this.#onIdle.push(resolve));
  }

  /** Ends everything, channels included. */
  async close(): Promise<void> {
    this.#site.refusal = CLOSED;
    await this.#listener?.close();
    for (const connection of this.#connections) connection.abort(CLOSED);
  }

  get #isIdle(): boolean {
    return [...this.#connections].every((connection) => connection.isIdle);
  }

  #accept(socket: DescriptorSocket): void {
    const { stats, settings } = this.#site;
    const connection = new BeamConnection(socket, this.#site, {
      idle: () => this.#settle(),
      over: () => {
        if (this.#connections.delete(connection)) stats.connections--;
        this.#settle();
      },
    });
    const why: Failure = failure(
      "TOO_MANY",
      `the limit of ${settings.maxConnections} connections is reached`,
    );
    // Silent connections keep no others out: a new one replaces the oldest silent one.
    if (this.#connections.size >= settings.maxConnections)
      [...this.#connections].find(({ isSilent }) => isSilent)?.abort(why);
    if (this.#connections.size >= settings.maxConnections) {
      stats.refused++;
      this.#site.report(why, "a connection of beam");
      return connection.abort(why);
    }
    this.#connections.add(connection);
    stats.connections++;
    return connection.open();
  }

  #settle(): void {
    if (this.#onIdle.length > 0 && this.#isIdle) for (const resolve of this.#onIdle.splice(0)) resolve();
  }
}
