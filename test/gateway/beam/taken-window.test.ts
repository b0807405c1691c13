import assert from "node:assert/strict";
import { test } from "node:test";
import { TakenWindow } from "../../../src/gateway/beam/taken-window.ts";
import { Message } from "../../../src/message/message.ts";
import { CreditPump } from "../../../src/stream/credit-pump.ts";
import { ReadBudget } from "../../../src/stream/read-window.ts";
import { createStream } from "../../../src/stream/stream-pair.ts";

test("a sender that sends as soon as it is granted credit is granted all that was taken", async () => {
  const total = 4_000_000;
  const [near, far] = createStream({ sends: true, receives: false, messages: false });
  let received = 0;
  let hasEnded = false;
  const window = new TakenWindow(far, new ReadBudget(), () => true);
  far.listen({
    data: (message) => {
      received += message.end - message.payloadStart;
      window.sent(message.end - message.payloadStart);
    },
    ended: () => {
      hasEnded = true;
    },
    granted: () => undefined,
    ready: () => true,
    writable: () => undefined,
    reset: () => undefined,
  });
  let pushed = 0;
  const feed = (): void => {
    while (pump.isIdle && pushed < total) {
      pushed += 10_000;
      pump.push(Message.ofBytes(new Uint8Array(10_000)));
    }
    if (pushed >= total) pump.finish();
  };
  const pump = new CreditPump(near, { pause: () => undefined, resume: feed, sentAll: () => undefined });
  near.listen({
    data: () => undefined,
    ended: () => undefined,
    granted: (bytes) => pump.granted(bytes),
    ready: () => true,
    writable: () => pump.writable(),
    reset: () => pump.stop(),
  });
  window.open();
  feed();
  // Each turn of the loop grants what the turn before has taken: a stream that stands still stays so.
  for (let turn = 0; turn < 1_000 && received < total; turn++)
    await new Promise((resolve) => setImmediate(resolve));
  assert.equal(received, total);
  assert.ok(hasEnded);
  window.close();
});
