/**
 * Makes calls while connections are cut at random, and balances the books: with bare connections, then with clients that connect
 * again.
 *
 *   npm run soak:commands -- --calls N --seed S     10,000 calls when not given
 */
import { parseArgs } from "node:util";
import { cutClients } from "./client/cut-clients.ts";
import { loseConnections } from "./lost-connections.ts";

const { values } = parseArgs({
  options: { calls: { type: "string", default: "10000" }, seed: { type: "string" } },
});
const calls = Number(values.calls);
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31));
if (!(calls > 0) || Number.isNaN(seed))
  throw new TypeError("--calls and --seed must be numbers, calls above 0");
console.log(`seed ${seed}`);
for (const [name, run] of Object.entries({ connections: loseConnections, clients: cutClients })) {
  const begun = performance.now();
  const report = await run({ calls, clients: 32, seed });
  const ms = Math.round(performance.now() - begun);
  console.log(`${name}: all in balance: ${JSON.stringify({ ...report, ms })}`);
}
