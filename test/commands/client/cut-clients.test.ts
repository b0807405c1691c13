import assert from "node:assert/strict";
import { test } from "node:test";
import { cutClients } from "./cut-clients.ts";

test("every call of a client that connects again has one outcome", async () => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  const report = await cutClients({ calls: 250, clients: 5, seed }).catch((error: unknown) => {
    throw new Error(`with seed ${seed}`, { cause: error });
  });
  for (const outcome of ["answered", "COMMAND_EXCEPTION", "CONNECTION_LOST"])
    assert.ok((report.outcomes[outcome] ?? 0) > 0, `${outcome} was never the outcome; seed ${seed}`);
});
