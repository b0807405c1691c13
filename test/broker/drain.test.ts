import assert from "node:assert/strict";
import { test } from "node:test";
import { Rig, type HandWorker } from "./rig.ts";

test("drain waits for what is held and what is queued", () => {
  const rig = new Rig();
  const worker = rig.serve("a", { concurrency: 1 });
  for (let index = 0; index < 3; index++) rig.request("a");
  let drained = 0;
  rig.broker.drain(() => drained++);
  rig.broker.drain(() => drained++);
  rig.request("a");
  assert.equal(rig.outcomes[3], "DRAINING");
  worker.reply();
  worker.fail();
  assert.equal(drained, 0);
  worker.reply();
  assert.equal(drained, 2);
  assert.deepEqual(rig.outcomes, ["answered ok", "MINE", "answered ok", "DRAINING"]);
  rig.assertCounted();
});

test("drain with nothing under way is done at once", () => {
  const rig = new Rig();
  let drained = false;
  rig.broker.drain(() => {
    drained = true;
  });
  assert.ok(drained);
});

const ends: [name: string, end: (rig: Rig, worker: HandWorker) => void][] = [
  ["a deadline", (rig) => rig.clock.advance(60)],
  ["a lost worker", (_rig, worker) => worker.registration.lose()],
  ["an answer", (_rig, worker) => void worker.reply()],
  ["a failure", (_rig, worker) => void worker.fail()],
  ["a close", (rig) => rig.broker.close()],
];

for (const [name, end] of ends) {
  test(`drain is done after the last outcome is delivered: ${name}`, () => {
    const rig = new Rig();
    const worker = rig.serve("a");
    rig.request("a", 50);
    const order: string[] = [];
    rig.caller.onOutcome = () => order.push("outcome");
    rig.broker.drain(() => {
      order.push("drained");
      rig.assertCounted();
    });
    end(rig, worker);
    assert.deepEqual(order, ["outcome", "drained"]);
  });
}

test("drain is done when the last request is canceled, or waits and loses its last worker", () => {
  for (const how of ["cancel", "leave"] as const) {
    const rig = new Rig();
    const worker = rig.serve("a", { concurrency: 1 });
    const { handle } = rig.request("a");
    rig.request("a");
    let drained = 0;
    rig.broker.drain(() => drained++);
    if (how === "leave") void worker.registration.leave();
    rig.broker.cancel(handle);
    if (how === "cancel") worker.reply();
    assert.equal(drained, 1);
    rig.assertCounted();
  }
});
