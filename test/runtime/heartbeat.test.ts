import assert from "node:assert/strict";
import { test } from "node:test";
import { Heartbeat } from "../../src/runtime/heartbeat.ts";
import { FakeClock } from "../../src/testing/fake-clock.ts";

const LIMITS = { heartbeat: 3_000, heartbeatTimeout: 2_000 };

/** Timers fire before anything is read: an answer that arrives as the time is over is read right after that. */
for (const isHeard of [false, true])
  test(`P-80: at the end of its time a peer is ${isHeard ? "kept if its answer is there" : "lost"}`, () => {
    const clock = new FakeClock();
    const seen: string[] = [];
    const heartbeat = new Heartbeat(clock, LIMITS, {
      ping: () => void seen.push("ping"),
      lost: () => void seen.push("lost"),
    });
    heartbeat.start();
    clock.advance(3_000);
    assert.deepEqual(seen, ["ping"]);
    // What is to be read comes after the timers of the same moment, in the order in which they were armed.
    clock.after(2_000, () => isHeard && heartbeat.heard());
    clock.advance(2_000);
    assert.deepEqual(seen, isHeard ? ["ping"] : ["ping", "lost"]);
    heartbeat.stop();
  });

test("P-80: a peer that answers is pinged again as soon as it has been silent for its heartbeat", () => {
  const clock = new FakeClock();
  const pinged: number[] = [];
  const heartbeat = new Heartbeat(
    clock,
    { heartbeat: 100, heartbeatTimeout: 5_000 },
    {
      ping() {
        pinged.push(clock.now());
        clock.after(20, () => heartbeat.heard());
      },
      lost: () => assert.fail("it has answered"),
    },
  );
  const from = clock.now();
  heartbeat.start();
  for (let passed = 0; passed < 1_000; passed += 10) clock.advance(10);
  heartbeat.stop();
  assert.deepEqual(
    pinged.map((at) => at - from),
    [100, 220, 340, 460, 580, 700, 820, 940],
  );
});
