import assert from "node:assert/strict";
import { test } from "node:test";
import { ByteBudget } from "../../src/commands/byte-budget.ts";
import { CommandConnection } from "../../src/commands/connection.ts";
import { CommandCounts } from "../../src/commands/counts.ts";
import { CommandError, CommandException } from "../../src/commands/error.ts";
import { CommandHandlers } from "../../src/commands/handlers.ts";
import type { CommandConnectionOptions } from "../../src/commands/options.ts";
import { LintelError } from "../../src/message/failure.ts";
import { FakeClock } from "../../src/testing/fake-clock.ts";
import { MemoryLine, linePair } from "./line-pair.ts";

const settled = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

function connected(options: CommandConnectionOptions = {}): {
  line: MemoryLine;
  connection: CommandConnection;
} {
  const line = new MemoryLine();
  return { line, connection: new CommandConnection(line, { onError: () => undefined, ...options }) };
}

function pair(options: CommandConnectionOptions = {}): [CommandConnection, CommandConnection] {
  const [one, other] = linePair();
  return [new CommandConnection(one, options), new CommandConnection(other, options)];
}

test("an action without handlers is an error that says so, with and without a key", () => {
  const { line } = connected();
  line.receive('{"action":"nope","key":"k1"}{"action":"nope"}');
  assert.deepEqual(line.commands, [
    { key: "k1", action: "drs.error", body: { message: "No handlers for nope" } },
    { action: "drs.error", body: { message: "No handlers for nope" } },
  ]);
  assert.ok(line.sent.every((text) => text.endsWith("\n")));
});

test("a chain shares its context; the reply is the result of its last handler", async () => {
  const { line, connection } = connected();
  connection.on(
    "chain",
    (message) => void (message.context["text"] = "a"),
    async (message) => void (message.context["text"] = `${String(message.context["text"])}b`),
    (message) => `${String(message.context["text"])}c`,
  );
  line.receive('{"action":"chain","key":"k","body":1}');
  await settled();
  assert.deepEqual(line.commands, [{ key: "k", action: "drs.response", body: "abc" }]);
});

test("each handler sees the result of the one before", () => {
  const { line, connection } = connected();
  const twice = ({ result }: { result: unknown }): unknown => Number(result ?? 1) * 2;
  connection.on("double", twice).on("double", twice, twice);
  line.receive('{"action":"double"}');
  assert.deepEqual(line.commands, [{ action: "drs.response", body: 8 }]);
});

test("the first error of a chain stops it; hooks run around it", async () => {
  const { line, connection } = connected();
  const ran: string[] = [];
  connection.before(() => void ran.push("before"));
  connection.after(({ error }) => void ran.push(`after ${(error as Error).message}`));
  connection.on(
    "x",
    () => {
      throw new CommandError("nope");
    },
    () => ran.push("second"),
  );
  line.receive('{"action":"x","key":"k"}');
  await settled();
  assert.deepEqual(ran, ["before", "after nope"]);
  assert.deepEqual(line.commands, [{ key: "k", action: "drs.error", body: { message: "nope" } }]);
});

test("a handler of before can refuse every action that has handlers", () => {
  const { line, connection } = connected();
  connection.before(() => {
    throw new CommandError("Authentication required");
  });
  connection.on("x", () => 1);
  line.receive('{"action":"x"}');
  assert.deepEqual(line.commands[0]?.["body"], { message: "Authentication required" });
});

test("off removes a handler or a chain; a command under way keeps its own", async () => {
  const { line, connection } = connected();
  let go: (() => void) | undefined;
  const wait = (): Promise<void> => new Promise((resolve) => (go = resolve));
  const last = (): string => "last";
  connection.on("x", wait, last);
  line.receive('{"action":"x","key":"1"}');
  connection.off("x", last);
  connection.off("x", wait);
  line.receive('{"action":"x","key":"2"}');
  go!();
  await settled();
  assert.deepEqual(
    line.commands.map(({ key, action, body }) => [key, action, body]),
    [
      ["2", "drs.error", { message: "No handlers for x" }],
      ["1", "drs.response", "last"],
    ],
  );
});

