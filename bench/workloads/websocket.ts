/** W1 over WebSocket, against what people use there. */
import { openRequests, requestCases } from "./w1.ts";
import { against, type Workload } from "./workload.ts";

export const websocket: Workload = {
  name: "WS",
  title: "W1 over WebSocket",
  cases: requestCases,
  seconds: (wanted) => wanted,
  entries: [
    openRequests("lintel-ws", "lintel", "ws"),
    openRequests("lintel-tcp", "lintel", "tcp"),
    openRequests("socket.io", "socket.io", "ws"),
  ],
  tables: [
    {
      title: "req/s, ratio to Socket.IO, and to Lintel over TCP",
      metric: "rate",
      columns: [...against("socket.io", ["lintel-ws"]), ...against("lintel-tcp", ["lintel-ws"])],
    },
    {
      title: "median latency, ratio to Socket.IO, and to Lintel over TCP (less is better)",
      metric: "p50",
      columns: [...against("socket.io", ["lintel-ws"]), ...against("lintel-tcp", ["lintel-ws"])],
    },
  ],
};
