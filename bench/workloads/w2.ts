/** W2: one publisher, a hub, and subscribers that each receive everything; three processes. */
import { join } from "node:path";
import type { Transport } from "../candidates/candidate.ts";
import type { Implementation } from "../roles.ts";
import type { FanoutLoad } from "../load/sample.ts";
import type { Case } from "../rounds.ts";
import { NATS_BEST, against, type Entry, type Workload } from "./workload.ts";

/**
 * Messages under way per subscriber. Less for many subscribers, so that every hub's queues stay within its bounds:
 * nats-server holds a publisher back whose subscribers lag, and with 1,024 messages for each of 100 it kept a tenth of its rate.
 */
const WINDOWS = [
  { subscribers: 1, window: 1_024 },
  { subscribers: 10, window: 1_024 },
  { subscribers: 100, window: 256 },
] as const;

export const fanoutLoads: readonly FanoutLoad[] = WINDOWS.map(({ subscribers, window }) => ({
  kind: "fanout",
  payloadBytes: 64,
  subscribers,
  window,
}));

export function toCase(load: FanoutLoad): Case {
  return { name: `${load.subscribers} subscriber${load.subscribers === 1 ? "" : "s"}`, load };
}

/** A hub, the subscribers of all loads and a publisher of one candidate. */
export function openFanout(
  name: string,
  of: Implementation,
  transport: Transport,
  loads: readonly FanoutLoad[],
): Entry {
  return {
    name,
    needs: of.startsWith("nats") ? ["nats-server"] : [],
    open: async (tree) => {
      const directory = tree.directory();
      const ackPath = join(directory, "acks.sock");
      const hub = await tree.fork({ is: "hub", of, transport, directory });
      await tree.fork({ is: "subscribers", of, address: hub.address, ackPath, loads });
      const publisher = await tree.fork({ is: "publisher", of, address: hub.address, ackPath });
      return (load, seconds) => publisher.measure(load, seconds);
    },
  };
}

export const w2: Workload = {
  name: "W2",
  title: "fan-out of 64 B over tcp, publisher and subscribers in processes of their own",
  cases: fanoutLoads.map(toCase),
  seconds: (wanted) => wanted,
  entries: [
    openFanout("lintel", "lintel", "tcp", fanoutLoads),
    openFanout("relay", "relay", "tcp", fanoutLoads),
    openFanout("nats", `nats-${NATS_BEST}`, "tcp", fanoutLoads),
  ],
  tables: [
    { title: "deliveries/s, ratio to nats", metric: "rate", columns: against("nats", ["lintel", "relay"]) },
    { title: "deliveries/s, ratio to the relay", metric: "rate", columns: against("relay", ["lintel"]) },
  ],
};
