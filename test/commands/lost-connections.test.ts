import assert from "node:assert/strict";
import { test } from "node:test";
import { loseConnections } from "./lost-connections.ts";

test("every call has one outcome, however its connection ends", async () => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  const report = await loseConnections({ calls: 600, clients: 6, seed }).catch((error: unknown) => {
    throw new Error(`with seed ${seed}`, { cause: error });
  });
  for (const outcome of ["answered", "COMMAND_ERROR", "CONNECTION_LOST"])
    assert.ok((report.outcomes[outcome] ?? 0) > 0, `${outcome} was never the outcome; seed ${seed}`);
});
