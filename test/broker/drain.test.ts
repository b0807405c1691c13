import assert from "node:assert/strict";
import { test } from "node:test";
import { Harness, type HandWorker } from "./harness.ts";

test("drain waits for what is held and what is queued", () => {
  const harness = new Harness();
  const worker = harness.serve("a", { concurrency: 1 });
  for (let index = 0; index < 3; index++) harness.request("a");
  let drained = 0;
  harness.broker.drain(() => drained++);
  harness.broker.drain(() => drained++);
  harness.request("a");
  assert.equal(harness.outcomes[3], "DRAINING");
  worker.reply();
  worker.fail();
  assert.equal(drained, 0);
  worker.reply();
  assert.equal(drained, 2);
  assert.deepEqual(harness.outcomes, ["answered ok", "MINE", "answered ok", "DRAINING"]);
  harness.assertCounted();
});

test("drain with nothing under way is done at once", () => {
  const harness = new Harness();
  let drained = false;
  harness.broker.drain(() => {
    drained = true;
  });
  assert.ok(drained);
});

const ends: [name: string, end: (harness: Harness, worker: HandWorker) => void][] = [
  ["a deadline", (harness) => harness.clock.advance(60)],
  ["a lost worker", (_rig, worker) => worker.registration.lose()],
  ["an answer", (_rig, worker) => void worker.reply()],
  ["a failure", (_rig, worker) => void worker.fail()],
  ["a close", (harness) => harness.broker.close()],
];

for (const [name, end] of ends) {
  test(`drain is done after the last outcome is delivered: ${name}`, () => {
    const harness = new Harness();
    const worker = harness.serve("a");
    harness.request("a", 50);
    const order: string[] = [];
    harness.caller.onOutcome = () => order.push("outcome");
    harness.broker.drain(() => {
      order.push("drained");
      harness.assertCounted();
    });
    end(harness, worker);
    assert.deepEqual(order, ["outcome", "drained"]);
  });
}

test("drain is done when the last request is canceled, or waits and loses its last worker", () => {
  for (const how of ["cancel", "leave"] as const) {
    const harness = new Harness();
    const worker = harness.serve("a", { concurrency: 1 });
    const { handle } = harness.request("a");
    harness.request("a");
    let drained = 0;
    harness.broker.drain(() => drained++);
    if (how === "leave") void worker.registration.leave();
    harness.broker.cancel(handle);
    if (how === "cancel") worker.reply();
    assert.equal(drained, 1);
    harness.assertCounted();
  }
});
