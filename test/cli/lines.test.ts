import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { formatRequest, parseAnswer } from "../../src/cli/line-worker.ts";
import { LineSplitter } from "../../src/supervisor/lines.ts";
import { paint, printable } from "../../src/cli/paint.ts";
import { jsonLine, textLine } from "../../src/cli/request-log.ts";

/** The lines of a text that arrives in pieces of this size. */
function split(text: string, size: number): string[] {
  const bytes = Buffer.from(text);
  const splitter = new LineSplitter(1_000);
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += size) {
    for (const line of splitter.push(bytes.subarray(at, at + size))) lines.push(Buffer.from(line).toString());
  }
  const rest = splitter.rest();
  if (rest !== undefined) lines.push(Buffer.from(rest).toString());
  return lines;
}

test("lines are the same wherever the stream is cut", () => {
  const text = "one\ntwo\r\n\nfünf\n\r\nlast";
  for (let size = 1; size <= text.length + 2; size++) {
    assert.deepEqual(split(text, size), ["one", "two", "", "fünf", "", "last"], `in pieces of ${size}`);
  }
  const line = fc.stringMatching(/^[^\r\n]{0,20}$/);
  fc.assert(
    fc.property(
      fc.array(line, { minLength: 1, maxLength: 20 }),
      fc.integer({ min: 1, max: 30 }),
      (lines, size) => {
        assert.deepEqual(split(`${lines.join("\n")}\n`, size), lines);
      },
    ),
  );
});

test("a line over the limit is an error before it is held whole", () => {
  const splitter = new LineSplitter(4);
  assert.deepEqual([...splitter.push(Buffer.from("1234\n"))].length, 1);
  assert.throws(() => [...splitter.push(Buffer.from("12345"))], RangeError);
});

test("values as lines", () => {
  assert.equal(formatRequest(undefined), "null");
  assert.equal(formatRequest("a\nb"), '"a\\nb"');
  assert.equal(formatRequest({ a: [1] }), '{"a":[1]}');
  assert.equal(formatRequest(Buffer.from("ü")), '"ü"');
  assert.throws(() => formatRequest(new Uint8Array([0xff])), { reason: "BAD_PAYLOAD" });
});

test("only an object with nothing but an error is an error", () => {
  for (const value of [
    null,
    1,
    "x",
    [],
    {},
    { error: "text" },
    { error: null },
    { error: { code: "x" }, more: 1 },
  ]) {
    assert.deepEqual(parseAnswer(JSON.stringify(value)), { kind: "value", value });
  }
  const spoken = parseAnswer('{"error":{"code":"unavailable","message":"later","retryable":true}}');
  assert.ok(spoken.kind === "error");
  const { code, reason, message, retryable } = spoken.error;
  assert.deepEqual([code, reason, message, retryable], ["unavailable", "UNAVAILABLE", "later", true]);
  const strange = parseAnswer('{"error":{"code":42,"reason":"lower case","message":7}}');
  assert.ok(strange.kind === "error");
  assert.deepEqual(
    [strange.error.code, strange.error.reason, strange.error.message],
    ["unknown", "UNKNOWN", "42"],
  );
  assert.equal(parseAnswer("{").kind, "garbage");
});

test("colors only for terminals that take them, and never with NO_COLOR", () => {
  const terminal = { isTTY: true, hasColors: () => true };
  const before = process.env["NO_COLOR"];
  delete process.env["NO_COLOR"];
  assert.equal(paint(terminal, "red", "x"), "\u001b[31mx\u001b[39m");
  assert.equal(paint({}, "red", "x"), "x");
  assert.equal(paint({ isTTY: true, hasColors: () => false }, "red", "x"), "x");
  process.env["NO_COLOR"] = "1";
  assert.equal(paint(terminal, "red", "x"), "x");
  if (before === undefined) delete process.env["NO_COLOR"];
  else process.env["NO_COLOR"] = before;
});

test("what comes from a caller cannot forge log lines or reach the terminal", () => {
  const at = new Date(Date.UTC(2026, 0, 2, 3, 4, 5, 6));
  const record = {
    method: "GET",
    path: "/a\n\u001b[2J",
    subject: undefined,
    status: 400,
    reason: "BAD_REQUEST",
    ms: 0.25,
  };
  assert.equal(printable("a\u009bb"), "a\\x9bb");
  assert.equal(textLine(record, at), "03:04:05.006 GET /a\\x0a\\x1b[2J 400 0.3 ms BAD_REQUEST\n");
  const line = jsonLine({ ...record, subject: "a", reason: undefined }, at);
  assert.equal(line.indexOf("\n"), line.length - 1);
  assert.deepEqual(JSON.parse(line), {
    time: "2026-01-02T03:04:05.006Z",
    event: "request",
    method: "GET",
    path: record.path,
    subject: "a",
    status: 400,
    ms: 0.25,
  });
});
