/**
 * Measures whether the time of looking up a key tells how much of its beginning is right: 100,000 samples for each length of the
 * beginning, against guesses of which nothing is right. Fails when it does. A lookup that ends at the first wrong character is
 * measured as well, and must be noticed.
 *
 *   npm run measure:keys -- --samples 100000
 */
import { parseArgs } from "node:util";
import { createKey, sha256Of } from "../../../src/access/keys/key.ts";
import { KeyTable } from "../../../src/access/keys/key-table.ts";
import { chanceOfLonger, leakyLookup } from "./prefix-timing.ts";

const { values } = parseArgs({ options: { samples: { type: "string", default: "100000" } } });
const samples = Number(values.samples);
/** Ten times what chance alone is off by: the standard deviation of the rank test for two halves of the samples. */
const bound = 10 * Math.sqrt(1 / (3 * samples));

const key = createKey();
const table = new KeyTable<number>();
for (let count = 0; count < 1_000; count++) table.set(sha256Of(createKey()), count);
table.set(sha256Of(key), -1);
const leaky = leakyLookup();

console.log(`${samples} samples each; 0.5 within ${bound.toFixed(4)} means that nothing can be told`);
for (const right of [1, 5, 16, 32, 42]) {
  const chance = chanceOfLonger((guess) => table.find(guess), key, right, samples);
  const isTold = Math.abs(chance - 0.5) >= bound;
  console.log(
    `${String(right).padStart(2)} characters right: ${chance.toFixed(4)}${isTold ? "  CAN BE TOLD" : ""}`,
  );
  if (isTold) process.exitCode = 1;
}
const chance = chanceOfLonger(leaky.find, leaky.key, 42, samples);
const isNoticed = chance - 0.5 >= bound;
console.log(`42 with a lookup that ends early: ${chance.toFixed(4)}${isNoticed ? "" : "  NOT NOTICED"}`);
if (!isNoticed) process.exitCode = 1;
