/**
 * Sends random messages through the text gateway: bodies of line ends, dots, NUL and up to a megabyte, odd headers, and
 * messages whose bytes are spoiled.
 *
 *   npm run fuzz:text -- [--messages N] [--seed N]
 */
import { parseArgs } from "node:util";
import { seededInts } from "../../../src/testing/codec-fuzz.ts";
import { openTextHub } from "./original-text.ts";
import { sendRandomMessages } from "./random-messages.ts";

const { values } = parseArgs({
  options: { messages: { type: "string", default: "100000" }, seed: { type: "string" } },
});
const seed = values.seed === undefined ? Date.now() % 1_000_000_007 : Number(values.seed);
console.log(`seed ${seed}`);
await using hub = await openTextHub();
console.log(
  JSON.stringify(await sendRandomMessages(hub.textUrl!, Number(values.messages), seededInts(seed))),
);
