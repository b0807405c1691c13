/** Many requests with one AbortSignal: no warning, no listener too many, and each of them hears of the abort. */
import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { after, before, test } from "node:test";
import { LintelError, connect, createHub, type Hub, type Peer } from "../../src/index.ts";
import { until } from "../house/until.ts";

let hub: Hub;
let peer: Peer;
let underWay = 0;
let canceled = 0;

before(async () => {
  hub = await createHub({ http: false, listen: ["tcp://127.0.0.1:0"] });
  peer = await connect(hub.urls[0]!);
  await hub.serve("echo", (value) => value);
  await hub.serve(
    "wait",
    (_value, { signal }) => {
      underWay++;
      signal.addEventListener("abort", () => void canceled++);
      return new Promise(() => undefined);
    },
    { concurrency: 100_000 },
  );
});
after(async () => {
  await peer.close();
  await hub.close();
});

const reasonOf = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    () => "answered",
    (error: unknown) => (error instanceof LintelError ? error.reason : error),
  );

const count = (signal: AbortSignal): number => getEventListeners(signal, "abort").length;

test("10,000 requests with one signal are answered, without a warning and without a listener left", async (context) => {
  const warnings: Error[] = [];
  const note = (warning: Error): void => void warnings.push(warning);
  process.on("warning", note);
  context.after(() => process.off("warning", note));
  const controller = new AbortController();
  const signals = [controller.signal, AbortSignal.any([controller.signal, AbortSignal.timeout(100_000)])];
  for (const signal of signals) {
    for (const one of [peer, hub]) {
      const calls = Array.from({ length: 10_000 }, (_, n) => one.request("echo", n, { signal }));
      assert.ok(count(signal) <= 1, `${count(signal)} listeners`);
      const answers = await Promise.all(calls);
      assert.ok(answers.every((answer, n) => answer === n));
      assert.equal(count(signal), 0);
    }
  }
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(warnings, []);
});

test("an abort withdraws every request that is under way, of every peer, and none that came after an answer", async () => {
  const controller = new AbortController();
  const { signal } = controller;
  const both = AbortSignal.any([signal, new AbortController().signal]);
  underWay = canceled = 0;
  const calls = [peer, hub].flatMap((one) =>
    [signal, both].flatMap((each) =>
      Array.from({ length: 500 }, () => one.request("wait", 1, { signal: each })),
    ),
  );
  const reasons = Promise.all(calls.map(reasonOf));
  assert.equal(await peer.request("echo", "answered before", { signal }), "answered before");
  await until(() => underWay === 2_000);
  assert.equal(count(signal), 2); // one for each peer; those of `both` hang on it
  assert.equal(count(both), 2);
  controller.abort(new Error("enough"));
  assert.deepEqual(new Set(await reasons), new Set(["CALLER_GONE"]));
  await until(() => canceled === 2_000);
  assert.equal(count(signal), 0);
  assert.equal(count(both), 0);
  assert.equal(await reasonOf(peer.request("echo", 1, { signal })), "CALLER_GONE");
  assert.equal(await reasonOf(hub.open("echo", 1, { signal: both })), "CALLER_GONE");
  assert.equal(count(signal), 0);
});

test("whatever the outcome is, its listener goes", async () => {
  const { signal } = new AbortController();
  const own = await connect(hub.urls[0]!);
  for (const [call, reason] of [
    [() => own.request("echo", 1, { signal }), "answered"],
    [() => own.request("nobody", 1, { signal }), "NO_RESPONDERS"],
    [() => own.request("wait", 1, { signal, timeoutMs: 20 }), "DEADLINE"],
    [() => own.request("echo", 1, { signal, timeoutMs: 0 }), "DEADLINE"],
    [() => own.request("echo", 1n, { signal }), "BAD_PAYLOAD"],
    [() => own.request("no subject", 1, { signal }), "BAD_SUBJECT"],
    [() => own.open("echo", 1, { signal }), "NOT_ACCEPTED"],
  ] as const) {
    assert.equal(await reasonOf(call()), reason);
    assert.equal(count(signal), 0, reason);
  }
  const waiting = own.request("wait", 1, { signal });
  assert.equal(count(signal), 1);
  await own.close();
  assert.equal(await reasonOf(waiting), "CLOSED");
  assert.equal(count(signal), 0);
});

test("a signal that is aborted by what the request sets going withdraws it", async () => {
  const controller = new AbortController();
  await hub.serve("aborts", () => {
    controller.abort();
    return "too late";
  });
  const call = hub.request("aborts", 1, { signal: controller.signal });
  assert.equal(await reasonOf(call), "CALLER_GONE");
  assert.equal(count(controller.signal), 0);
});
