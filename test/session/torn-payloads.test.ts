/** Slabs are not cleared: what has reserved room in one must have written all of it, or nothing of it is sent. */
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { LintelError } from "../../src/message/failure.ts";
import { Format, Message, type Encoder } from "../../src/message/message.ts";
import { writeBytes, writeFailure, writeMessage } from "../../src/session/frame-writer.ts";
import { FrameType } from "../../src/wire/frame.ts";
import { root } from "../house/root.ts";

const LIMITS = { payload: 1_000_000, headers: 65_535 };

/** Memory with somebody's secret in it, as a slab has. */
class DirtySlab {
  readonly #memory = Buffer.alloc(400_000, "SECRET");
  readonly takesBody = true;
  offset = 0;

  reserve(size: number): Uint8Array {
    assert.ok(this.offset + size <= this.#memory.length, `a reservation of ${size}`);
    return this.#memory;
  }

  advance(offset: number): void {
    this.offset = offset;
  }

  sendBody(body: Uint8Array): void {
    this.offset = this.#memory.write(Buffer.from(body).toString("latin1"), this.offset, "latin1");
  }

  get sent(): string {
    return this.#memory.toString("latin1", 0, this.offset);
  }
}

/** Gives the memory of an array away. */
function detach(bytes: Uint8Array): void {
  structuredClone(bytes.buffer, { transfer: [bytes.buffer as ArrayBuffer] });
}

class Liar extends Uint8Array {
  override get length(): number {
    return 500;
  }
}

const LYING = "it says that it is longer";
const WRONG: Readonly<Record<string, () => unknown>> = {
  "a text": () => "some text that is longer than what is copied byte by byte",
  "a short text": () => "text",
  "an ArrayBuffer": () => new ArrayBuffer(64),
  "a DataView": () => new DataView(new ArrayBuffer(64)),
  "a number": () => 17,
  "an object with a length": () => ({
    length: 64,
    byteLength: 64,
    byteOffset: 0,
    buffer: new ArrayBuffer(64),
  }),
  [LYING]: () => new Liar(8),
};

describe("a message whose payload is not all there is a typed error, and nothing of it is sent", () => {
  const refused = (error: unknown): boolean =>
    error instanceof LintelError || error instanceof TypeError || error instanceof RangeError;

  for (const [name, make] of Object.entries(WRONG)) {
    test(name, () => {
      const slab = new DirtySlab();
      const message = Message.ofBytes(make() as Uint8Array);
      if (message.end === undefined) message.end = 64;
      const write = (): void => writeMessage(slab, FrameType.reply, 1, 1, message, -1, LIMITS);
      assert.throws(write, refused);
      assert.throws(() => writeBytes(slab, 1, message, LIMITS.payload), refused);
      assert.equal(slab.offset, 0);
    });
  }

  for (const length of [8, 5_000, 300_000]) {
    test(`${length} bytes that were given away after they were counted`, () => {
      const slab = new DirtySlab();
      const bytes = new Uint8Array(length);
      const message = Message.ofBytes(bytes);
      detach(bytes);
      const typed = { name: "LintelError", reason: "BAD_PAYLOAD" };
      assert.throws(() => writeMessage(slab, FrameType.reply, 1, 1, message, -1, LIMITS), typed);
      assert.throws(() => writeBytes(slab, 1, message, LIMITS.payload), typed);
      assert.throws(() => message.payload());
      assert.throws(() => message.retain());
      assert.equal(slab.offset, 0);
    });
  }
});

describe("what a codec makes is text or bytes, else the message is refused", () => {
  const made: Readonly<Record<string, unknown>> = {
    ...Object.fromEntries(
      Object.entries(WRONG)
        .filter(([name]) => !name.includes("text"))
        .map(([name, make]) => [name, make()]),
    ),
    undefined: undefined,
    null: null,
    "a promise": Promise.resolve("later"),
    "an array": [1, 2, 3],
  };
  for (const [name, encoded] of Object.entries(made)) {
    test(name, () => {
      const encoder: Encoder = { encode: () => encoded as string };
      const message = Message.ofValue(0, encoder, Format.typed);
      const slab = new DirtySlab();
      const write = (): void => writeMessage(slab, FrameType.reply, 1, 1, message, -1, LIMITS);
      for (const use of [write, () => message.payload(), () => message.retain()]) {
        assert.throws(use, { name: "LintelError", reason: "BAD_PAYLOAD" });
      }
      assert.equal(slab.offset, 0);
    });
  }

  test("details of an error that are not all there are left out", () => {
    const slab = new DirtySlab();
    const details = new Uint8Array(64);
    detach(details);
    const liar = new Liar(8);
    for (const one of [details, liar, "text" as unknown as Uint8Array]) {
      const why = { code: "internal", reason: "X", message: "m", retryable: false, details: one } as const;
      writeFailure(slab, FrameType.error, 1, 1, why, LIMITS.payload);
    }
    assert.doesNotMatch(slab.sent, /SECRET/);
  });
});

test("memory that is not cleared is used in few places, each of which writes all that it sends", () => {
  const known = [
    "gateway/grpc/call.ts", // 5 + the message's length, both written
    "gateway/http/body-buffer.ts", // a view of what was copied
    "gateway/http/stream/event-form.ts", // a view of what was written
    "gateway/http/stream/line-form.ts", // the payload and a line end
    "gateway/native/fan-out.ts", // frames of `writeMessage`
    "message/bytes.ts", // a copy of a view, which is checked
    "session/outbox.ts", // frames of `frame-writer.ts`, and runs of the fan-out
    "transport/socket-reads.ts", // a view of what was read
    "transport/ws/client-batch.ts", // a view of what was written: heads, keys and texts of the length that was measured
    "transport/ws/frame-batch.ts", // a view of what was written, likewise
    "transport/ws/framer.ts", // a view of what was written
    "transport/ws/text-frame.ts", // a head, and a text or the checked bytes of a payload, each of the length that was measured
  ];
  const files = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts"))
    .filter((path) => /allocUnsafe/.test(readFileSync(join(root, "src", path), "utf8")));
  assert.deepEqual(files.toSorted(), known);
});
