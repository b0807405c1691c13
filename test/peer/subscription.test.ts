/** Subscriptions that are iterated and fall behind. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createHub, type Hub } from "../../src/hub/hub.ts";
import type { Subscription } from "../../src/peer/peer.ts";

const KEPT = 65_536;

async function hubWithErrors(): Promise<{ hub: Hub; errors: unknown[] }> {
  const errors: unknown[] = [];
  const hub = await createHub({ http: false, listen: [], onError: (error) => errors.push(error) });
  return { hub, errors };
}

/** Everything that is there to be read. */
async function read(subscription: Subscription, last: unknown): Promise<unknown[]> {
  const values: unknown[] = [];
  for await (const { value } of subscription) {
    values.push(value);
    if (value === last) break;
  }
  return values;
}

function publish(hub: Hub, from: number, to: number): void {
  for (let index = from; index < to; index++) void hub.publish("ticks", index);
}

test("an iteration that falls behind misses the newest, unless told otherwise", async () => {
  const { hub } = await hubWithErrors();
  const subscription = await hub.subscribe("ticks");
  publish(hub, 0, KEPT + 10);
  assert.equal(subscription.dropped, 10);
  const values = await read(subscription, KEPT - 1);
  assert.deepEqual([values[0], values.length], [0, KEPT]);
  await subscription.closed;
  await hub.close();
});

test("drop-oldest: an iteration that falls behind misses the oldest", async () => {
  const { hub } = await hubWithErrors();
  const subscription = await hub.subscribe("ticks", { overflow: "drop-oldest" });
  publish(hub, 0, KEPT + 10);
  assert.equal(subscription.dropped, 10);
  const values = await read(subscription, KEPT + 9);
  assert.deepEqual([values[0], values.length], [10, KEPT]);
  await hub.close();
});

test("disconnect: an iteration that falls behind gets what was kept, then SLOW_CONSUMER", async () => {
  const { hub, errors } = await hubWithErrors();
  const subscription = await hub.subscribe("ticks", { overflow: "disconnect" });
  publish(hub, 0, KEPT + 10);
  assert.equal(subscription.dropped, 0);
  const values: unknown[] = [];
  await assert.rejects(
    async () => {
      for await (const { value } of subscription) values.push(value);
    },
    { code: "resource_exhausted", reason: "SLOW_CONSUMER" },
  );
  assert.deepEqual([values.length, values.at(-1)], [KEPT, KEPT - 1]);
  await assert.rejects(subscription.closed, { reason: "SLOW_CONSUMER" });
  assert.deepEqual(
    errors.map((error) => (error as { reason: string }).reason),
    ["SLOW_CONSUMER"],
  );
  await hub.close();
});

test("an iteration falls behind by bytes as well", async () => {
  const { hub } = await hubWithErrors();
  const subscription = await hub.subscribe("big", { overflow: "drop-oldest" });
  const payload = Buffer.alloc(1_000_000);
  for (let index = 0; index < 20; index++) void hub.publish("big", payload, { headers: { n: `${index}` } });
  assert.equal(subscription.dropped, 4);
  for await (const { headers } of subscription) {
    assert.equal(headers.get("n"), "4");
    break;
  }
  await hub.close();
});

test("reading as fast as it comes costs nothing: all arrives, in order", async () => {
  const { hub } = await hubWithErrors();
  const subscription = await hub.subscribe("ticks");
  let next = 0;
  publish(hub, 0, 10);
  for await (const { value } of subscription) {
    assert.equal(value, next++);
    if (next % 5 === 0) publish(hub, next + 5, next + 10);
    if (next === 1_000) break;
  }
  assert.equal(subscription.dropped, 0);
  await hub.close();
});

test("closing a peer ends its iterations and settles what is closed with it", async () => {
  for (const how of ["close", "drain"] as const) {
    const { hub, errors } = await hubWithErrors();
    const subscription = await hub.subscribe("ticks");
    const service = await hub.serve("a", () => 1);
    const reading = read(subscription, undefined);
    publish(hub, 0, 3);
    await hub[how]();
    assert.deepEqual(await reading, [0, 1, 2]);
    await Promise.all([subscription.closed, service.closed]);
    assert.deepEqual(errors, []);
  }
});

test("a policy that is none is refused", async () => {
  const { hub } = await hubWithErrors();
  const options = { overflow: "drop-everything" as "drop-oldest" };
  await assert.rejects(hub.subscribe("a", options), TypeError);
  await assert.rejects(
    hub.subscribe("a", () => 1, options),
    TypeError,
  );
  await hub.close();
});