test("a crash says nothing of its text, whatever was thrown", async () => {
  const errors: unknown[] = [];
  const { line, connection } = connected({ onError: (error) => errors.push(error) });
  const secret: unknown[] = [new Error("secret"), "secret", undefined, null, 7, { message: "secret" }];
  for (const [index, thrown] of secret.entries()) {
    connection.on(`t${index}`, () => {
      throw thrown;
    });
    connection.on(`r${index}`, () => Promise.reject(thrown));
    line.receive(`{"action":"t${index}"}{"action":"r${index}"}`);
  }
  await settled();
  assert.equal(line.commands.length, 2 * secret.length);
  for (const { action, body } of line.commands) {
    assert.equal(action, "drs.exception");
    assert.deepEqual(body, { message: "the handler failed; its log says why" });
  }
  assert.equal(errors.length, 2 * secret.length);
});

test("an error whose text the caller gets is not reported", () => {
  const errors: unknown[] = [];
  const { line, connection } = connected({ onError: (error) => errors.push(error) });
  const thrown = [new CommandError("a"), new CommandException("b"), LintelError.of("QUEUE_FULL")];
  connection.on("x", ({ body }) => {
    throw thrown[Number(body)]!;
  });
  line.receive('{"action":"x","body":0}{"action":"x","body":1}{"action":"x","body":2}');
  assert.deepEqual(
    line.commands.map(({ action }) => action),
    ["drs.error", "drs.exception", "drs.exception"],
  );
  assert.deepEqual(errors, []);
});

test("a result that JSON does not have is an exception; the connection goes on", () => {
  const { line, connection } = connected();
  const circle: unknown[] = [];
  circle.push(circle);
  connection.on("circle", () => circle).on("fine", () => 0);
  line.receive('{"action":"circle","key":"a"}{"action":"fine","key":"b"}');
  assert.equal(line.commands[0]?.["action"], "drs.exception");
  assert.deepEqual(line.commands[1], { key: "b", action: "drs.response", body: 0 });
});

test("a null or missing result has no body; false, 0 and an empty text have one", () => {
  const { line, connection } = connected();
  const values = [null, undefined, 0, false, "", []];
  for (const value of values) {
    connection.off("v").on("v", () => value);
    line.receive('{"action":"v"}');
  }
  const replies = values.map((value) =>
    value === null || value === undefined
      ? { action: "drs.response" }
      : { action: "drs.response", body: value },
  );
  assert.deepEqual(line.commands, replies);
});

test("both ends call each other, also from a handler", async () => {
  const [client, server] = pair();
  client.on("client.ask", ({ body }) => `${String(body)}!`);
  server.on("back", ({ connection, body }) => connection.call("client.ask", body));
  assert.equal(await client.call("back", "hello"), "hello!");
  assert.equal(await client.call("back"), "undefined!");
});

test("errors of the other end are rejections; an error that a handler passes on stays what it is", async () => {
  const [client, server] = pair({ onError: () => undefined });
  client.on("refuse", () => {
    throw new CommandError("not here", { details: { why: 1 } });
  });
  client.on("crash", () => {
    throw new CommandException("boom");
  });
  server.on("back", ({ connection, body }) => connection.call(String(body)));
  await assert.rejects(client.call("back", "refuse"), (error: CommandError) => {
    assert.ok(error instanceof CommandError);
    assert.deepEqual([error.message, error.details], ["not here", { why: 1 }]);
    return true;
  });
  await assert.rejects(client.call("back", "crash"), {
    name: "LintelError",
    reason: "COMMAND_EXCEPTION",
    message: "boom",
  });
  await assert.rejects(client.call("nothing"), {
    reason: "NO_HANDLERS",
    retryable: true,
    message: "No handlers for nothing",
  });
});

test("errors of Lintel keep code and reason on their way", async () => {
  const [client, server] = pair({ onError: () => undefined });
  server.on("missing", () => {
    throw new LintelError("not_found", "no order 7", { reason: "NO_ORDER" });
  });
  server.on("full", () => {
    throw LintelError.of("QUEUE_FULL");
  });
  await assert.rejects(client.call("missing"), (error: LintelError) => {
    assert.ok(error instanceof CommandError);
    return error.code === "not_found" && error.reason === "NO_ORDER";
  });
  await assert.rejects(client.call("full"), (error: LintelError) => {
    assert.ok(error instanceof CommandException);
    return error.reason === "QUEUE_FULL" && error.retryable;
  });
});

