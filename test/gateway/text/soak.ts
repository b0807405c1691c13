/**
 * Kills responders of the text gateway while requests flow, and balances the books. Then lets subscribers stop reading, and
 * looks at what that costs the others and the hub.
 *
 *   npm run soak:text -- [--requests N] [--seconds S] [--seed N]
 */
import { parseArgs } from "node:util";
import { seededInts } from "../../../src/testing/codec-fuzz.ts";
import { killResponders } from "./killed-responders.ts";
import { openTextHub } from "./original-text.ts";
import { judge, measureSlowSubscribers } from "./slow-subscribers.ts";

const { values } = parseArgs({
  options: {
    requests: { type: "string", default: "10000" },
    seconds: { type: "string", default: "10" },
    seed: { type: "string" },
  },
});
const seed = values.seed === undefined ? Date.now() % 1_000_000_007 : Number(values.seed);
console.log(`seed ${seed}`);
console.log(`${values.requests} requests, responders killed at random:`);
{
  await using hub = await openTextHub("2s");
  console.log(JSON.stringify(await killResponders(hub.textUrl!, Number(values.requests), seededInts(seed))));
}
console.log("subscribers that do not read; p99 in ms and memory in MiB, before, meanwhile and after:");
const costs = await measureSlowSubscribers(Number(values.seconds));
console.log(
  JSON.stringify(costs, (_, value) => (typeof value === "number" ? Number(value.toFixed(1)) : value)),
);
judge(costs);
