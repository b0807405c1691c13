import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Heartbeat } from "../../../src/commands/client/heartbeat.ts";
import { FakeClock } from "../../../src/testing/fake-clock.ts";

function start(intervalMs = 100): { clock: FakeClock; heartbeat: Heartbeat; events: string[] } {
  const clock = new FakeClock();
  const events: string[] = [];
  const note = (what: string) => (): void => void events.push(`${what} at ${clock.now()}`);
  const heartbeat = new Heartbeat({ clock, intervalMs, ask: note("asked"), onSilent: note("silent") });
  return { clock, heartbeat, events };
}

describe("heartbeat", () => {
  test("a connection that is silent is asked, then given up, once", () => {
    const { clock, events } = start();
    clock.advance(1_000);
    assert.deepEqual(events, ["asked at 100", "silent at 200"]);
    assert.equal(clock.pending, 0);
  });

  test("what comes puts the question off, and answers it", () => {
    const { clock, heartbeat, events } = start();
    clock.advance(60);
    heartbeat.heard();
    clock.advance(99);
    assert.deepEqual(events, []);
    clock.advance(1);
    assert.deepEqual(events, ["asked at 160"]);
    clock.advance(99);
    heartbeat.heard();
    clock.advance(100);
    assert.deepEqual(events, ["asked at 160", "asked at 359"]);
  });

  test("an interval of 0 is never, and stop is the end", () => {
    const never = start(0);
    assert.equal(never.clock.pending, 0);
    const stopped = start();
    stopped.heartbeat.stop();
    stopped.heartbeat.heard();
    assert.equal(stopped.clock.pending, 0);
  });
});
