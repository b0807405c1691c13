/** Calls that are given up are withdrawn where both ends know how (C-83). */
import assert from "node:assert/strict";
import { setImmediate as turn } from "node:timers/promises";
import { test } from "node:test";
import { CommandConnection } from "../../src/commands/connection.ts";
import type { CommandConnectionOptions } from "../../src/commands/options.ts";
import { FakeClock } from "../../src/testing/fake-clock.ts";
import { MemoryLine, linePair } from "./line-pair.ts";

const clock = new FakeClock();

function pair(options: CommandConnectionOptions): { client: CommandConnection; reasons: unknown[] } {
  const [near, far] = linePair();
  const client = new CommandConnection(near, { ...options, clock });
  const server = new CommandConnection(far, { clock });
  const reasons: unknown[] = [];
  server.on("slow", async ({ signal }) => {
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
    reasons.push((signal.reason as { reason?: unknown }).reason);
  });
  return { client, reasons };
}

test("C-83: a call that is given up by its signal or deadline ends the signal of its handler, and of no other", async () => {
  const { client, reasons } = pair({ cancels: true });
  const controller = new AbortController();
  const kept = client.call("slow", undefined, { timeout: "1h" });
  const aborted = client.call("slow", undefined, { signal: controller.signal });
  const late = client.call("slow", undefined, { timeout: 10 });
  await turn();
  controller.abort(new Error("enough"));
  await assert.rejects(aborted, /enough/);
  await turn();
  assert.deepEqual(reasons, ["CALLER_GONE"]);
  clock.advance(10);
  await assert.rejects(late, { reason: "DEADLINE" });
  await turn();
  assert.deepEqual(reasons, ["CALLER_GONE", "CALLER_GONE"]);
  client.close();
  await assert.rejects(kept, { reason: "CLOSED" });
  await turn();
  assert.equal(reasons.length, 3);
});

test("C-83: without the option nothing is sent that the original does not know", async () => {
  const line = new MemoryLine();
  const connection = new CommandConnection(line, { clock });
  const controller = new AbortController();
  const call = connection.call("x", 1, { signal: controller.signal });
  controller.abort();
  await assert.rejects(call, { name: "AbortError" });
  assert.deepEqual(
    line.commands.map(({ key, ...rest }) => [typeof key, rest]),
    [["string", { action: "x", body: 1 }]],
  );
});

test("C-83: with it the timeout of each call is sent", () => {
  const line = new MemoryLine();
  const connection = new CommandConnection(line, { clock, cancels: true, timeout: "2s" });
  void connection.call("x").catch(() => undefined);
  void connection.call("y", 0, { timeout: 5 }).catch(() => undefined);
  assert.deepEqual(
    line.commands.map(({ action, timeout }) => [action, timeout]),
    [
      ["x", 2_000],
      ["y", 5],
    ],
  );
  connection.close();
});

test("C-83: a cancel of what is not under way does nothing, and says so", async () => {
  const line = new MemoryLine();
  const connection = new CommandConnection(line, { clock });
  const signals: AbortSignal[] = [];
  connection.on("slow", ({ signal }) => {
    signals.push(signal);
    return new Promise(() => undefined);
  });
  line.receive('{"action":"slow"}{"action":"slow","key":"a"}');
  for (const body of ["null", "5", "{}", '{"key":null}', '{"key":"b"}', '{"key":{"a":1}}'])
    line.receive(`{"action":"lintel.cancel","body":${body}}`);
  assert.deepEqual(
    line.commands,
    Array.from({ length: 6 }, () => ({ action: "drs.response", body: false })),
  );
  assert.ok(signals.every(({ aborted }) => !aborted));
  line.receive('{"action":"lintel.cancel","key":"k","body":{"key":"a","reason":"DEADLINE"}}');
  assert.deepEqual(line.commands.at(-1), { key: "k", action: "drs.response", body: true });
  assert.deepEqual(
    signals.map(({ aborted, reason }) => [aborted, (reason as { reason?: string } | undefined)?.reason]),
    [
      [false, undefined],
      [true, "DEADLINE"],
    ],
  );
  connection.close();
  await turn();
  assert.ok(signals.every(({ aborted }) => aborted));
});
