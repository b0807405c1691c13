/** Where hubs and peers are put up for a topology, and taken down again. */
import { RemoteEngine } from "../../engine/remote/remote-engine.ts";
import { NativeGateway } from "../../gateway/native/gateway.ts";
import { createHub, type Hub } from "../../hub/hub.ts";
import { connect } from "../../peer/connect.ts";
import type { CodecOptions, Peer } from "../../peer/peer.ts";
import type { Limits } from "../../message/limits.ts";
import { sideChannels } from "../../session/side-channels/side-channels.ts";
import { Door, type Slowness, type Valve } from "./gateway.ts";
import type { CodecEntry, TransportEntry } from "./entries.ts";
import { Line } from "./line.ts";

/** Those who talk to each other on a harness. */
export interface Parties {
  readonly caller: Peer;
  readonly worker: Peer;
  /** The connections that can be cut; undefined where there is none. */
  readonly callerLine: Line | undefined;
  readonly workerLine: Line | undefined;
  readonly uplink: Line | undefined;
  /** The hub's end of the worker's connection; undefined where there is none. */
  readonly workerEnd: HubEnd | undefined;
  /** One more peer, at the side of the worker; with no codec of its own when it is `plain`. */
  readonly join: (plain?: "plain") => Promise<Peer>;
}

/** A connection where a hub has it. */
export interface HubEnd {
  readonly valve: Valve;
  /** What the hub has counted, for all its sessions. */
  readonly counted: () => Slowness;
}

/** A request that is forgotten must show as a failure of its case. Milliseconds. */
const REQUEST_TIMEOUT_MS = 8_000;

export class Site implements AsyncDisposable {
  /** Errors that were reported to `onError` of any peer. */
  readonly errors: unknown[] = [];
  readonly #transport: TransportEntry;
  readonly #codec: CodecOptions;
  readonly #limits: Partial<Limits>;
  /** Of the hubs, by their URLs. */
  readonly #doors = new Map<string, Door>();
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
    const door = new Door(transport);
    const hub = await createHub({
      ...this.#codec,
      http: false,
      listen: listens ? [await freshUrl()] : [],
      transports: door.registry,
      limits: { ...this.#limits, timeout: REQUEST_TIMEOUT_MS },
      onError: this.#onError,
    });
    this.#takeDown.push(() => hub.close());
    door.counted = () => hub.stats();
    for (const url of hub.urls) this.#doors.set(url, door);
    return hub;
  }

  /** A hub that has no broker: everything it is asked goes on to the hub at this URL. */
  async front(home: string): Promise<{ readonly url: string; readonly uplink: Line }> {
    const { transport, freshUrl } = this.#transport;
    const uplink = new Line(transport);
    const engine = new RemoteEngine(uplink.transport, home, {
      name: "front",
      onState: uplink.onState,
      sideChannels,
    });
    this.#takeDown.push(() => engine.close());
    await engine.connected();
    const door = new Door(transport);
    const options = { name: "front", limits: this.#limits, transports: door.registry };
    const gateway = new NativeGateway(engine, options);
    const listening = await gateway.listen(await freshUrl());
    this.#takeDown.push(() => gateway.close());
    door.counted = () => gateway.stats();
    this.#doors.set(listening.url, door);
    return { url: listening.url, uplink };
  }

  /** A peer that dials this URL. */
  async peer(
    url: string,
    name: string,
    plain?: "plain",
  ): Promise<{ readonly peer: Peer; readonly line: Line; readonly end: HubEnd }> {
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
    const door = this.#doors.get(url);
    if (door?.last === undefined) throw new RangeError(`no hub of this site listens at ${url}`);
    return { peer, line, end: { valve: door.last, counted: door.counted } };
  }

  /** Those who dialed first. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const takeDown of this.#takeDown.splice(0).toReversed()) await takeDown();
  }
}
