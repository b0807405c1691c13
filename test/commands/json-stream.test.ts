import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Command } from "../../src/commands/command.ts";
import { jsonCommands } from "../../src/commands/json-protocol.ts";
import { LintelError } from "../../src/message/failure.ts";
import { pushId } from "../../src/commands/push-id.ts";

const BOUND = 4096;

function read(...chunks: (Uint8Array | string)[]): Command[] {
  const decoder = jsonCommands.decoder({ maxCommand: BOUND });
  const commands: Command[] = [];
  for (const chunk of chunks) decoder.push(chunk, (command) => commands.push(command) > 0);
  return commands;
}

const plain = ({ key, action, body, version }: Command): Command => ({ key, action, body, version });

const STREAM = `  {"action":"a"}{"action":"b","key":"}{\\"","body":[{"x":"\\\\"},"ü€😀",{}],"version":3}\r\n\t{"body":{"action":"no"},"action":"c"} `;

test("a stream reads the same wherever it is split", () => {
  const bytes = Buffer.from(STREAM);
  const whole = read(bytes).map(plain);
  assert.deepEqual(
    whole.map(({ action }) => action),
    ["a", "b", "c"],
  );
  assert.equal(whole[1]!.key, '}{"');
  for (let at = 0; at <= bytes.length; at++)
    assert.deepEqual(read(bytes.subarray(0, at), bytes.subarray(at)).map(plain), whole, `split at ${at}`);
  assert.deepEqual(read(...[...bytes].map((byte) => Uint8Array.of(byte))).map(plain), whole);
  assert.deepEqual(read(STREAM).map(plain), whole);
});

test("commands round-trip, joined and split at random", () => {
  const command = fc.record(
    { key: fc.string(), action: fc.string({ unit: "grapheme" }), body: fc.jsonValue(), version: fc.nat() },
    { requiredKeys: ["action"] },
  );
  const property = fc.property(fc.array(command), fc.array(fc.nat()), (commands, cuts) => {
    const bytes = Buffer.from(commands.map((one) => String(jsonCommands.encode(one))).join(""));
    const places = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].toSorted((a, b) => a - b);
    const decoder = jsonCommands.decoder({ maxCommand: 1 << 20 });
    const got: Command[] = [];
    for (const [index, from] of [0, ...places].entries())
      decoder.push(bytes.subarray(from, places[index] ?? bytes.length), (one) => got.push(one) > 0);
    const expected = commands.map(
      (one) => JSON.parse(JSON.stringify({ ...one, body: one.body ?? undefined })) as Command,
    );
    assert.deepEqual(
      got.map((one) => JSON.parse(JSON.stringify(plain(one))) as Command),
      expected,
    );
  });
  fc.assert(property, { numRuns: 200 });
});

test("a null body is left out, 0 and other values are kept; fields that are absent stay absent", () => {
  const texts = [
    jsonCommands.encode({ action: "x", body: null }),
    jsonCommands.encode({ action: "x" }),
    jsonCommands.encode({ action: "x", body: 0, key: "k", version: 0 }),
    jsonCommands.encode({ action: "x", body: () => 1 }),
  ];
  assert.deepEqual(texts, [
    '{"action":"x"}\n',
    '{"action":"x"}\n',
    '{"key":"k","action":"x","body":0,"version":0}\n',
    '{"action":"x"}\n',
  ]);
  assert.deepEqual(read('{"key":null,"body":null,"version":null}').map(plain), [
    { key: undefined, action: "", body: undefined, version: undefined },
  ]);
});

test("the text of a body is what it came as", () => {
  const texts = ["1.0", "1e400", '{"b":1,"a":12345678901234567890,"b":2}', "[ 1 ,\t2 ]", '"\\u0041"'];
  for (const text of texts) {
    const [command] = read(`{"body": ${text} ,"action":"x"}`);
    assert.equal(command!.bodyText, text);
  }
  assert.equal(read('{"action":"x","body":[1,\n2]}')[0]!.bodyText, "[1, 2]", "in one line");
  assert.equal(read('{"action":"x"}')[0]!.bodyText, undefined);
});

