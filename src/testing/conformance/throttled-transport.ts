import { TransportRegistry } from "../../transport/registry.ts";
import type { Connection, ConnectionHandler, Transport } from "../../transport/transport.ts";

/** A hub's end of a connection: while it is shut, it takes what the hub sends as a connection does that is full. */
export class Throttle {
  readonly connection: Connection;
  readonly #inner: Connection;
  #handler: ConnectionHandler | undefined;
  #isShut = false;
  /** What the hub may not touch until it is told that all was sent. */
  #held: Uint8Array | undefined;

  constructor(inner: Connection) {
    this.#inner = inner;
    this.connection = {
      remote: inner.remote,
      bypasses: inner.bypasses,
      open: (handler) => {
        this.#handler = handler;
        inner.open(handler);
      },
      send: (bytes) => {
        if (!this.#isShut) return inner.send(bytes);
        this.#held = bytes;
        return false;
      },
      close: () => {
        this.open();
        inner.close();
      },
      abort: () => inner.abort(),
    };
  }

  shut(): void {
    this.#isShut = true;
  }

  open(): void {
    this.#isShut = false;
    const held = this.#held;
    this.#held = undefined;
    if (held !== undefined && this.#inner.send(held)) this.#handler?.drained();
  }
}

/** What a hub has counted for sessions that did not keep up. */
export interface Slowness {
  readonly droppedNewest: number;
  readonly droppedOldest: number;
  readonly slowDisconnects: number;
}

/** Where a hub listens: the transport as it is, with a throttle in every connection. */
export class ThrottledTransport {
  readonly transport: Transport;
  readonly registry: TransportRegistry = new TransportRegistry();
  /** Of the connection that was made last. */
  last: Throttle | undefined;
  /** Set by who puts up the hub. */
  counted: () => Slowness = () => ({ droppedNewest: 0, droppedOldest: 0, slowDisconnects: 0 });

  constructor(transport: Transport) {
    this.transport = {
      scheme: transport.scheme,
      supports: transport.supports,
      dial: (url, options) => transport.dial(url, options),
      listen: (url, accept, options) => {
        const acceptAll = (connection: Connection): void => {
          this.last = new Throttle(connection);
          accept(this.last.connection);
        };
        return transport.listen(url, acceptAll, options);
      },
    };
    this.registry.add(this.transport);
  }
}
