import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { connect, createHub, type Hub } from "../../src/index.ts";
import { ReadinessTracker } from "../../src/supervisor/readiness-tracker.ts";
import { until } from "../house/until.ts";

let directory = "";
before(async () => {
  directory = await mkdtemp(join(tmpdir(), "lintel-seen-"));
});
after(() => rm(directory, { recursive: true }));

/** A hub that notes who serves what, as `event pattern socket`. */
async function watchedHub(): Promise<{ hub: Hub; events: string[]; gateway: (name: string) => string }> {
  const events: string[] = [];
  const hub = await createHub({
    http: false,
    listen: [],
    onService: (event, pattern, remote) => events.push(`${event} ${pattern} ${remote.split("/").at(-1)}`),
  });
  return { hub, events, gateway: (name) => `unix://${join(directory, name)}` };
}

test("a hub tells who serves what, by the socket it came to, and when it does so no longer", async () => {
  const { hub, events, gateway } = await watchedHub();
  await using _ = hub;
  await hub.listen(gateway("a"));
  await hub.listen(gateway("b"));
  assert.deepEqual(hub.urls, [gateway("a"), gateway("b")]);
  const one = await connect(gateway("a"));
  await using other = await connect(gateway("b"));
  const service = await one.serve("left.by.itself", () => 1);
  await one.serve("left.>", () => 1);
  await other.serve("stays", () => 1);
  await service.close();
  await until(() => events.length === 4, "it has left");
  await one.close();
  await until(() => events.length === 5, "its session is over");
  assert.deepEqual(events, [
    "serving left.by.itself a",
    "serving left.> a",
    "serving stays b",
    "left left.by.itself a",
    "left left.> a",
  ]);
});

test("a hub tells of each poll of a worker over HTTP, and when none has come for the linger time", async () => {
  const events: string[] = [];
  await using hub = await createHub({
    http: { port: 0 },
    listen: [],
    jobs: { lingerMs: 20, services: { stays: {} } },
    onPoll: (event, subject) => events.push(`${event} ${subject}`),
  });
  const poll = async (subject: string): Promise<number> =>
    (await fetch(`${hub.httpUrl}/service/${subject}/jobs?wait=1ms`)).status;
  assert.deepEqual([await poll("stays"), await poll("stays"), await poll("goes")], [204, 204, 204]);
  assert.equal(await poll("no subject"), 400);
  await until(() => events.length >= 4, "it was given up");
  assert.deepEqual(events, ["polled stays", "polled stays", "polled goes", "left goes"]);
});

test("a gateway that is closed takes nobody new, and keeps who is there", async () => {
  const { hub, gateway } = await watchedHub();
  await using _ = hub;
  const opened = await hub.listen({ url: gateway("c") });
  await using peer = await connect(opened.url);
  await opened.close();
  await assert.rejects(connect(opened.url, { timeoutMs: 200 }), { reason: "NOT_CONNECTED" });
  await hub.serve("still", () => "there");
  assert.equal(await peer.request("still"), "there");
  assert.deepEqual(hub.urls, []);
  await hub.close();
  await assert.rejects(hub.listen(gateway("d")), { reason: "CLOSED" });
});

test("presence: a subject is served by its own pattern or one that covers it, through that socket", async () => {
  const presence = new ReadinessTracker();
  presence.note("serving", "a.*", "one");
  presence.note("serving", "a.*", "one");
  presence.note("serving", "b.>", "one");
  const cases = ["a.x", "a.*", "a", "a.x.y", "b.c.d", "b.>", "c"] as const;
  assert.deepEqual(
    cases.filter((subject) => presence.isServed("one", subject)),
    ["a.x", "a.*", "b.c.d", "b.>"],
  );
  assert.ok(!presence.isServed("two", "a.x"));
  presence.note("left", "a.*", "one");
  assert.ok(presence.isServed("one", "a.x"));
  presence.note("left", "a.*", "one");
  assert.ok(!presence.isServed("one", "a.x"));

  const leaving = new AbortController();
  let both = false;
  void presence.until("one", ["b.c", "d"], leaving.signal).then(() => (both = true));
  await presence.until("one", ["b.c"], leaving.signal);
  assert.equal(both, false);
  presence.note("serving", "d", "one");
  await presence.until("one", ["d"], leaving.signal);
  assert.equal(both, true);
});

test("presence: a poll that comes after the call is as good as a socket, one from before is not", async () => {
  const presence = new ReadinessTracker();
  const over = new AbortController();
  presence.notePoll("polled", "a");
  assert.ok(presence.isServed("one", "a"));
  let isReady = false;
  const ready = presence.until("one", ["a", "b"], over.signal).then(() => (isReady = true));
  presence.note("serving", "b", "one");
  presence.notePoll("polled", "c");
  await Promise.resolve();
  assert.equal(isReady, false);
  presence.notePoll("polled", "a");
  await ready;
  presence.notePoll("left", "a");
  assert.ok(!presence.isServed("one", "a"));
});
