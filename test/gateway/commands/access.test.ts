/** C-5 to C-9: connections at a hub that asks for credentials. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import type { HubConfig } from "../../../src/hub/hub.ts";
import type { LintelError } from "../../../src/message/failure.ts";
import { TestAccess } from "../../../src/testing/test-access.ts";
import { until } from "../../house/until.ts";
import { SCHEMES, Scene } from "./harness.ts";

const TOKENS = ["good", "other"];
const open = (access: TestAccess, options = {}, config: HubConfig = {}): Promise<Scene> =>
  Scene.open(options, { access, ...config });
const allowing = (verbs: readonly string[] = ["request"], isSlow = false): TestAccess =>
  new TestAccess({ tokens: TOKENS, allows: (verb) => verbs.includes(verb), isSlow });
const required = { message: "Authentication required" };
const reasonOf = (body: unknown): string => (body as LintelError).reason;

test("credentials are those of the URL, or of the header, and they are shown as such", async () => {
  const access = allowing();
  await using scene = await open(access);
  await scene.hub.serve("echo", (value) => value);
  const inUrl = await scene.connect("ws", "?x=1&token=good");
  assert.equal((await inUrl.call("echo", 1)).body, 1);
  const inHeader = await scene.connect("ws", "", { authorization: "Bearer good" });
  assert.equal((await inHeader.call("echo", 2)).body, 2);
  for (const { gateway, remote, token } of access.credentials) {
    assert.deepEqual([gateway, token], ["commands", "good"]);
    assert.match(remote, /^ws:\/\/127\.0\.0\.1:\d+$/);
  }
});

test("C-5: a token of the URL that is not good ends the connection, and nothing is executed", async () => {
  await using scene = await open(allowing());
  const client = await scene.connect("ws", "?token=bad");
  client.sendRaw('{"key":"k","action":"echo"}');
  await client.closed();
  assert.equal(client.closeCode, 4401);
  assert.match(client.closeReason, /^UNAUTHENTICATED: /);
  assert.equal(scene.stats.refused, 1);
  assert.equal(scene.stats.commands, 0);
});

for (const scheme of SCHEMES) {
  test(`C-6, C-7: over ${scheme} a client that shows nothing may only show credentials`, async () => {
    await using scene = await open(allowing(["request", "serve", "subscribe", "publish"]));
    const seen: unknown[] = [];
    await scene.hub.serve(">", (value) => void seen.push(value));
    await scene.hub.subscribe(">", (value) => void seen.push(value));
    const client = await scene.connect(scheme);
    assert.equal(typeof (await client.call("drs.ping")).body, "number");
    assert.equal((await client.call("drs.kaboom")).action, "drs.exception");
    const tries: readonly [action: string, body?: unknown][] = [
      ["echo"],
      ["lintel.serve", "a"],
      ["lintel.subscribe", "a"],
      ["lintel.publish", { action: "a", body: 1 }],
      ["lintel.enable", { verb: "request", pattern: "a" }],
      ["lintel.cancel", { key: "a" }],
    ];
    for (const [action, body] of tries) {
      const reply = await client.call(action, body);
      assert.deepEqual([reply.action, reply.body], ["drs.error", required], action);
    }
    for (const token of [undefined, 5, ["good"], { token: "good" }]) {
      const reply = await client.call("auth.upgrade", token);
      assert.deepEqual([reply.action, reply.body], ["drs.error", { message: "Token must be a string" }]);
    }
    const wrong = await client.call("auth.upgrade", "bad");
    assert.deepEqual([wrong.action, reasonOf(wrong.body)], ["drs.error", "UNAUTHENTICATED"]);
    assert.deepEqual((await client.call("echo")).body, required);
    assert.deepEqual(seen, []);
    assert.equal((await client.call("auth.upgrade", "good")).body, true);
    await client.call("echo", "now");
    assert.deepEqual(seen, ["now"]);
    // A token that is not good takes nothing away.
    assert.equal(reasonOf((await client.call("auth.upgrade", "bad")).body), "UNAUTHENTICATED");
    await client.call("echo", "still");
    assert.deepEqual(seen, ["now", "still"]);
  });
}

test("C-7: what a connection had announced ends when it becomes somebody else's", async () => {
  await using scene = await open(allowing(["serve", "subscribe", "request"]), {
    serve: ["c.*"],
    broadcast: ["n.*"],
  });
  const client = await scene.connect("ws", "?token=good");
  await client.call("lintel.serve", "mine");
  await client.call("lintel.subscribe", "news");
  assert.equal((await client.call("auth.upgrade", "other")).body, true);
  assert.equal(await scene.hub.request("mine").catch((error: LintelError) => error.reason), "NO_RESPONDERS");
  await scene.hub.publish("news", 1);
  await scene.hub.publish("n.a", 2);
  assert.deepEqual(await client.nextCommand(), { action: "n.a", body: 2 });
  client.answers("c.a", () => "as other");
  assert.equal(await scene.hub.request("c.a"), "as other");
});

test("C-8: a connection ends with its credentials, and what is under way for it with it", async () => {
  const access = allowing(["request", "serve"]);
  await using scene = await open(access);
  const reasons: string[] = [];
  await scene.hub.serve("held", (_value, { signal }) => {
    return new Promise((resolve) => {
      signal.addEventListener("abort", () => resolve(reasons.push((signal.reason as LintelError).reason)));
    });
  });
  const client = await scene.connect("ws", "?token=good");
  const other = await scene.connect("ws", "?token=other");
  await client.call("lintel.serve", "mine");
  const asked = scene.hub.request("mine").catch((error: LintelError) => error.reason);
  await client.nextCommand();
  for (const one of [client, other]) one.send({ key: "k", action: "held" });
  await until(() => scene.stats.calls === 2, "the calls");
  access.revoke("good");
  await client.closed();
  assert.equal(client.closeCode, 4401);
  assert.equal(await asked, "WORKER_LOST");
  await until(() => reasons.length === 1, "the signal");
  assert.deepEqual(reasons, ["CALLER_GONE"]);
  assert.equal(scene.stats.calls, 1);
  assert.equal(typeof (await other.call("drs.ping")).body, "number");
});

test("C-9: commands wait while credentials are looked at, and keep their order", async () => {
  const access = allowing(["request"], true);
  await using scene = await open(access);
  const seen: unknown[] = [];
  await scene.hub.serve("see", (value) => void seen.push(value));
  const client = await scene.connect("ws", "?token=good");
  await access.untilAsked();
  client.sendRaw('{"key":"1","action":"see","body":1}{"key":"2","action":"auth.upgrade","body":"other"}');
  client.sendRaw('{"key":"3","action":"see","body":3}{"key":"4","action":"see","body":4}');
  assert.deepEqual(seen, []);
  access.answer();
  await client.next(({ key }) => key === "4", "the last reply");
  assert.deepEqual(
    client.heard.map(({ key }) => key),
    ["1", "2", "3"],
  );
  assert.deepEqual(seen, [1, 3, 4]);
});

test("a client that leaves while its credentials are looked at leaves nothing behind", async () => {
  const access = allowing(["request"], true);
  await using scene = await open(access);
  const client = await scene.connect("ws", "?token=good");
  await access.untilAsked();
  client.sendRaw('{"key":"1","action":"see","body":1}');
  client.leave();
  await until(() => scene.stats.connections === 0, "the end");
  access.answer();
  assert.equal(scene.stats.calls, 0);
});

test("configured patterns and broadcasts are for clients that may serve and subscribe to them", async () => {
  const access = new TestAccess({
    tokens: TOKENS,
    allows: (_verb, _subject, { id }) => id === "good",
  });
  await using scene = await open(access, { serve: ["c.*"], broadcast: ["n.*"] });
  const denied = await scene.connect("ws", "?token=other");
  await denied.call("drs.ping");
  assert.equal(await scene.hub.request("c.a").catch((error: LintelError) => error.reason), "NO_RESPONDERS");
  const good = await scene.connect("ws", "?token=good");
  good.answers("c.a", () => 1);
  await good.call("drs.ping");
  assert.equal(await scene.hub.request("c.a"), 1);
  await scene.hub.publish("n.a", 1);
  assert.deepEqual(await good.nextCommand(), { action: "n.a", body: 1 });
  await denied.call("drs.ping");
  assert.deepEqual(denied.heard, []);
});

test("tenants do not meet: neither calls, nor publications, nor counters", async () => {
  const key = (name: string, tenant: string, role: "service" | "admin"): object => ({
    name,
    tenant,
    role,
    sha256: createHash("sha256").update(name).digest("hex"),
  });
  const keys = [key("a", "a", "service"), key("b", "b", "service"), key("admin-a", "a", "admin")];
  await using scene = await Scene.open(
    { serve: ["c.*"], broadcast: ["n.*"] },
    { access: { keys } as NonNullable<HubConfig["access"]> },
  );
  const [a, b] = [await scene.connect("ws", "?token=a"), await scene.connect("ws", "?token=b")];
  await b.call("drs.ping");
  a.answers("c.who", () => "a");
  b.answers("c.who", () => "b");
  await a.call("lintel.publish", { action: "n.x", body: "from a" });
  assert.deepEqual(await a.nextCommand(), { action: "n.x", body: "from a" });
  for (let round = 0; round < 4; round++) assert.equal((await a.call("c.who")).body, "a");
  assert.equal((await b.call("c.who")).body, "b");
  assert.deepEqual(b.heard, []);
  // C-60: only administrators read counters, those of their tenant.
  const stats = scene.urlOf("ws").replace("ws:", "http:").replace("/socket", "/stats");
  assert.equal((await fetch(stats)).status, 401);
  assert.equal((await fetch(`${stats}?token=a`)).status, 403);
  const read = await fetch(stats, { headers: { authorization: "Bearer admin-a" } });
  const { connections, commands } = (await read.json()) as Record<string, Record<string, unknown>>;
  assert.deepEqual(connections, { inbound: 1 });
  assert.deepEqual(
    Object.keys(commands!).toSorted((one, other) => one.localeCompare(other)),
    ["c.who", "lintel.publish"],
  );
});

test("quotas count: connections, subscriptions, requests", async () => {
  const sha256 = createHash("sha256").update("k").digest("hex");
  const limits = { connections: 1, subscriptions: 1, inFlight: 1 };
  const access = { keys: [{ name: "k", role: "service", sha256, limits }] } as NonNullable<
    HubConfig["access"]
  >;
  await using scene = await Scene.open({}, { access });
  await scene.hub.serve("held", () => new Promise(() => undefined));
  const client = await scene.connect("ws", "?token=k");
  assert.equal((await client.call("lintel.subscribe", "a")).action, "drs.response");
  assert.equal(reasonOf((await client.call("lintel.subscribe", "b")).body), "QUOTA_EXCEEDED");
  await client.call("lintel.unsubscribe", "a");
  assert.equal((await client.call("lintel.subscribe", "b")).action, "drs.response");
  client.send({ key: "h", action: "held" });
  assert.equal(reasonOf((await client.call("held")).body), "QUOTA_EXCEEDED");
  const second = await scene.connect("ws", "?token=k");
  await second.closed();
  assert.match(second.closeReason, /^QUOTA_EXCEEDED/);
  client.leave();
  await until(() => scene.stats.connections === 0, "the end");
  const third = await scene.ready("ws", "?token=k");
  assert.equal((await third.call("lintel.subscribe", "a")).action, "drs.response");
});

test("connections that have shown nothing give way to new ones", async () => {
  await using scene = await open(allowing(), { maxConnections: 2 });
  const stranger = await scene.ready("tcp");
  const known = await scene.ready("ws", "?token=good");
  const next = await scene.ready("ws", "?token=other");
  await stranger.closed();
  const late = await scene.connect("ws", "?token=good");
  await late.closed();
  assert.match(late.closeReason, /^TOO_MANY/);
  for (const one of [known, next]) assert.equal(one.isClosed, false);
  assert.equal(scene.stats.connections, 2);
});
