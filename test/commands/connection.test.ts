import assert from "node:assert/strict";
import { test } from "node:test";
import { CommandCounts } from "../../src/commands/counts.ts";
import { CommandError, CommandException } from "../../src/commands/error.ts";
import { CommandHandlers } from "../../src/commands/handlers.ts";
import { LintelError } from "../../src/message/failure.ts";
import { connected, settled } from "./connected.ts";

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

test("one signal ends any number of calls, and Node does not warn of them", async () => {
  const warnings: unknown[] = [];
  const note = (warning: unknown): void => void warnings.push(warning);
  process.on("warning", note);
  const { connection } = connected();
  const controller = new AbortController();
  const { signal } = controller;
  const calls = Array.from({ length: 50 }, () => connection.call("never", 0, { signal }));
  const outcomes = Promise.allSettled(calls);
  await settled();
  controller.abort(new Error("enough"));
  assert.ok((await outcomes).every(({ status }) => status === "rejected"));
  assert.equal(connection.pending, 0);
  process.off("warning", note);
  assert.deepEqual(warnings, []);
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