test("keys that look like parts of an object do no harm", () => {
  const [command] = read(
    '{"action":"x","body":{"__proto__":{"isAdmin":true},"constructor":1},"__proto__":{"key":"no"}}',
  );
  assert.equal(command!.key, undefined);
  assert.equal(Object.getPrototypeOf(command!.body), Object.prototype);
  assert.equal((command!.body as { isAdmin?: unknown }).isAdmin, undefined);
  const again = String(jsonCommands.encode({ action: "x", body: command!.body }));
  assert.equal(again, '{"action":"x","body":{"__proto__":{"isAdmin":true},"constructor":1}}\n');
});

test("an object past the bound is refused before it is complete, at whatever pace it comes", () => {
  const large = `{"action":"${"x".repeat(BOUND)}"`;
  assert.throws(() => read(large), { reason: "TOO_LARGE" });
  assert.throws(() => read(...large), { reason: "TOO_LARGE" });
  const fits = `{"action":"x","body":"${"y".repeat(BOUND - 24)}"}`;
  assert.equal(Buffer.byteLength(fits), BOUND);
  assert.equal(read(fits, fits, ...fits).length, 3);
});

test("deep nesting is refused, also when it is split", () => {
  const nested = (depth: number): string => `{"action":"x","body":${"[".repeat(depth)}${"]".repeat(depth)}}`;
  assert.equal(read(nested(100)).length, 1);
  assert.throws(() => read(nested(101)), { reason: "BAD_PAYLOAD" });
  assert.throws(() => read(...nested(101)), { reason: "BAD_PAYLOAD" });
  assert.throws(() => read(`{"a":${"[".repeat(1000)}`), { reason: "BAD_PAYLOAD" }, "before it is complete");
});

test("brackets of the wrong kind are left to the parser", () => {
  for (const text of ['{"action":"x"]', "{]", '{"a":[}'])
    assert.throws(() => read(`${text}}`), { reason: "BAD_PAYLOAD" });
});

test("nothing after a command that ends the reading is read", () => {
  const decoder = jsonCommands.decoder({ maxCommand: BOUND });
  const actions: string[] = [];
  decoder.push('{"action":"a"}{"action":"b"}', ({ action }) => {
    actions.push(action);
    return false;
  });
  assert.deepEqual(actions, ["a"]);
});

test("white space without end costs nothing", () => {
  assert.deepEqual(read(" ".repeat(10 * BOUND), '{"action":"a"}').map(plain).length, 1);
});

test("keys are 20 characters that sort by time", () => {
  const times = [0, 1, 63, 64, 1_700_000_000_000, 1_700_000_000_001, 9_000_000_000_000];
  const keys = times.map((time) => pushId(time));
  assert.ok(keys.every((key) => /^[-0-9A-Z_a-z]{20}$/.test(key)));
  assert.deepEqual(keys.toSorted(), keys);
  assert.equal(new Set(Array.from({ length: 1000 }, () => pushId(1))).size, 1000);
});

test("any bytes are commands or refused in words, whatever becomes of a legal stream", () => {
  const change = fc.record({
    at: fc.nat(),
    byte: fc.integer({ min: 0, max: 255 }),
    kind: fc.constantFrom("set", "cut", "add"),
  });
  const property = fc.property(fc.array(change, { minLength: 1, maxLength: 8 }), fc.nat(), (changes, cut) => {
    let bytes = Buffer.from(STREAM);
    for (const { at, byte, kind } of changes) {
      const place = at % (bytes.length + 1);
      const rest = bytes.subarray(kind === "add" ? place : place + 1);
      bytes = Buffer.concat([
        bytes.subarray(0, place),
        kind === "cut" ? Buffer.alloc(0) : Buffer.of(byte),
        rest,
      ]);
    }
    const outcome = (...chunks: Buffer[]): unknown => {
      try {
        return read(...chunks).map(plain);
      } catch (error) {
        assert.ok(error instanceof LintelError && error.reason === "BAD_PAYLOAD", String(error));
        return error.reason;
      }
    };
    const at = cut % (bytes.length + 1);
    assert.deepEqual(outcome(bytes.subarray(0, at), bytes.subarray(at)), outcome(bytes));
  });
  fc.assert(property, { numRuns: 2000 });
});
