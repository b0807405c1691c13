/** Where hubs and peers are put up for a topology, and taken down again. */
import { RemoteEngine } from "../../engine/remote/remote-engine.ts";
import { NativeGateway } from "../../gateway/native/native-gateway.ts";
import { createHub, type Hub } from "../../hub/hub.ts";
import { connect } from "../../peer/connect.ts";
import type { CodecOptions, Peer } from "../../peer/peer.ts";
import type { CodecEntry, TransportEntry } from "./entries.ts";
import { Line } from "./line.ts";

/** Those who talk to each other on a stage. */
export interface Parties {
  readonly caller: Peer;
  readonly worker: Peer;
  /** The connections that can be cut; undefined where there is none. */
  readonly callerLine: Line | undefined;
  readonly workerLine: Line | undefined;
  readonly uplink: Line | undefined;
  /** One more peer, at the side of the worker; with no codec of its own when it is `plain`. */
  readonly join: (plain?: "plain") => Promise<Peer>;
}

/** A request that is forgotten must show as a failure of its case. Milliseconds. */
const REQUEST_TIMEOUT_MS = 8_000;

export class Site implements AsyncDisposable {
  /** Errors that were reported to `onError` of any peer. */
  readonly errors: unknown[] = [];
  readonly #transport: TransportEntry;
  readonly #codec: CodecOptions;
  readonly #takeDown: (() => Promise<void>)[] = [];
  readonly #onError = (error: unknown): void => void this.errors.push(error);

  constructor(transport: TransportEntry, { codec, implied = false }: CodecEntry) {
    this.#transport = transport;
    this.#codec = implied ? {} : { codec };
  }

  /** A hub that listens on the transport, or only in the process. */
  async hub(listens = true): Promise<Hub> {
    const { transport, freshUrl } = this.#transport;
    const hub = await createHub({
      ...this.#codec,
      http: false,
      listen: listens ? [await freshUrl()] : [],
      transports: new Line(transport).registry,
      limits: { timeout: REQUEST_TIMEOUT_MS },
      onError: this.#onError,
    });
    this.#takeDown.push(() => hub.close());
    return hub;
  }

  /** A hub that has no broker: everything it is asked goes on to the hub at this URL. */
  async front(home: string): Promise<{ readonly url: string; readonly uplink: Line }> {
    const { transport, freshUrl } = this.#transport;
    const uplink = new Line(transport);
    const engine = new RemoteEngine(uplink.transport, home, { name: "front", onState: uplink.onState });
    this.#takeDown.push(() => engine.close());
    await engine.connected();
    const gateway = new NativeGateway(engine, { name: "front" });
    const door = await gateway.listen(transport, await freshUrl());
    this.#takeDown.push(async () => {
      const closing = door.close();
      await gateway.close();
      await closing;
    });
    return { url: door.url, uplink };
  }

  /** A peer that dials this URL. */
  async peer(
    url: string,
    name: string,
    plain?: "plain",
  ): Promise<{ readonly peer: Peer; readonly line: Line }> {
    const line = new Line(this.#transport.transport);
    const peer = await connect(url, {
      ...(plain === undefined ? this.#codec : {}),
      name,
      transports: line.registry,
      requestTimeoutMs: REQUEST_TIMEOUT_MS,
      onState: line.onState,
      onError: this.#onError,
    });
    this.#takeDown.push(() => peer.close());
    return { peer, line };
  }

  /** Those who dialed first. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const takeDown of this.#takeDown.splice(0).toReversed()) await takeDown();
  }
}
