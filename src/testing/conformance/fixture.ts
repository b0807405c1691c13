/** Where hubs and peers are put up for a topology, and taken down again. */
import { RemoteEngine } from "../../engine/remote/remote-engine.ts";
import { NativeGateway } from "../../gateway/native/gateway.ts";
import { createHub, type Hub } from "../../hub/hub.ts";
import { connect } from "../../peer/connect.ts";
import type { CodecOptions, Peer } from "../../peer/peer.ts";
import type { Limits } from "../../message/limits.ts";
import { sideChannels } from "../../session/side-channels/side-channels.ts";
import { ThrottledTransport, type Slowness, type Throttle } from "./throttled-transport.ts";
import type { CodecEntry, TransportEntry } from "./entries.ts";
import { CuttableTransport } from "./cuttable-transport.ts";

/** Those who talk to each other on a harness. */
export interface Parties {
  readonly caller: Peer;
  readonly worker: Peer;
  /** The connections that can be cut; undefined where there is none. */
  readonly callerLink: CuttableTransport | undefined;
  readonly workerLink: CuttableTransport | undefined;
  readonly hubLink: CuttableTransport | undefined;
  /** The hub's end of the worker's connection; undefined where there is none. */
  readonly workerEnd: HubEnd | undefined;
  /** One more peer, at the side of the worker; with no codec of its own when it is `plain`. */
  readonly join: (plain?: "plain") => Promise<Peer>;
}

/** A connection where a hub has it. */
export interface HubEnd {
  readonly throttle: Throttle;
  /** What the hub has counted, for all its sessions. */
  readonly counted: () => Slowness;
}

/** A request that is forgotten must show as a failure of its case. Milliseconds. */
const REQUEST_TIMEOUT_MS = 8_000;

export class Fixture implements AsyncDisposable {
  /** Errors that were reported to `onError` of any peer. */
  readonly errors: unknown[] = [];
  readonly #transport: TransportEntry;
  readonly #codec: CodecOptions;
  readonly #limits: Partial<Limits>;
  /** Of the hubs, by their URLs. */
  readonly #listeners = new Map<string, ThrottledTransport>();
  readonly #takeDown: (() => Promise<void>)[] = [];
  readonly #onError = (error: unknown): void => void this.errors.push(error);

  /** `limits` are those of the hubs, where they are not the default. */
  constructor(
    transport: TransportEntry,
    { codec, implied = false }: CodecEntry,
    limits: Partial<Limits> = {},
  ) {
    this.#limits = limits;
    this.#transport = transport;
    this.#codec = implied ? {} : { codec };
  }

  /** A hub that listens on the transport, or only in the process. */
  async hub(listens = true): Promise<Hub> {
    const { transport, freshUrl } = this.#transport;
    const listening = new ThrottledTransport(transport);
    const hub = await createHub({
      ...this.#codec,
      http: false,
      listen: listens ? [await freshUrl()] : [],
      transports: listening.registry,
      limits: { ...this.#limits, timeout: REQUEST_TIMEOUT_MS },
      onError: this.#onError,
    });
    this.#takeDown.push(() => hub.close());
    listening.counted = () => hub.stats();
    for (const url of hub.urls) this.#listeners.set(url, listening);
    return hub;
  }

  /** A hub that has no broker: everything it is asked goes on to the hub at this URL. */
  async front(home: string): Promise<{ readonly url: string; readonly hubLink: CuttableTransport }> {
    const { transport, freshUrl } = this.#transport;
    const hubLink = new CuttableTransport(transport);
    const engine = new RemoteEngine(hubLink.transport, home, {
      name: "front",
      onState: hubLink.onState,
      sideChannels,
    });
    this.#takeDown.push(() => engine.close());
    await engine.connected();
    const listening = new ThrottledTransport(transport);
    const options = { name: "front", limits: this.#limits, transports: listening.registry };
    const gateway = new NativeGateway(engine, options);
    const listener = await gateway.listen(await freshUrl());
    this.#takeDown.push(() => gateway.close());
    listening.counted = () => gateway.stats();
    this.#listeners.set(listener.url, listening);
    return { url: listener.url, hubLink };
  }

  /** A peer that dials this URL. */
  async peer(
    url: string,
    name: string,
    plain?: "plain",
  ): Promise<{ readonly peer: Peer; readonly link: CuttableTransport; readonly end: HubEnd }> {
    const link = new CuttableTransport(this.#transport.transport);
    const peer = await connect(url, {
      ...(plain === undefined ? this.#codec : {}),
      name,
      transports: link.registry,
      requestTimeoutMs: REQUEST_TIMEOUT_MS,
      onState: link.onState,
      onError: this.#onError,
    });
    this.#takeDown.push(() => peer.close());
    const listening = this.#listeners.get(url);
    if (listening?.last === undefined) throw new RangeError(`no hub of this fixture listens at ${url}`);
    return { peer, link, end: { throttle: listening.last, counted: listening.counted } };
  }

  /** Those who dialed first. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const takeDown of this.#takeDown.splice(0).toReversed()) await takeDown();
  }
}
