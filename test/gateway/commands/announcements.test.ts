/** C-40 to C-45 and C-50 to C-53: what clients announce, and publications. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createHash } from "node:crypto";
import type { HubConfig } from "../../../src/hub/hub.ts";
import type { LintelError } from "../../../src/message/failure.ts";
import { TestAccess } from "../../../src/testing/test-access.ts";
import { until } from "../../house/until.ts";
import { SCHEMES, Scene, failureOf } from "./harness.ts";

const reasonOf = (body: unknown): string => (body as LintelError).reason;
const codeOf = (body: unknown): string => (body as LintelError).code;

test("C-40, C-41: a client serves patterns and names, in a group, until it does not", async () => {
  await using scene = await Scene.open();
  const [one, other] = [await scene.connect(), await scene.connect("tcp")];
  for (const client of [one, other])
    await client.call("lintel.serve", { pattern: "work.*", queue: "q", concurrency: 1 });
  one.answers("work.a", () => "one");
  other.answers("work.a", () => "other");
  const answers = new Set<unknown>();
  for (let round = 0; round < 4; round++) answers.add(await scene.hub.request("work.a"));
  assert.equal(answers.size, 2);
  assert.equal((await one.call("lintel.unserve", "work.*")).action, "drs.response");
  for (let round = 0; round < 4; round++) assert.equal(await scene.hub.request("work.a"), "other");
  // C-43: a name that is no pattern.
  await one.call("lintel.serve", "say hello");
  one.answers("say hello", (body) => body);
  assert.equal(await scene.hub.request("say--20hello", "hi"), "hi");
  assert.equal((await other.call("say hello", "there")).body, "there");
});

test("C-41: what has come before a service ends may be answered", async () => {
  await using scene = await Scene.open();
  const client = await scene.connect();
  await client.call("lintel.serve", "work");
  const asked = scene.hub.request("work");
  const { key } = await client.nextCommand();
  await client.call("lintel.unserve", "work");
  client.send({ key: key!, action: "drs.response", body: "in time" });
  assert.equal(await asked, "in time");
  assert.equal(((await scene.hub.request("work").catch(failureOf)) as string[])[1], "NO_RESPONDERS");
});

test("announcements that are wrong are refused", async () => {
  await using scene = await Scene.open();
  const client = await scene.connect();
  const wrong: readonly [action: string, body: unknown, code: string][] = [
    ["lintel.serve", undefined, "invalid_argument"],
    ["lintel.serve", 5, "invalid_argument"],
    ["lintel.serve", ["a"], "invalid_argument"],
    ["lintel.serve", {}, "invalid_argument"],
    ["lintel.serve", "", "invalid_argument"],
    ["lintel.serve", "x".repeat(300), "invalid_argument"],
    ["lintel.serve", { pattern: "a", queue: "a b" }, "invalid_argument"],
    ["lintel.serve", { pattern: "a", concurrency: 0 }, "invalid_argument"],
    ["lintel.serve", { pattern: "a", concurrency: 1.5 }, "invalid_argument"],
    ["lintel.unserve", "a", "not_found"],
    ["lintel.unsubscribe", "a", "not_found"],
    ["lintel.disable", { verb: "request", pattern: "a" }, "not_found"],
    ["lintel.enable", { verb: "serve", pattern: "a" }, "invalid_argument"],
    ["lintel.publish", { action: "" }, "invalid_argument"],
    ["lintel.publish", "a", "invalid_argument"],
  ];
  for (const [action, body, code] of wrong)
    assert.equal(codeOf((await client.call(action, body)).body), code, `${action} ${JSON.stringify(body)}`);
  const twice: readonly [action: string, body: unknown][] = [
    ["lintel.serve", "a"],
    ["lintel.subscribe", "a"],
    ["lintel.enable", { verb: "request", pattern: "a" }],
  ];
  for (const [action, body] of twice) {
    assert.equal((await client.call(action, body)).action, "drs.response");
    assert.equal(codeOf((await client.call(action, body)).body), "already_exists");
  }
});

test("C-45: a connection has so many announcements", async () => {
  await using scene = await Scene.open({}, { limits: { registrations: 2 } });
  const client = await scene.connect();
  await client.call("lintel.serve", "a");
  await client.call("lintel.subscribe", "a");
  for (const action of ["lintel.serve", "lintel.subscribe"])
    assert.equal(reasonOf((await client.call(action, "b")).body), "TOO_MANY");
  await client.call("lintel.unserve", "a");
  assert.equal((await client.call("lintel.subscribe", "b")).action, "drs.response");
});

test("C-42, C-44: what a service enables, clients may do until it ends", async () => {
  const keys = ["service", "client"].map((role) => {
    return { name: role, role, sha256: createHash("sha256").update(role).digest("hex") };
  });
  await using scene = await Scene.open({}, { access: { keys } as NonNullable<HubConfig["access"]> });
  const service = await scene.connect("tcp");
  await service.call("auth.upgrade", "service");
  const client = await scene.connect("ws", "?token=client");
  service.answers("chat.say", (body) => body);
  await service.call("lintel.serve", "chat.>");
  const says = async (): Promise<unknown> => {
    const { action, body } = await client.call("chat.say", "hi");
    return action === "drs.response" ? body : reasonOf(body);
  };
  assert.equal(await says(), "PERMISSION_DENIED");
  await service.call("lintel.enable", { verb: "request", pattern: "chat.>" });
  assert.equal(await says(), "hi");
  await service.call("lintel.disable", { verb: "request", pattern: "chat.>" });
  assert.equal(await says(), "PERMISSION_DENIED");
  // A client may not, and a subscription that only an enablement allowed ends with it.
  const refused = await client.call("lintel.enable", { verb: "request", pattern: "a" });
  assert.equal(reasonOf(refused.body), "PERMISSION_DENIED");
  await service.call("lintel.enable", { verb: "subscribe", pattern: "chat.>" });
  assert.equal((await client.call("lintel.subscribe", "chat.room")).action, "drs.response");
  service.leave();
  const { action, body } = await client.nextCommand();
  assert.equal(action, "lintel.ended");
  const { pattern, action: what, reason } = body as Record<string, string>;
  assert.deepEqual([what, pattern, reason], ["lintel.subscribe", "chat.room", "PERMISSION_DENIED"]);
});

for (const scheme of SCHEMES) {
  test(`C-50, C-51, C-53: publications reach a client over ${scheme} once, in order, without a key`, async () => {
    await using scene = await Scene.open({ broadcast: ["news.>"] });
    const client = await scene.ready(scheme);
    const publisher = await scene.connect();
    for (const pattern of ["news.*", "news.>", "other.*", "say hello"])
      assert.equal((await client.call("lintel.subscribe", pattern)).action, "drs.response");
    const names = ["news.a", "other.a", "say hello", "news.b.c"];
    for (const [index, action] of names.entries())
      await publisher.call("lintel.publish", { action, body: { index } });
    await scene.hub.publish("unheard", 1);
    await scene.hub.publish("news.last");
    const heard = [];
    for (let count = 0; count < 5; count++) heard.push(await client.nextCommand());
    assert.deepEqual(heard, [
      ...names.map((action, index) => ({ action, body: { index } })),
      { action: "news.last" },
    ]);
    await client.call("lintel.unsubscribe", "other.*");
    await publisher.call("lintel.publish", { action: "other.a" });
    await client.call("drs.ping");
    assert.deepEqual(client.heard, []);
    assert.equal(publisher.heard.filter(({ action }) => action === "news.a").length, 1);
  });
}

test("what a client publishes reaches native subscribers, with its digits", async () => {
  await using scene = await Scene.open();
  const seen: unknown[] = [];
  await scene.hub.subscribe("a.*", (value) => void seen.push(value));
  const client = await scene.connect();
  client.sendRaw('{"key":"1","action":"lintel.publish","body":{"action":"a.b","body":"text"}}');
  client.sendRaw('{"key":"2","action":"lintel.publish","body":{"action":"a.c","body":[1.50,0]}}');
  await until(() => seen.length === 2, "the publications");
  assert.deepEqual(seen, ["text", [1.5, 0]]);
  const own = await scene.connect();
  await own.call("lintel.subscribe", "big");
  client.sendRaw('{"action":"lintel.publish","body":{"action":"big","body":{"n":12345678901234567890}}}');
  await own.nextCommand();
  assert.ok(own.text.includes('"body":{"n":12345678901234567890}'), own.text);
});

/** More than the system keeps between two ends of a connection. */
const LARGE = "x".repeat(1_000_000);

