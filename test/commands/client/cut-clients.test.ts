import assert from "node:assert/strict";
import { test } from "node:test";
import { cutClients } from "./cut-clients.ts";

test("every call of a client that connects again has one outcome", async () => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  const report = await cutClients({ calls: 250, clients: 5, seed }).catch((error: unknown) => {
    throw new Error(`with seed ${seed}`, { cause: error });
  });
  const { answered = 0, CONNECTION_LOST: lost = 0, CLOSED: closed = 0 } = report.outcomes;
  assert.ok(answered > 0 && lost + closed > 0 && report.connections > 5, `seed ${seed}`);
});
