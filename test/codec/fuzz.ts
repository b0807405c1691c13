/**
 * Fuzzes every codec for a while.
 *
 *   npm run fuzz:codecs -- --seconds 60 [--codec NAME] [--seed N]
 */
import { parseArgs } from "node:util";
import { fuzzCodec, seededInts } from "../../src/testing/codec-fuzz.ts";
import { samplesOf } from "../../src/testing/codec-suite.ts";
import { CASES } from "./cases.ts";

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "30" },
    codec: { type: "string" },
    seed: { type: "string" },
  },
});
const chosen = Object.entries(CASES).filter(([name]) => values.codec === undefined || name === values.codec);
if (chosen.length === 0) throw new Error(`no such codec; there are: ${Object.keys(CASES).join(", ")}`);
const seed = values.seed === undefined ? Date.now() % 1_000_000_007 : Number(values.seed);
const share = (Number(values.seconds) * 1_000) / chosen.length;
console.log(`seed ${seed}`);
for (const [name, options] of chosen) {
  const payloads = await samplesOf(options, 300);
  const end = performance.now() + share;
  const { decoded, refused } = fuzzCodec(
    options.codec,
    payloads,
    seededInts(seed),
    () => performance.now() < end,
  );
  console.log(`${name}: ${decoded} decoded, ${refused} refused`);
}
