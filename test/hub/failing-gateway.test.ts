/** Gateways of somebody else that fail: the hub says so, and goes on without them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { LocalEngine } from "../../src/engine/local/local-engine.ts";
import type { Gateway, GatewayKind } from "../../src/gateway/gateway.ts";
import { createHub, type Hub } from "../../src/hub/hub.ts";
import type { LintelError } from "../../src/message/failure.ts";
import { FakeClock } from "../../src/testing/fake-clock.ts";

const done = (): Promise<void> => Promise.resolve();

async function withGateway(
  gateway: Partial<Gateway>,
  run: (hub: Hub, reports: string[], clock: FakeClock) => Promise<void>,
): Promise<void> {
  const reports: string[] = [];
  const clock = new FakeClock(0);
  const kind: GatewayKind = {
    name: "mine",
    open: () =>
      Promise.resolve({
        name: "mine",
        urls: [],
        stats: () => ({ calls: 1 }),
        drain: done,
        close: done,
        ...gateway,
      }),
  };
  const hub = await createHub({
    http: false,
    listen: [],
    gateways: [kind],
    engine: new LocalEngine({ clock }),
    onError: (error, where) => reports.push(`${where} ${(error as LintelError).message}`),
  });
  await run(hub, reports, clock);
}

test("one that cannot say what it counts is left out of the stats", async () => {
  const stats = (): never => {
    throw new Error("out of order");
  };
  await withGateway({ stats }, async (hub, reports) => {
    const { gateways, inFlight } = hub.stats();
    assert.deepEqual([gateways["mine"], inFlight], [undefined, 0]);
    assert.deepEqual(reports, ['stats() of the gateway "mine" out of order']);
    await hub.close();
  });
});

test("one that never closes is waited for no longer than ten seconds", async () => {
  await withGateway({ close: () => new Promise(() => undefined) }, async (hub, reports, clock) => {
    let isClosed = false;
    const closing = hub.close().then(() => (isClosed = true));
    await new Promise((resolve) => setImmediate(resolve));
    clock.advance(9_999);
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual([isClosed, reports], [false, []]);
    clock.advance(1);
    await closing;
    assert.deepEqual(reports, [
      'the gateway "mine", which was to close, it has not closed within 10 s, and is waited for no longer',
    ]);
  });
});
