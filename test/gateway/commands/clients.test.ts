/** C-30 to C-38: requests that connected clients answer. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { until } from "../../house/until.ts";
import type { RawClient, Said } from "./raw-client.ts";
import { SCHEMES, Scene, failureOf } from "./harness.ts";

const PATTERN = { serve: ["client.>"] };

function refuses(client: RawClient, action: string): void {
  client.handles(action, ({ key }) => ({
    key: key!,
    action: "drs.error",
    body: { message: `No handlers for ${action}` },
  }));
}

async function failed(asked: Promise<unknown>): Promise<ReturnType<typeof failureOf>> {
  return asked.then((value) => assert.fail(`was answered ${String(value)}`), failureOf);
}

for (const scheme of SCHEMES) {
  test(`C-30, C-32: a client over ${scheme} that announces nothing answers a request of a native peer`, async () => {
    await using scene = await Scene.open(PATTERN);
    const client = await scene.ready(scheme);
    const asked = scene.hub.request("client.ask", { a: [1] });
    const { key, ...command } = await client.nextCommand();
    assert.deepEqual(command, { action: "client.ask", body: { a: [1] } }); // C-37: and no timeout
    assert.match(key!, /^[-_0-9A-Za-z]{20}$/);
    client.send({ key: key!, action: "drs.response", body: { b: 2 } });
    assert.deepEqual(await asked, { b: 2 });
    assert.equal(scene.hub.stats().inFlight, 0);
  });
}

test("C-33: errors and exceptions of clients are failures", async () => {
  await using scene = await Scene.open(PATTERN);
  const client = await scene.ready();
  const fails = async (action: string, body?: unknown): Promise<unknown> => {
    client.handles("client.fail", ({ key }) => ({ key: key!, action, body }));
    return failed(scene.hub.request("client.fail"));
  };
  assert.deepEqual(await fails("drs.error", { message: "nope" }), [
    "failed_precondition",
    "COMMAND_ERROR",
    "nope",
  ]);
  assert.deepEqual(await fails("drs.exception", { message: "boom" }), [
    "internal",
    "COMMAND_EXCEPTION",
    "boom",
  ]);
  const full = { message: "sold out", code: "aborted", reason: "SOLD_OUT", retryable: true, details: [1] };
  assert.deepEqual(await fails("drs.error", full), ["aborted", "SOLD_OUT", "sold out"]);
  for (const body of [undefined, 5, "text", [1], { message: 5 }, { message: "x", code: "no", reason: "!" }])
    assert.equal(((await fails("drs.error", body)) as string[])[1], "COMMAND_ERROR");
});

test("C-31: a reply that nobody waits for is dropped, also one to the request of another client", async () => {
  await using scene = await Scene.open(PATTERN);
  const thief = await scene.ready();
  const asked = scene.hub.request("client.ask");
  const { key } = await thief.nextCommand();
  const other = await scene.ready("tcp");
  other.send({ key: key!, action: "drs.response", body: "stolen" });
  other.send({ action: "drs.response", body: "without a key" });
  other.send({ key: "unknown", action: "drs.exception", body: {} });
  await until(() => scene.stats.late === 3, "the replies");
  thief.send({ key: key!, action: "drs.response", body: "mine" });
  thief.send({ key: key!, action: "drs.response", body: "again" });
  assert.equal(await asked, "mine");
  await until(() => scene.stats.late === 4, "the second reply");
});

test("C-35: clients take turns, and one without handlers passes the request on", async () => {
  await using scene = await Scene.open(PATTERN);
  const clients = [await scene.ready(), await scene.ready("tcp"), await scene.ready()];
  const seen: number[] = [];
  clients.forEach((client, index) => client.answers("client.turn", () => seen.push(index) && index));
  for (let round = 0; round < 6; round++) await scene.hub.request("client.turn");
  assert.deepEqual(
    seen.toSorted((one, other) => one - other),
    [0, 0, 1, 1, 2, 2],
  );
  let refused = 0;
  for (const client of clients.slice(0, 2))
    client.handles("client.some", ({ key }) => {
      refused++;
      return { key: key!, action: "drs.error", body: { message: "No handlers for client.some" } };
    });
  clients[2]!.answers("client.some", () => "yes");
  for (let round = 0; round < 9; round++) assert.equal(await scene.hub.request("client.some"), "yes");
  assert.ok(refused <= 2 + 2, `${refused} refusals: they are remembered for a second`);
  for (const client of clients) refuses(client, "client.none");
  assert.deepEqual((await failed(scene.hub.request("client.none"))).slice(0, 2), [
    "unavailable",
    "NO_RESPONDERS",
  ]);
});

test("C-34: nobody is connected, or has announced services of its own: there is nobody to ask", async () => {
  await using scene = await Scene.open(PATTERN);
  assert.equal((await failed(scene.hub.request("client.ask")))[1], "NO_RESPONDERS");
  const aware = await scene.ready();
  await aware.call("lintel.serve", "client.mine");
  assert.equal((await failed(scene.hub.request("client.ask")))[1], "NO_RESPONDERS");
  await aware.call("lintel.unserve", "client.mine");
  aware.answers("client.ask", () => "again");
  assert.equal(await scene.hub.request("client.ask"), "again");
  aware.leave();
  await until(() => scene.stats.connections === 0, "the end");
  assert.equal((await failed(scene.hub.request("client.ask")))[1], "NO_RESPONDERS");
});

test("C-36: a request whose client leaves fails as WORKER_LOST, and no other client gets it", async () => {
  await using scene = await Scene.open(PATTERN);
  const client = await scene.ready();
  const asked = failed(scene.hub.request("client.ask"));
  await client.nextCommand();
  const other = await scene.ready();
  client.leave();
  assert.deepEqual((await asked).slice(0, 2), ["unavailable", "WORKER_LOST"]);
  other.answers("client.ask", () => "here");
  assert.equal(await scene.hub.request("client.ask"), "here");
  assert.equal(other.heard.length, 0);
});

test("a client holds so many requests, and the others wait for their turn", async () => {
  await using scene = await Scene.open({ ...PATTERN, concurrency: 2 });
  const client = await scene.ready();
  const answers = [1, 2, 3, 4, 5].map((number) => scene.hub.request("client.ask", number));
  const held: Said[] = [];
  const takeTwo = async (): Promise<void> => {
    for (let index = 0; index < 2; index++) held.push(await client.nextCommand());
  };
  await takeTwo();
  await client.call("drs.ping");
  assert.equal(client.heard.length, 0);
  assert.equal(scene.stats.jobs, 2);
  for (const { key, body } of held.splice(0)) client.send({ key: key!, action: "drs.response", body });
  await takeTwo();
  client.answers("client.ask", (body) => body);
  for (const { key, body } of held.splice(0)) client.send({ key: key!, action: "drs.response", body });
  assert.deepEqual(await Promise.all(answers), [1, 2, 3, 4, 5]);
});

test("a request that no client has room for waits until one has", async () => {
  await using scene = await Scene.open({ ...PATTERN, concurrency: 1 });
  const [busy, lacking] = [await scene.ready(), await scene.ready()];
  refuses(lacking, "client.ask");
  const first = scene.hub.request("client.ask", "first");
  const held = await busy.nextCommand();
  // It goes to the client that has room, which does not handle it, and then waits for the other.
  const second = scene.hub.request("client.ask", "second");
  await until(() => scene.stats.late === 0 && lacking.text.includes("second"), "the request");
  busy.answers("client.ask", (body) => body);
  busy.send({ key: held.key!, action: "drs.response", body: "first" });
  assert.deepEqual(await Promise.all([first, second]), ["first", "second"]);
});

test("C-37, C-38: a client that knows Lintel is told the time that is left, and when nobody waits any longer", async () => {
  await using scene = await Scene.open();
  const client = await scene.ready();
  await client.call("lintel.serve", { pattern: "own.*", concurrency: 1 });
  const gone = new AbortController();
  const asked = failed(scene.hub.request("own.a", 1, { timeoutMs: 5_000, signal: gone.signal }));
  const { key, timeout } = await client.nextCommand();
  assert.ok(timeout! > 1_000 && timeout! <= 5_000, String(timeout));
  gone.abort();
  await asked;
  assert.deepEqual(await client.nextCommand(), {
    action: "lintel.cancel",
    body: { key, code: "canceled", reason: "CALLER_GONE" },
  });
  client.send({ key: key!, action: "drs.response" });
  await until(() => scene.stats.late === 1, "the late reply");
  // An original client is sent nothing of the kind.
  await using other = await Scene.open(PATTERN);
  const original = await other.ready();
  assert.equal((await failed(other.hub.request("client.x", 1, { timeoutMs: 20 })))[1], "DEADLINE");
  await original.call("drs.ping");
  assert.equal(original.heard.filter(({ action }) => action.startsWith("lintel.")).length, 0);
});

test("a request with streams fails, and the client does not hear of it", async () => {
  await using scene = await Scene.open(PATTERN);
  const client = await scene.ready();
  const stream = new ReadableStream({ start: (controller) => controller.close() });
  assert.equal((await failed(scene.hub.request("client.ask", stream)))[1], "STREAMS_UNSUPPORTED");
  await client.call("lintel.serve", "own");
  const other = new ReadableStream({ start: (controller) => controller.close() });
  assert.equal((await failed(scene.hub.request("own", other)))[1], "STREAMS_UNSUPPORTED");
  assert.equal(client.heard.length, 0);
});

test("an answer over the limit of payloads fails the request, and the client goes on", async () => {
  await using scene = await Scene.open(PATTERN, { limits: { payload: 1_000 } });
  const client = await scene.ready();
  client.answers("client.large", () => "x".repeat(1_001));
  assert.equal((await failed(scene.hub.request("client.large")))[1], "BAD_ANSWER");
  client.answers("client.large", () => "x".repeat(1_000));
  assert.equal(String(await scene.hub.request("client.large")).length, 1_000);
});

test("a handler of a client may call, while it is called", async () => {
  await using scene = await Scene.open(PATTERN);
  await scene.hub.serve("up", async () => ({ back: await scene.hub.request("client.ask", 1) }));
  const client = await scene.ready();
  client.answers("client.ask", (body) => ({ you: body }));
  assert.deepEqual((await client.call("up")).body, { back: { you: 1 } });
});
