/**
 * The hub that a soak looks at, in a process of its own. It tells how long its loop was blocked, with and without the time
 * for which the machine ran something else.
 *
 *   node scripts/loop-delay/hub.js DIRECTORY LIMITS     LIMITS as JSON
 */
import { readFileSync } from "node:fs";
import { createHub } from "lintel";

const [directory, limits = "{}"] = process.argv.slice(2);
const hub = await createHub({
  http: { port: 0, maxConnections: 20_000 },
  listen: [`unix://${directory}/hub.sock`, "tcp://127.0.0.1:0", "h2c://127.0.0.1:0"],
  grpc: { port: 0, maxConnections: 20_000 },
  limits: JSON.parse(limits),
});
await hub.serve("probe", () => "here");

/** Milliseconds for which this thread could have run and did not; 0 where the system does not tell. */
function waited() {
  try {
    return Number(readFileSync(`/proc/self/task/${process.pid}/schedstat`, "utf8").split(" ")[1]) / 1e6;
  } catch {
    return 0;
  }
}

let last = performance.now();
let lastWaited = waited();
let late = 0;
let blocked = 0;
setInterval(() => {
  const now = performance.now();
  const nowWaited = waited();
  late = Math.max(late, now - last - 1);
  blocked = Math.max(blocked, now - last - 1 - (nowWaited - lastWaited));
  last = now;
  lastWaited = nowWaited;
}, 1);

process.on("message", () => {
  process.send?.({ late, blocked, rss: process.memoryUsage().rss, stats: hub.stats() });
  late = 0;
  blocked = 0;
});
process.on("disconnect", () => process.exit(0));
process.send?.({ httpUrl: hub.httpUrl, urls: hub.urls, grpcUrl: hub.grpcUrl });
