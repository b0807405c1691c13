/** Tunnels that begin at the hub itself: ports whose connections lead to the worker that exposes a subject. */
import type { LintelError } from "../../message/failure.ts";
import { MAX_TIMEOUT } from "../../message/limits.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Gateway, GatewayContext } from "../gateway.ts";
import { formatAddress } from "../../transport/address.ts";
import { LOOPBACK, Tunnel } from "./listener.ts";
import { entrancesOf, type TunnelEntrance } from "./options.ts";
import type { TunnelStats } from "./stats.ts";

/**
 * Opens a port for each entrance. Rejects with `invalid_argument` for options that are wrong, and with the system's errors of
 * listening.
 */
export async function openTunnels(
  { engine, admission, limits, clock, checkListen, onError }: GatewayContext,
  options: TunnelEntrance | readonly TunnelEntrance[],
): Promise<TunnelGateway> {
  const { callerShare } = limits;
  const gateway = new TunnelGateway(clock);
  try {
    for (const { entrance, limits: own } of entrancesOf(options)) {
      const reported = (error: LintelError, connection: string): void =>
        onError(error, `a tunnel's connection from ${connection}`);
      const settings = { callerShare, onError: reported, ...own };
      await checkListen(`tcp://${formatAddress(entrance.host ?? LOOPBACK, entrance.port)}`);
      const tunnel = new Tunnel(engine, entrance.subject, settings, admission);
      gateway.tunnels.push(await tunnel.listen(entrance));
    }
  } catch (error) {
    await gateway.close();
    throw error;
  }
  return gateway;
}

export class TunnelGateway implements Gateway {
  readonly name = "tunnel";
  readonly tunnels: Tunnel[] = [];
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get urls(): readonly string[] {
    return this.tunnels.map(({ url }) => url);
  }

  stats(): TunnelStats {
    return { connections: this.tunnels.reduce((sum, { connections }) => sum + connections, 0) };
  }

  /** A connection is a request from its first moment, which the engine knows of. */
  async drain(): Promise<void> {
    await Promise.all(this.tunnels.map((tunnel) => tunnel.stop()));
  }

  async streamsEnded(graceMs: number): Promise<void> {
    let timer: unknown;
    const over = new Promise<void>((resolve) => {
      timer = this.#clock.after(Math.min(graceMs, MAX_TIMEOUT), resolve);
    });
    await Promise.race([Promise.all(this.tunnels.map((tunnel) => tunnel.ended())), over]);
    this.#clock.clear(timer);
  }

  async close(): Promise<void> {
    await Promise.all(this.tunnels.map((tunnel) => tunnel.close()));
  }
}
