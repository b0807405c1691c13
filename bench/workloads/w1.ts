/** W1: request and reply from a client through a hub to a worker, three processes. */
import type { Transport } from "../candidates/candidate.ts";
import type { NatsSetting } from "../candidates/nats.ts";
import type { Case } from "../rounds.ts";
import type { Implementation } from "../roles.ts";
import { NATS_BEST, against, type Entry, type Workload } from "./workload.ts";

const PAYLOADS = [
  { bytes: 64, name: "64 B" },
  { bytes: 1_024, name: "1 KiB" },
] as const;
const IN_FLIGHT = [1, 64, 256] as const;

export const requestCases: readonly Case[] = PAYLOADS.flatMap(({ bytes, name }) =>
  IN_FLIGHT.map((inFlight) => ({
    name: `${name}, ${inFlight} in flight`,
    load: { kind: "request", payloadBytes: bytes, inFlight },
  })),
);

/** A hub, a worker and a caller of one candidate. */
export function openRequests(name: string, of: Implementation, transport: Transport): Entry {
  return {
    name,
    needs: of.startsWith("nats") ? ["nats-server"] : [],
    open: async (tree) => {
      const hub = await tree.fork({ is: "hub", of, transport, directory: tree.directory() });
      await tree.fork({ is: "worker", of, address: hub.address });
      const caller = await tree.fork({ is: "caller", of, address: hub.address });
      return (load, seconds) => caller.measure(load, seconds);
    },
  };
}

const LINTEL = ["lintel-unix", "lintel-tcp"] as const;
const RELAY = ["relay-unix", "relay-tcp"] as const;
const SAME_TRANSPORT = [
  { candidate: "lintel-unix", base: "relay-unix" },
  { candidate: "lintel-tcp", base: "relay-tcp" },
] as const;

export const w1: Workload = {
  name: "W1",
  title: "request/reply through a hub, client and worker in processes of their own",
  cases: requestCases,
  seconds: (wanted) => wanted,
  entries: [
    openRequests("lintel-unix", "lintel", "unix"),
    openRequests("lintel-tcp", "lintel", "tcp"),
    openRequests("relay-unix", "relay", "unix"),
    openRequests("relay-tcp", "relay", "tcp"),
    openRequests("nats", `nats-${NATS_BEST}`, "tcp"),
    openRequests("nats-inbox", "nats-inbox", "tcp"),
  ],
  tables: [
    {
      title: "req/s, ratio to nats",
      metric: "rate",
      columns: against("nats", [...LINTEL, ...RELAY, "nats-inbox"]),
    },
    {
      title: "req/s, ratio to the relay over the same transport, and to nats-inbox",
      metric: "rate",
      columns: [...SAME_TRANSPORT, ...against("nats-inbox", LINTEL)],
    },
    {
      title: "median latency, ratio to the relay over the same transport and to nats (less is better)",
      metric: "p50",
      columns: [...SAME_TRANSPORT, ...against("nats", LINTEL)],
    },
  ],
};

function setting(name: NatsSetting): Entry {
  return openRequests(name, `nats-${name}`, "tcp");
}

/** Not a workload of Lintel: shows which setting of the NATS client is its best one, and so the fair base of the others. */
export const natsSettings: Workload = {
  name: "NATS",
  title: "settings of the official NATS client, request/reply",
  cases: requestCases.filter(({ load }) => load.kind === "request" && load.payloadBytes === 64),
  seconds: (wanted) => wanted,
  entries: [setting("inbox"), setting("mux-no-traces"), setting("mux"), setting("no-mux")],
  tables: [
    {
      title: "req/s, ratio to the client's default setting (mux)",
      metric: "rate",
      columns: against("mux", ["inbox", "mux-no-traces", "no-mux"]),
    },
  ],
};