test("C-52: a client that does not read loses publications and is ended, and others get them all", async () => {
  const limits = { stallTimeout: 500, heartbeat: 60_000 };
  await using scene = await Scene.open({ broadcast: ["news"] }, { limits });
  const slow = await scene.ready("tcp");
  const quick = await scene.ready();
  slow.pause();
  let count = 0;
  // On a busy machine it may be ended before it has lost one.
  while (scene.stats.dropped < 2 && scene.stats.connections === 2) {
    await scene.hub.publish("news", LARGE);
    count++;
    await until(() => quick.count === count, "the publication");
  }
  await until(() => scene.stats.connections === 1, "the end of the slow one");
  assert.equal((await quick.call("drs.ping")).action, "drs.response");
});

test("a small buffer ends a client that does not read, too", async () => {
  const limits = { sessionBuffer: 65_536, stallTimeout: 100, heartbeat: 60_000 };
  await using scene = await Scene.open({ broadcast: ["news"] }, { limits });
  const slow = await scene.ready("tcp");
  slow.pause();
  await until(async () => {
    for (let count = 0; count < 50; count++) await scene.hub.publish("news", LARGE.slice(0, 60_000));
    return scene.stats.connections === 0;
  }, "the end");
  assert.ok(scene.stats.dropped > 0);
});

test("C-26, C-27: a client that does not read its replies is not read either, and then ended", async () => {
  const limits = { stallTimeout: 100, heartbeat: 60_000 };
  await using scene = await Scene.open({}, { limits });
  await scene.hub.serve("large", () => LARGE);
  const client = await scene.connect("tcp");
  client.pause();
  const body = "x".repeat(1_000);
  for (let index = 0; index < 2_000; index++) client.send({ key: `${index}`, action: "large", body });
  await until(() => scene.stats.connections === 0, "the end");
  assert.ok(scene.stats.commands < 2_000, `${scene.stats.commands} were read`);
  assert.equal(scene.hub.stats().inFlight, 0);
});

test("a hub that lets nobody subscribe sends a broadcast to nobody", async () => {
  const access = new TestAccess({ allows: () => false });
  await using scene = await Scene.open({ broadcast: ["news"] }, { access });
  const client = await scene.ready();
  await scene.hub.publish("news", 1);
  await client.call("drs.ping");
  assert.deepEqual(client.heard, []);
});