test("an error body may be anything", async () => {
  for (const body of [
    "text",
    7,
    null,
    [1],
    {},
    { message: 5 },
    true,
    { message: "m", code: "constructor", reason: "?" },
  ]) {
    const { line, connection } = connected();
    const called = connection.call("x");
    const key = line.commands[0]?.["key"];
    line.receive(JSON.stringify({ key, action: "drs.error", body }));
    await assert.rejects(
      called,
      (error: CommandError) => error instanceof CommandError && error.message !== "",
    );
  }
});

test("replies with unknown keys, or none, or from another connection, settle nothing and get no reply", async () => {
  const shared = new CommandHandlers();
  const one = connected({ shared });
  const other = connected({ shared });
  const called = one.connection.call("x", 1);
  const key = String(one.line.commands[0]?.["key"]);
  assert.equal(key.length, 20);
  other.line.receive(JSON.stringify({ key, action: "drs.response", body: "stolen" }));
  one.line.receive(
    '{"action":"drs.response","body":"no key"}{"action":"drs.exception","key":"unknown","body":3}',
  );
  assert.equal(one.connection.pending, 1);
  one.line.receive(JSON.stringify({ key, action: "drs.response", body: "mine" }));
  one.line.receive(JSON.stringify({ key, action: "drs.error", body: "again" }));
  assert.equal(await called, "mine");
  assert.equal(one.line.sent.length + other.line.sent.length, 1);
});

test("a call ends at its deadline, and its late reply is dropped", async () => {
  const clock = new FakeClock();
  const { line, connection } = connected({ clock });
  const called = connection.call("slow", null, { timeout: "2s" });
  clock.advance(1999);
  assert.equal(connection.pending, 1);
  clock.advance(1);
  await assert.rejects(called, { code: "deadline_exceeded", reason: "DEADLINE", retryable: false });
  line.receive(JSON.stringify({ key: line.commands[0]?.["key"], action: "drs.response" }));
  const byDefault = connection.call("slow");
  clock.advance(30_000);
  await assert.rejects(byDefault, { reason: "DEADLINE" });
  assert.equal(connection.pending, 0);
});

test("a call ends at a signal", async () => {
  const { connection } = connected();
  const stop = new AbortController();
  const called = connection.call("slow", 1, { signal: stop.signal });
  stop.abort(new Error("enough"));
  await assert.rejects(called, /enough/);
  await assert.rejects(connection.call("slow", 1, { signal: stop.signal }), /enough/);
  assert.equal(connection.pending, 0);
});

test("a call ends at disconnect, at close, and fails at once afterwards", async () => {
  const { line, connection } = connected();
  const ends: unknown[] = [];
  connection.onClose((why) => ends.push(why));
  const called = connection.call("x");
  line.events!.closed(new Error("reset"));
  await assert.rejects(called, { code: "unavailable", reason: "CONNECTION_LOST", retryable: false });
  await assert.rejects(connection.call("x"), { reason: "NOT_CONNECTED", retryable: true });
  assert.throws(() => connection.fire("x"), { reason: "NOT_CONNECTED" });
  assert.equal((ends[0] as Error).message, "reset");

  const mine = connected();
  const open = mine.connection.call("x");
  mine.connection.close();
  await assert.rejects(open, { reason: "CLOSED" });
  assert.deepEqual(mine.line.end, { code: 1000, reason: "" });
  mine.connection.onClose((why) => ends.push(why));
  assert.deepEqual(ends.slice(1), [undefined]);
});

test("the signal of a handler fires when its connection ends", () => {
  const { line, connection } = connected();
  let signal: AbortSignal | undefined;
  connection.on("slow", (message) => {
    signal = message.signal;
    return new Promise(() => undefined);
  });
  line.receive('{"action":"slow"}');
  assert.equal(signal!.aborted, false);
  line.events!.closed();
  assert.equal(signal!.aborted, true);
});

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

