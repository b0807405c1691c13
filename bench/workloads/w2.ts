/** W2: one publisher, a hub, and subscribers that each receive everything; three processes. */
import { join } from "node:path";
import type { Implementation } from "../roles.ts";
import type { FanoutLoad } from "../load/sample.ts";
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

const loads = WINDOWS.map(({ subscribers, window }): FanoutLoad => ({
  kind: "fanout",
  payloadBytes: 64,
  subscribers,
  window,
}));

function entry(name: string, of: Implementation): Entry {
  return {
    name,
    needs: of.startsWith("nats") ? ["nats-server"] : [],
    open: async (tree) => {
      const directory = tree.directory();
      const ackPath = join(directory, "acks.sock");
      const hub = await tree.fork({ is: "hub", of, transport: "tcp", directory });
      await tree.fork({ is: "subscribers", of, address: hub.address, ackPath, loads });
      const publisher = await tree.fork({ is: "publisher", of, address: hub.address, ackPath });
      return (load, seconds) => publisher.measure(load, seconds);
    },
  };
}

export const w2: Workload = {
  name: "W2",
  title: "fan-out of 64 B over tcp, publisher and subscribers in processes of their own",
  cases: loads.map((load) => ({
    name: `${load.subscribers} subscriber${load.subscribers === 1 ? "" : "s"}`,
    load,
  })),
  seconds: (wanted) => wanted,
  entries: [entry("lintel", "lintel"), entry("relay", "relay"), entry("nats", `nats-${NATS_BEST}`)],
  tables: [
    { title: "deliveries/s, ratio to nats", metric: "rate", columns: against("nats", ["lintel", "relay"]) },
    { title: "deliveries/s, ratio to the relay", metric: "rate", columns: against("relay", ["lintel"]) },
  ],
};
