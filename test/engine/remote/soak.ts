/**
 * Kills a hub under load and starts it again, for as long as asked, and balances the books each time.
 *
 *   npm run soak -- --minutes N     10 minutes when not given
 */
import { parseArgs } from "node:util";
import { killHub } from "./killed-hub.ts";

const { values } = parseArgs({ options: { minutes: { type: "string", default: "10" } } });
const minutes = Number(values.minutes);
if (!(minutes > 0)) throw new TypeError(`--minutes is ${values.minutes}, it must be a number above 0`);

const end = performance.now() + minutes * 60_000;
const totals = { rounds: 0, answered: 0, lost: 0, refused: 0, heard: 0, connectedMs: 0, workingMs: 0 };
await killHub(
  () => performance.now() >= end,
  (round) => {
    totals.rounds++;
    for (const name of ["answered", "lost", "refused", "heard"] as const) totals[name] += round[name];
    for (const name of ["connectedMs", "workingMs"] as const) {
      totals[name] = Math.max(totals[name], round[name]);
    }
    console.log(JSON.stringify(round));
  },
  // The waits between attempts have grown to the longest by then. A second for the link, and some time for the load itself.
  { outageMs: 2_000, backWithinMs: 1_100 },
);
console.log(`all in balance: ${JSON.stringify(totals)}`);
