/** Short runs of what `npm run soak:jobs` does at length. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { pathOf } from "../../house/provide.ts";
import { killPollers, killWorkers } from "./killed-workers.ts";

const seed = Date.now() % 1_000_000;

test("workers that poll leave, drop jobs and are killed: nothing is read twice", async (t) => {
  t.diagnostic(`seed ${seed}`);
  const { answered, dropped, unsure } = await killPollers(500, 2, 20, seed);
  assert.equal(answered + dropped + unsure, 500);
  assert.ok(answered > 200, `${answered} were answered`);
  assert.ok(unsure < 75, `${unsure} were sent to workers that were leaving`);
});

test("the bash worker and a program are killed: every request is answered all the same", async (t) => {
  t.diagnostic(`seed ${seed}`);
  pathOf("curl");
  pathOf("jq");
  const { bash, program } = await killWorkers(200, 3, seed);
  assert.equal(bash + program, 200);
});
