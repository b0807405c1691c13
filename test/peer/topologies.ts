/** Ways for a caller and a worker to be connected. Every test of the peer API runs over all of them. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createHub, type Hub } from "../../src/hub/hub.ts";
import type { Limits } from "../../src/message/limits.ts";
import { connect } from "../../src/peer/connect.ts";
import type { Peer } from "../../src/peer/peer.ts";
import { TransportRegistry } from "../../src/transport/registry.ts";
import { tls } from "../../src/transport/tls.ts";
import { wss } from "../../src/transport/ws.ts";
import { withCertificates } from "../transport/certificates.ts";

export interface Stage extends AsyncDisposable {
  readonly hub: Hub;
  readonly caller: Peer;
  readonly worker: Peer;
  /** Errors reported to the worker's `onError`. */
  readonly errors: unknown[];
}

type Build = (limits: Partial<Limits>) => Promise<Stage>;

export const TOPOLOGIES: Readonly<Record<string, Build>> = {
  "in process": async (limits) => {
    const errors: unknown[] = [];
    const hub = await createHub({ http: false, listen: [], limits, onError: (error) => errors.push(error) });
    return stage(hub, hub, hub, errors);
  },
  "memory to memory": (limits) => overHub("memory:hub", limits),
  "tcp to tcp": (limits) => overHub("tcp://127.0.0.1:0", limits),
  "tls to tls": (limits) => overHub("tls://localhost:0", limits),
  "ws to ws": (limits) => overHub("ws://127.0.0.1:0/lintel", limits),
  "wss to wss": (limits) => overHub("wss://localhost:0/lintel", limits),
  "unix to unix": async (limits) => {
    const folder = await mkdtemp(join(tmpdir(), "lintel-peer-"));
    const built = await overHub(`unix://${join(folder, "hub.sock")}`, limits);
    return {
      ...built,
      async [Symbol.asyncDispose]() {
        await built[Symbol.asyncDispose]();
        await rm(folder, { recursive: true });
      },
    };
  },
};

function withTestCertificates(): TransportRegistry {
  const transports = new TransportRegistry();
  for (const transport of [tls, wss]) transports.add(withCertificates(transport));
  return transports;
}

async function overHub(url: string, limits: Partial<Limits>): Promise<Stage> {
  const transports = withTestCertificates();
  const errors: unknown[] = [];
  const hub = await createHub({ http: false, listen: [url], limits, transports });
  const at = hub.urls[0]!;
  const caller = await connect(at, { transports, name: "caller" });
  const worker = await connect(at, { transports, name: "worker", onError: (error) => errors.push(error) });
  return stage(hub, caller, worker, errors);
}

function stage(hub: Hub, caller: Peer, worker: Peer, errors: unknown[]): Stage {
  return {
    hub,
    caller,
    worker,
    errors,
    async [Symbol.asyncDispose]() {
      await caller.close();
      await worker.close();
      await hub.close();
    },
  };
}
