/**
 * A hub that records each HTTP request as it ends, until it is killed; it drains on SIGTERM.
 *
 *   node hub-process.js HTTP_PORT TCP_PORT SOCKET LEDGER
 *
 * It tells its parent its ports, and its state when it is asked for it.
 */
import { openSync, readdirSync, writeSync } from "node:fs";
import { createHub } from "../../src/index.ts";

/** What the parent is told when it asks. */
export interface HubState {
  readonly inFlight: number;
  readonly sessions: number;
  readonly descriptors: number;
  /** Heap in use and bytes outside of it, after a collection. */
  readonly bytes: number;
}

const [httpPort, tcpPort, socket, path] = process.argv.slice(2) as [string, string, string, string];
const ledger = openSync(path, "a");
const hub = await createHub({
  http: {
    port: Number(httpPort),
    routes: [{ path: "/health", subject: "health.seen", mode: "publish", reply: { status: 200 } }],
    onRequest: ({ path: target, status, reason }) => {
      const nonce = /^\/chaos\/echo\/(\w+)$/.exec(target)?.[1];
      if (nonce !== undefined) writeSync(ledger, `${nonce} ${status} ${reason ?? "answered"}\n`);
    },
  },
  listen: [`tcp://127.0.0.1:${tcpPort}`, `unix://${socket}`],
  limits: { heartbeat: 300, heartbeatTimeout: 300 },
  onError: () => undefined,
});

function stateNow(): HubState {
  globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  const { inFlight, sessions } = hub.stats();
  const descriptors = readdirSync("/proc/self/fd").length;
  return { inFlight, sessions, descriptors, bytes: heapUsed + external };
}

process.on("message", () => void process.send?.(stateNow()));
process.once("SIGTERM", () => void hub.drain().then(() => process.exit(0)));
process.send?.({ http: Number(new URL(hub.httpUrl!).port), tcp: Number(new URL(hub.urls[0]!).port) });
