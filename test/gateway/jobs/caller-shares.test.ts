/** One caller cannot use up the polls and services that are there for all. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { callFrom, type Answered } from "../call-from.ts";
import { openHarness, type Harness } from "./harness.ts";

const ONE = "127.0.0.1";
const OTHER = "127.0.0.2";
/** What one caller may have of 64. */
const SHARE = 16;

function poll(harness: Harness, service: string, wait: string, from = ONE): Promise<Answered> {
  return callFrom(from, `${harness.listening.url}/service/${service}/jobs?wait=${wait}`);
}

/** So many polls of made-up services that wait. */
async function hold(harness: Harness, count: number): Promise<void> {
  for (let index = 0; index < count; index++)
    void poll(harness, `made-up-${index}`, "30s").catch(() => undefined);
  await harness.waiting(count);
}

test("services that nobody polls any more give way to one that is polled", async (context) => {
  const harness = await openHarness(context, { jobs: { maxServices: 64 } });
  for (let index = 0; index < 200; index++)
    assert.equal((await poll(harness, `made-up-${index}`, "0")).status, 204);
  const asked = harness.ask("made-up-0");
  assert.equal((await asked).status, 503, "its queue is gone");
  void harness.ask("made-up-199").catch(() => undefined);
  await harness.inFlight(1);
  assert.equal((await poll(harness, "made-up-199", "0")).status, 200, "the newest keep theirs");
});

test("made-up services that are polled leave room for another caller's", async (context) => {
  const harness = await openHarness(context, { jobs: { maxServices: 64 } });
  await hold(harness, SHARE);
  const refused = await poll(harness, "one-more", "0");
  assert.deepEqual(
    [refused.status, refused.reason, refused.headers["retry-after"]],
    [503, "IN_FLIGHT_FULL", "1"],
  );
  assert.equal((await poll(harness, "made-up-0", "0")).status, 204, "what it has it may poll again");
  assert.equal((await poll(harness, "real", "0", OTHER)).status, 204);
  void harness.ask("real").catch(() => undefined);
  await harness.inFlight(1);
  assert.equal((await poll(harness, "real", "0", OTHER)).status, 200);
});

test("polls of one caller leave room for another's", async (context) => {
  const harness = await openHarness(context, { jobs: { maxPolls: 64 } });
  await hold(harness, SHARE);
  assert.equal((await poll(harness, "one-more", "0")).status, 503);
  assert.equal((await poll(harness, "real", "0", OTHER)).status, 204);
});

test("requests for made-up services leave room for another caller's, where they wait for their first poll", async (context) => {
  const harness = await openHarness(context, { jobs: { maxServices: 64, compat: "astrohub" } });
  await hold(harness, SHARE);
  const url = `${harness.listening.url}/service/`;
  const ask = (service: string, from: string): Promise<Answered> =>
    callFrom(from, url + service, {
      method: "POST",
      body: "{}",
      headers: { "content-type": "application/json" },
    });
  assert.equal((await ask("one-more", ONE)).status, 503);
  void ask("real", OTHER).catch(() => undefined);
  await harness.inFlight(1);
  assert.equal((await poll(harness, "real", "0", OTHER)).status, 200);
});

test("jobs that are out count as bytes of those who asked, until they are answered", async (context) => {
  const limits = { queueBytes: 64_000, payload: 16_000, headers: 1_000 };
  const harness = await openHarness(context, { limits, jobs: { services: { x: {} } } });
  const asked = [1, 2, 3].map(() => harness.ask("x", "y".repeat(5_000)));
  await harness.inFlight(3);
  const jobs = [await harness.poll("x"), await harness.poll("x"), await harness.poll("x")];
  const refused = await harness.ask("x", "y".repeat(5_000));
  assert.deepEqual([refused.status, refused.headers.get("retry-after")], [503, "1"]);
  assert.equal(((await refused.json()) as { reason: string }).reason, "QUEUE_FULL");
  for (const { id } of jobs) assert.equal((await harness.post(`/jobs/${id}`, "done")).status, 200);
  for (const response of await Promise.all(asked)) assert.equal(await response.text(), "done");
  assert.equal(harness.engine.keptBytes, 0);
});
