/** T-3, T-4, T-8, T-26: who may do what, and what has no effect. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { connect, createHub } from "../../../src/index.ts";
import type { KeyOptions } from "../../../src/access/access-options.ts";
import { TestAccess } from "../../../src/testing/test-access.ts";
import { until } from "../../house/until.ts";
import { CLIENT, KEYS, RawText, SERVICE, frame, keyOf, textHub } from "./raw-text.ts";

test("T-26: EPUB and ESUB let clients in, until the last service that did so leaves", async () => {
  await using hub = await textHub();
  await using page = await RawText.open(hub.textUrl!, CLIENT);
  const first = await RawText.open(hub.textUrl!, SERVICE);
  const second = await RawText.open(hub.textUrl!, SERVICE);
  for (const service of [first, second]) {
    for (const command of ["EPUB", "ESUB", "EPUB"]) service.send(frame(`${command} room 1`));
    assert.deepEqual(await service.settled(), []);
  }
  page.send(frame("SUB room 1"));
  page.send(frame("PUB room 1", [], "1"));
  assert.equal((await page.message()).body, "1");
  await first.close();
  page.send(frame("PUB room 1", [], "2"));
  assert.equal((await page.message()).body, "2");
  await second.close();
  assert.equal((await page.message()).body, "Not trusted SUB room 1");
  page.send(frame("PUB room 1", [], "3"));
  page.send(frame("SUB room 1"));
  assert.equal((await page.message()).body, "Not trusted PUB room 1");
  assert.equal((await page.message()).body, "Not trusted SUB room 1");
});

test("T-8: a service that may not serve a target enables nothing with its EREQ", async () => {
  const keys: KeyOptions[] = [...KEYS, keyOf("half", "service", { deny: { serve: [">"] } })];
  await using hub = await textHub({ access: { keys } });
  await using half = await RawText.open(hub.textUrl!, "half");
  half.send(frame("EREQ Chat"));
  assert.equal((await half.message()).body, "Not trusted EREQ Chat");
  await using page = await RawText.open(hub.textUrl!, CLIENT);
  for (const command of ["PUB", "REQ"]) {
    page.send(frame(`${command} Chat`));
    assert.equal((await page.message()).body, `Not trusted ${command} Chat`);
  }
});

test("T-4: connections end with 1008 when their key is revoked", async () => {
  const access = new TestAccess({ tokens: ["a", "b"], allows: () => true });
  await using hub = await textHub({ access });
  await using one = await RawText.open(hub.textUrl!, "a");
  await using two = await RawText.open(hub.textUrl!, "b");
  access.revoke("a");
  assert.equal((await one.ended()).code, 1008);
  assert.deepEqual(await two.settled(), []);
  assert.equal(hub.stats().text?.connections, 1);
});

test("T-1: what comes while the key is looked at waits, and is not executed for a bad one", async () => {
  const access = new TestAccess({ tokens: ["a"], isSlow: true, allows: () => true });
  await using hub = await textHub({ access });
  const published: unknown[] = [];
  await hub.subscribe("early", (value) => void published.push(value));
  await using good = await RawText.dial(hub.textUrl!, "a");
  good.send(frame("PUB early", [], "good"));
  await using bad = await RawText.dial(hub.textUrl!, "x");
  bad.send(frame("PUB early", [], "bad"));
  await until(() => access.waiting === 2, "both keys");
  assert.deepEqual(published, []);
  access.answer();
  assert.equal(await good.next(), "MM OK");
  assert.equal((await bad.ended()).code, 1008);
  await until(() => published.length > 0);
  assert.deepEqual(published, ["good"]);
});

test("T-10: publications and requests that wait for a decision keep their order", async () => {
  const access = new TestAccess({ allows: () => true });
  await using hub = await textHub({ access });
  await using one = await RawText.open(hub.textUrl!, "a");
  one.send(frame("SUB b"));
  await one.settled();
  access.slowDown();
  for (const body of ["1", "2", "3"]) one.send(frame("PUB b", [], body));
  await access.untilAsked();
  access.answer();
  for (const body of ["1", "2", "3"]) assert.equal((await one.message()).body, body);
});

test("tenants do not meet: not by targets, private channels, users or observers", async () => {
  const keys = ["a", "b"].flatMap((tenant) => [
    keyOf(`service ${tenant}`, "service", { tenant }),
    keyOf(`observer ${tenant}`, "observer", { tenant }),
  ]);
  await using hub = await textHub({ access: { keys } });
  const url = hub.textUrl!;
  await using a = await RawText.open(url, "service a");
  await using b = await RawText.open(url, "service b");
  await using watcher = await RawText.open(url, "observer b");
  b.send(frame("SUB room"));
  b.send(frame("EREQ Chat"));
  await b.settled();
  a.send(frame("PUB room", [], "x"));
  a.send(frame(`PUB MSG:${b.guid}`, [], "x"));
  a.send(frame("REQ Chat"));
  assert.equal((await a.message()).body, "No responder for REQ Chat");
  a.send(frame("INT UID", [`forcid:${b.guid}`, "setuid:x"]));
  assert.match((await a.message()).body, /^No connection with this forcid/);
  assert.deepEqual(await b.settled(), []);
  assert.deepEqual(
    (await watcher.settled()).filter((text) => !text.includes("NONE")),
    [],
  );
});

test("quotas count connections, publications and subscriptions of a key", async () => {
  const limits = { connections: 1, subscriptions: 1, requestsPerSecond: 1, burst: 2 };
  await using hub = await textHub({ access: { keys: [keyOf("small", "service", { limits })] } });
  const one = await RawText.open(hub.textUrl!, "small");
  await using two = await RawText.dial(hub.textUrl!, "small");
  assert.equal((await two.ended()).code, 1008);
  one.send(frame("SUB a"));
  one.send(frame("SUB b"));
  assert.ok((await one.message()).headers.includes("reason:QUOTA_EXCEEDED"));
  one.send(frame("UNS a"));
  one.send(frame("SUB b"));
  for (let index = 0; index < 3; index++) one.send(frame("PUB b", [], String(index)));
  assert.deepEqual([(await one.message()).body, (await one.message()).body], ["0", "1"]);
  assert.ok((await one.message()).headers.includes("reason:RATE_LIMITED"));
  await one.close();
  await using three = await RawText.open(hub.textUrl!, "small");
  assert.deepEqual(await three.settled(), []);
});

test("T-7: programs of other protocols cannot say who they are", async () => {
  await using hub = await createHub({
    http: { listen: 0, defaultMapping: true },
    listen: ["memory:stamps"],
    text: 0,
  });
  await using responder = await RawText.open(hub.textUrl!, SERVICE);
  responder.send(frame("EREQ Who"));
  responder.send(frame("SUB Who"));
  await responder.settled();
  const gone = AbortSignal.timeout(5_000);
  const headers = { cid: "forged", UID: "forged", rid: "7" };
  void fetch(`${hub.httpUrl!}/Who`, { method: "POST", body: "x", headers, signal: gone }).catch(
    () => undefined,
  );
  const { headers: seen } = await responder.message();
  assert.deepEqual(seen.slice(-2), ["cid:", "uid:"]);
  assert.equal(seen.filter((line) => /forged|rid:7/.test(line)).length, 0);
  const peer = await connect("memory:stamps");
  await peer.publish("Who", "x", { headers: { cid: "forged", ":cid": "forged", ":uid": "forged" } });
  const published = await responder.message();
  assert.deepEqual([published.first, ...published.headers], ["PUB Who", "cid:", "uid:"]);
  await peer.close();
});
