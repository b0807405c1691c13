import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { messageOf, valueOf } from "../../src/codec/values.ts";
import { LintelError } from "../../src/message/failure.ts";
import { Format, Message } from "../../src/message/message.ts";

/** The message as it arrives: its bytes amid others, its head not yet read. */
function sent(message: Message): Message {
  const head = new TextEncoder().encode(message.headText());
  const payload = message.payload();
  const arrived = new Message();
  arrived.format = message.format;
  arrived.head = undefined;
  arrived.bytes = Buffer.concat([Buffer.from("..."), head, payload, Buffer.from("...")]);
  arrived.headStart = 3;
  arrived.payloadStart = 3 + head.length;
  arrived.end = arrived.payloadStart + payload.length;
  return arrived;
}

function typed(contentType: string, payload: string | Uint8Array): Message {
  const bytes = typeof payload === "string" ? new TextEncoder().encode(payload) : payload;
  return sent(Message.ofBytes(bytes, `content-type:${contentType}\n`, Format.typed));
}

/** Byte arrays compare by their bytes, whatever class they are of. */
function plain(value: unknown): unknown {
  return value instanceof Uint8Array ? { bytes: [...value] } : value;
}

function outcome(run: () => unknown): unknown {
  try {
    return { value: plain(run()) };
  } catch (error) {
    assert.ok(error instanceof LintelError);
    return { reason: error.reason };
  }
}

const values = fc.oneof(
  fc.jsonValue(),
  fc.string({ unit: "binary" }),
  fc.uint8Array(),
  fc.constantFrom<unknown>(
    undefined,
    "",
    "\ud800x",
    "\ufeffbom",
    '{"a":1}',
    "a=1&b=2",
    NaN,
    1n,
    new Uint8Array(0),
  ),
);
const heads = fc.constantFrom(
  "",
  "x-tag:1\n",
  "content-type:application/json\n",
  "content-type:application/problem+json; charset=utf-8\nx-tag:1\n",
  "content-type:text/html; charset=utf-8\n",
  "content-type:application/x-www-form-urlencoded\n",
  "content-type:application/octet-stream\n",
  "content-type:image/png\n",
);

test("a value is the same after a journey, a wait in a queue, or neither", () => {
  fc.assert(
    fc.property(values, heads, (value, head) => {
      const here = outcome(() => valueOf(messageOf(value, head)));
      assert.deepEqual(
        outcome(() => valueOf(sent(messageOf(value, head)))),
        here,
      );
      assert.deepEqual(
        outcome(() => valueOf(messageOf(value, head).retain())),
        here,
      );
      assert.deepEqual(
        outcome(() => valueOf(sent(messageOf(value, head)).retain())),
        here,
      );
    }),
    { numRuns: 2_000 },
  );
});

test("without a content type a value comes back as what it was", () => {
  fc.assert(
    fc.property(fc.oneof(fc.jsonValue(), fc.string(), fc.uint8Array()), (value) => {
      const expected = value instanceof Uint8Array ? plain(value) : JSON.parse(JSON.stringify(value));
      assert.deepEqual(plain(valueOf(messageOf(value, ""))), expected);
      assert.deepEqual(plain(valueOf(sent(messageOf(value, "")))), expected);
    }),
  );
  assert.equal(valueOf(sent(messageOf(undefined, ""))), undefined);
  assert.equal(valueOf(sent(messageOf(null, ""))), null);
  assert.equal(valueOf(sent(messageOf("", ""))), "");
});

test("a value waits as it was when it was sent", () => {
  const order = { items: [1] };
  const kept = messageOf(order, "").retain();
  order.items.push(2);
  assert.deepEqual(valueOf(kept), { items: [1] });
});

test("content types, their parameters and their case", () => {
  const rows: [contentType: string, payload: string, value: unknown][] = [
    ["application/json", "[1]", [1]],
    ["application/json;charset=utf-8", "[1]", [1]],
    ["Application/JSON ; charset=UTF-8", "[1]", [1]],
    ["application/vnd.api+json", "[1]", [1]],
    ["application/problem+JSON;a=b;c=d", "[1]", [1]],
    ["text/plain", "[1]", "[1]"],
    ["text/plain; charset=utf-8", "é", "é"],
    ["TEXT/CSV", "a,b", "a,b"],
    ["application/x-www-form-urlencoded; charset=utf-8", "a=1", { a: "1" }],
    ["", "x", { bytes: [120] }],
    ["application/xml", "x", { bytes: [120] }],
    ["application/jsonx", "1", { bytes: [49] }],
    ["json", "1", { bytes: [49] }],
    ["application/octet-stream", "1", { bytes: [49] }],
  ];
  for (const [contentType, payload, value] of rows) {
    assert.deepEqual(plain(valueOf(typed(contentType, payload))), value, contentType);
  }
});

test("an empty payload is no value, whatever its type", () => {
  for (const contentType of ["application/json", "text/plain", "image/png"]) {
    assert.equal(valueOf(typed(contentType, "")), undefined);
  }
});

test("what its type does not say is refused", () => {
  for (const payload of ["{", "nope", Uint8Array.from([0xff])]) {
    assert.throws(
      () => valueOf(typed("application/json", payload)),
      (error) =>
        error instanceof LintelError && error.code === "invalid_argument" && error.reason === "BAD_PAYLOAD",
    );
  }
});
