import type { ConnectOptions } from "../../peer/connect.ts";
import { TransportRegistry } from "../../transport/registry.ts";
import type { Connection, DialOptions, Transport } from "../../transport/transport.ts";

/** The way of one peer to its hub: the transport as it is, and a way to cut its connection. */
export class CuttableTransport {
  readonly transport: Transport;
  readonly registry: TransportRegistry = new TransportRegistry();
  /** Those dialed since the last cut: of several attempts at a time the peer keeps one. */
  readonly #connections = new Set<Connection>();
  #onConnected: (() => void)[] = [];

  constructor(transport: Transport) {
    this.transport = {
      scheme: transport.scheme,
      supports: transport.supports,
      dial: (url, options) => this.#dial(transport, url, options),
      listen: (url, accept, options) => transport.listen(url, accept, options),
    };
    this.registry.add(this.transport);
  }

  /** To be told of the state of the connection that uses it. */
  readonly onState: NonNullable<ConnectOptions["onState"]> = (state) => {
    if (state !== "connected") return;
    for (const resolve of this.#onConnected.splice(0)) resolve();
  };

  /** Aborts the connection, as a network does. Resolves when there is another. */
  cut(): Promise<void> {
    const again = new Promise<void>((resolve) => this.#onConnected.push(resolve));
    for (const connection of this.#connections) connection.abort();
    this.#connections.clear();
    return again;
  }

  async #dial(transport: Transport, url: string, options: DialOptions | undefined): Promise<Connection> {
    const connection = await transport.dial(url, options);
    this.#connections.add(connection);
    return connection;
  }
}
