/**
 * Revokes half of 1,000 sessions, 1,000 polls and 100 streams, and measures how long that takes and what is left of them.
 *
 *   npm run soak:revocation -- --rounds 5
 */
import { parseArgs } from "node:util";
import { revokeHalf } from "./revoke-many.ts";

/** All have to be ended within this. */
const BOUND_MS = 100;
/** How much larger the heap may be afterwards. */
const BOUND_BYTES = 4_194_304;

const { values } = parseArgs({ options: { rounds: { type: "string", default: "5" } } });
for (let round = 1; round <= Number(values.rounds); round++) {
  const { ms, heap, ...counts } = await revokeHalf({ sessions: 1_000, polls: 1_000, streams: 100 });
  const isWrong = ms > BOUND_MS || heap > BOUND_BYTES || counts.othersEnded > 0;
  console.log(`${isWrong ? "WRONG " : ""}${ms.toFixed(1)} ms, ${heap} bytes more`, JSON.stringify(counts));
  if (isWrong) process.exitCode = 1;
}