test("off removes a handler wherever it is in its chain", () => {
  const { line, connection } = connected();
  const add = ({ result }: { result: unknown }): number => Number(result ?? 0) + 1;
  connection.on("x", add, () => 10, add);
  line.receive('{"action":"x"}');
  connection.off("x", add);
  line.receive('{"action":"x"}');
  assert.deepEqual(
    line.commands.map(({ body }) => body),
    [11, 10],
  );
});

test("handlers that return values are not under way, however many commands come at once", () => {
  const { line, connection } = connected({ maxUnderWay: 1 });
  connection.on("echo", ({ body }) => body);
  line.receive('{"action":"echo","body":1}'.repeat(5000));
  assert.ok(line.commands.every(({ action }) => action === "drs.response"));
  assert.equal(line.sent.length, 5000);
});

test("calls past the bound are refused", async () => {
  const { connection } = connected({ maxPending: 1 });
  const first = connection.call("x");
  await assert.rejects(connection.call("x"), { reason: "IN_FLIGHT_FULL", retryable: true });
  connection.close();
  await assert.rejects(first);
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

test("the fallback takes what no handler does; only its first answer counts", () => {
  const { line, connection } = connected({
    fallback: ({ action }, reply) => {
      if (action === "boom") throw new Error("secret");
      if (action !== "far") return false;
      reply.response(1);
      reply.fail(new Error("again"));
      return true;
    },
  });
  connection.on("near", () => 2);
  line.receive('{"action":"far"}{"action":"near"}{"action":"none"}{"action":"boom"}');
  assert.deepEqual(
    line.commands.map(({ action, body }) => body ?? action),
    [1, 2, { message: "No handlers for none" }, { message: "the handler failed; its log says why" }],
  );
  assert.equal(connection.underWay, 0);
});

test("handlers of the connection come instead of shared ones, shared hooks around its own", () => {
  const shared = new CommandHandlers();
  const ran: string[] = [];
  shared.before(() => void ran.push("shared before"));
  shared.after(() => void ran.push("shared after"));
  shared.on("x", () => "shared");
  shared.on("y", () => "shared");
  const { line, connection } = connected({ shared });
  connection.before(() => void ran.push("own before"));
  connection.after(() => void ran.push("own after"));
  connection.on("x", () => "own");
  line.receive('{"action":"x"}');
  assert.deepEqual(ran, ["shared before", "own before", "own after", "shared after"]);
  line.receive('{"action":"y"}');
  assert.deepEqual(
    line.commands.map(({ body }) => body),
    ["own", "shared"],
  );
});

test("outcomes of both directions are counted, unknown actions together", async () => {
  const counts = new CommandCounts();
  const { line, connection } = connected({ counts });
  connection.on("x", ({ body }) => {
    if (body === 1) throw new CommandError("nope");
    if (body === 2) throw new Error("crash");
  });
  for (let body = 0; body < 4; body++) line.receive(JSON.stringify({ action: "x", body }));
  line.receive('{"action":"what?"}{"action":"constructor"}');
  const called = connection.call("out");
  line.receive(JSON.stringify({ key: line.commands.at(-1)?.["key"], action: "drs.response" }));
  await called;
  assert.deepEqual(counts.snapshot(), {
    x: { success: 2, errors: 1, exceptions: 1 },
    "*": { success: 0, errors: 2, exceptions: 0 },
    out: { success: 1, errors: 0, exceptions: 0 },
  });
});

test("what is no command ends the connection", () => {
  const bad: [string | Uint8Array, number][] = [
    ["[1]", 1007],
    ["5 ", 1007],
    ["null", 1007],
    ['{"action":1}', 1007],
    ['{"action":"x","key":5}', 1007],
    ['{"action":"x","version":"1"}', 1007],
    ['{"action":nope}', 1007],
    [Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), 1007],
    [`{"action":"x","body":${"[".repeat(200)}`, 1007],
    [`{"action":"${"x".repeat(2000)}`, 1009],
  ];
  for (const [bytes, code] of bad) {
    const { line, connection } = connected({ maxCommand: 1000 });
    line.receive(bytes);
    assert.equal((line.end as { code: number }).code, code, String(bytes));
    assert.equal(connection.isClosed, true);
    assert.deepEqual(line.sent, []);
  }
});
