import assert from "node:assert/strict";
import { test } from "node:test";
import { CommandError, CommandException } from "../../src/commands/error.ts";
import { CommandHandlers } from "../../src/commands/handlers.ts";
import { LintelError } from "../../src/message/failure.ts";
import { FakeClock } from "../../src/testing/fake-clock.ts";
import { connected, connectedPair } from "./connected.ts";

test("both ends call each other, also from a handler", async () => {
  const [client, server] = connectedPair();
  client.on("client.ask", ({ body }) => `${String(body)}!`);
  server.on("back", ({ connection, body }) => connection.call("client.ask", body));
  assert.equal(await client.call("back", "hello"), "hello!");
  assert.equal(await client.call("back"), "undefined!");
});

test("errors of the other end are rejections; an error that a handler passes on stays what it is", async () => {
  const [client, server] = connectedPair({ onError: () => undefined });
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
  const [client, server] = connectedPair({ onError: () => undefined });
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

test("calls past the bound are refused", async () => {
  const { connection } = connected({ maxPending: 1 });
  const first = connection.call("x");
  await assert.rejects(connection.call("x"), { reason: "IN_FLIGHT_FULL", retryable: true });
  connection.close();
  await assert.rejects(first);
});
