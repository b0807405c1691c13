/** The text gateway: requests against the native session over WebSocket, fan-out against what people use there. */
import { openRequests, requestCases } from "./w1.ts";
import { fanoutLoads, openFanout, toCase } from "./w2.ts";
import { against, type Workload } from "./workload.ts";

const TEXT = ["lintel-text", "text by hand"];

export const textRequests: Workload = {
  name: "TR",
  title: "W1 through the text gateway",
  cases: requestCases,
  seconds: (wanted) => wanted,
  entries: [
    openRequests("lintel-text", "lintel-text", "ws"),
    openRequests("text by hand", "text-by-hand", "ws"),
    openRequests("lintel-ws", "lintel", "ws"),
    openRequests("socket.io", "socket.io", "ws"),
  ],
  tables: [
    {
      title: "req/s, ratio to the native session over WebSocket, and to Socket.IO",
      metric: "rate",
      columns: [...against("lintel-ws", TEXT), ...against("socket.io", TEXT)],
    },
    {
      title: "median latency, ratio to the native session over WebSocket (less is better)",
      metric: "p50",
      columns: against("lintel-ws", TEXT),
    },
  ],
};

/** As long a window as Socket.IO gets through while it is measured. */
const WINDOW = 256;
const loads = fanoutLoads
  .filter(({ subscribers }) => subscribers > 1)
  .map((load) => ({ ...load, window: WINDOW }));

export const textFanout: Workload = {
  name: "TF",
  title: "fan-out of 64 B through the text gateway",
  cases: loads.map(toCase),
  seconds: (wanted) => wanted,
  entries: [
    openFanout("lintel-text", "lintel-text", "ws", loads),
    openFanout("text by hand", "text-by-hand", "ws", loads),
    openFanout("lintel-ws", "lintel", "ws", loads),
    openFanout("socket.io", "socket.io", "ws", loads),
  ],
  tables: [
    {
      title: "deliveries/s, ratio to Socket.IO, and to the native session over WebSocket",
      metric: "rate",
      columns: [...against("socket.io", TEXT), ...against("lintel-ws", TEXT)],
    },
  ],
};
