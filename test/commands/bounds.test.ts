import assert from "node:assert/strict";
import { test } from "node:test";
import { ByteBudget } from "../../src/commands/byte-budget.ts";
import { FakeClock } from "../../src/testing/fake-clock.ts";
import { connected, settled } from "./connected.ts";

test("a flood of commands that are never answered is refused at the bound, others go on", () => {
  const { line, connection } = connected({ maxUnderWay: 3 });
  connection.on("slow", () => new Promise(() => undefined));
  for (let call = 0; call < 5; call++) line.receive('{"action":"slow","key":"s"}');
  assert.equal(connection.underWay, 3);
  assert.deepEqual(
    line.commands.map(({ action, body }) => [action, (body as { reason: string }).reason]),
    [
      ["drs.exception", "IN_FLIGHT_FULL"],
      ["drs.exception", "IN_FLIGHT_FULL"],
    ],
  );
});

test("commands under way are bounded by their bytes, too; one is taken in any case", () => {
  const { line, connection } = connected({ maxUnderWayBytes: 1000 });
  connection.on("slow", () => new Promise(() => undefined)).on("echo", ({ body }) => body);
  const large = `{"action":"slow","body":"${"x".repeat(2000)}"}`;
  line.receive(large + large);
  assert.equal(connection.underWay, 1);
  line.receive('{"action":"echo"}');
  assert.deepEqual(
    line.commands.map(({ body }) => (body as { reason: string }).reason),
    ["IN_FLIGHT_FULL", "IN_FLIGHT_FULL"],
  );
});

test("all connections together share a budget, and give back what they had", async () => {
  const budget = new ByteBudget(10_000);
  const [one, other] = [connected({ budget }), connected({ budget })];
  let finish: (() => void) | undefined;
  for (const { connection } of [one, other])
    connection.on("slow", () => new Promise<void>((resolve) => (finish = resolve)));
  const large = `{"action":"slow","body":"${"x".repeat(3000)}"}`;
  one.line.receive(large + large);
  other.line.receive(large + large);
  assert.equal(other.connection.underWay, 1);
  assert.equal((other.line.commands[0]!["body"] as { reason: string }).reason, "IN_FLIGHT_FULL");
  finish!();
  await settled();
  assert.equal(other.connection.underWay, 0);
  one.line.events!.closed();
  assert.equal(budget.taken, 0);

  other.line.receive(large.slice(0, 2500));
  assert.ok(budget.taken >= 2500, "an unfinished command counts");
  const third = connected({ budget });
  third.line.receive(`{"action":"${"y".repeat(9000)}`);
  assert.equal((third.line.end as { code: number }).code, 1013);
  other.line.receive(large.slice(2500));
  assert.equal(other.connection.underWay, 1);
  other.connection.close();
  assert.equal(budget.taken, 0);
});

test("a handler that ends its own connection gives back what it had", () => {
  const budget = new ByteBudget(10_000);
  const { line, connection } = connected({ budget });
  connection.on("bye", () => connection.close());
  line.receive('{"action":"bye"}{"action":"bye"}{"act');
  assert.deepEqual([budget.taken, line.sent.length, connection.underWay], [0, 0, 0]);
});

test("handlers that return values are not under way, however many commands come at once", () => {
  const { line, connection } = connected({ maxUnderWay: 1 });
  connection.on("echo", ({ body }) => body);
  line.receive('{"action":"echo","body":1}'.repeat(5000));
  assert.ok(line.commands.every(({ action }) => action === "drs.response"));
  assert.equal(line.sent.length, 5000);
});

test("a reader that does not read its replies is not read, and given up in time", () => {
  const clock = new FakeClock();
  const { line, connection } = connected({ clock, pausesReading: true, stallTimeout: 1000 });
  connection.on("echo", ({ body }) => body);
  line.isTaking = false;
  line.buffered = 100;
  line.receive('{"action":"echo"}');
  assert.equal(line.isReading, false);
  line.buffered = 50;
  clock.advance(1000);
  assert.equal(connection.isClosed, false, "it has read some");
  line.events!.drained();
  assert.equal(line.isReading, true);
  line.receive('{"action":"echo"}');
  clock.advance(1000);
  assert.equal(line.end, "aborted");
});

test("what is left unread is bounded", async () => {
  const { line, connection } = connected({ maxBuffered: 1000 });
  connection.on("echo", ({ body }) => body);
  line.buffered = 1001;
  line.isTaking = false;
  await assert.rejects(connection.call("x"), { reason: "SLOW_CONSUMER" });
  assert.throws(() => connection.fire("x"), { reason: "SLOW_CONSUMER" });
  assert.equal(connection.isClosed, false);
  line.receive('{"action":"echo"}');
  assert.equal(line.end, "aborted");
});

test("a drain takes nothing new and waits for what is under way", async () => {
  const { line, connection } = connected();
  let finish: (() => void) | undefined;
  connection.on("slow", () => new Promise<void>((resolve) => (finish = resolve)));
  line.receive('{"action":"slow","key":"1"}');
  const drained = connection.drain();
  line.receive('{"action":"slow","key":"2"}');
  assert.equal((line.commands[0]!["body"] as { reason: string }).reason, "DRAINING");
  finish!();
  await drained;
  assert.deepEqual(line.commands[1], { key: "1", action: "drs.response" });
});

test("an end that sends nothing more gets the replies to come, while it is there", async () => {
  const clock = new FakeClock();
  const { line, connection } = connected({ clock, lingerTimeout: 5000 });
  let finish: (() => void) | undefined;
  connection.on("later", () => new Promise<void>((resolve) => (finish = resolve)));
  connection.on("back", () => connection.call("x"));
  line.receive('{"action":"later","key":"k"}{"action":"back"}');
  line.events!.ended!();
  await settled();
  assert.equal((line.commands[1]!["body"] as { reason: string }).reason, "CONNECTION_LOST");
  await assert.rejects(connection.call("y"), { reason: "NOT_CONNECTED", retryable: true });
  clock.advance(100);
  assert.ok(
    line.sent.slice(2).length > 1 && line.sent.slice(2).every((text) => text === "\n"),
    "it is asked for",
  );
  finish!();
  await settled();
  assert.deepEqual(JSON.parse(line.sent.at(-1)!), { key: "k", action: "drs.response" });
  assert.deepEqual([line.end, connection.isClosed], [{ code: 1000, reason: "" }, true]);
  assert.equal(clock.pending, 0);

  const other = connected({ clock, lingerTimeout: 5000 });
  other.connection.on("never", () => new Promise(() => undefined));
  other.line.receive('{"action":"never"}');
  other.line.events!.ended!();
  clock.advance(5000);
  assert.deepEqual([other.connection.isClosed, clock.pending], [true, 0]);
});
