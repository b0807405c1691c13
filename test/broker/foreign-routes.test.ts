/** Two engines and one route, as gateways of tenants may have it: a route leads nowhere but into the engine it is used with. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { LocalEngine } from "../../src/engine/local/local-engine.ts";
import type { Sink } from "../../src/message/delivery.ts";
import { HoldingWorker, RecordingSubscriber, textMessage } from "../../src/testing/engine/actors.ts";

const NOBODY: Sink = { answered: () => undefined, failed: () => undefined };

test("a route of another engine leads to the workers and subscribers of the engine it is used with", async () => {
  const engines = [new LocalEngine(), new LocalEngine()];
  const scenes = await Promise.all(
    engines.map(async (engine) => {
      const subscriber = new RecordingSubscriber();
      engine.subscribe("a", subscriber);
      return { engine, subscriber, worker: await HoldingWorker.start(engine, "a") };
    }),
  );
  const route = engines[0]!.route("a");
  for (let round = 1; round <= 3; round++) {
    for (const { engine, subscriber, worker } of scenes) {
      engine.request(route, textMessage("x"), 1_000, NOBODY, 0);
      engine.publish(route, textMessage("x"));
      assert.equal(worker.jobs.length, round);
      assert.equal(subscriber.heard.length, round);
    }
  }
  const empty = new LocalEngine();
  assert.equal(empty.request(route, textMessage("x"), 1_000, NOBODY, 0), 0, "nobody serves it there");
  assert.equal(empty.stats.noResponders, 1);
  await Promise.all([...engines, empty].map((engine) => engine.close()));
});
