/** Frames and messages of beam as bytes: the vectors, whole and split at every byte, and properties. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import fc from "fast-check";
import { FrameReader, type FrameSink } from "../../../src/gateway/beam/frame-reader.ts";
import { decodeMessage, encodeFrame, type BeamMessage } from "../../../src/gateway/beam/message.ts";
import type { Failure } from "../../../src/message/failure.ts";
import { root } from "../../house/root.ts";

interface Vectors {
  readonly maxLength: number;
  readonly messages: readonly { name: string; hex: string; message: string[] }[];
  readonly frames: readonly { name: string; hex: string; attached: boolean; message: string[] }[];
  readonly malformed: readonly { name: string; hex: string; clause: string }[];
  readonly truncated: readonly { name: string; hex: string; pending: number }[];
}

const vectors = JSON.parse(readFileSync(join(root, "spec/vectors/beam/messages.json"), "utf8")) as Vectors;
const SEED = 20_261_121;

/** What was read: each message as a list, and the number of its descriptor. */
class Collector implements FrameSink {
  readonly seen: { message: string[]; descriptor: number | undefined }[] = [];

  frame(bytes: Uint8Array, start: number, end: number, descriptor: number | undefined): void {
    this.seen.push({ message: listOf(decodeMessage(bytes, start, end)), descriptor });
  }
}

function listOf({ name, args }: BeamMessage): string[] {
  return [name, ...args];
}

function frameOf([name = "", ...args]: readonly string[], attached = false): Uint8Array {
  return encodeFrame(name, args, attached);
}

/** Reads pieces that were lent: each is overwritten when the call has returned. */
function readPieces(
  reader: FrameReader,
  pieces: readonly Uint8Array[],
  sink: FrameSink,
  descriptors: readonly number[] = [],
): Failure | undefined {
  let refused: Failure | undefined;
  pieces.forEach((piece, index) => {
    const lent = Uint8Array.from(piece);
    refused ??= reader.push(lent, index === 0 ? descriptors : [], sink);
    lent.fill(0xee);
  });
  return refused;
}

function cut(bytes: Uint8Array, at: number): Uint8Array[] {
  return [bytes.subarray(0, at), bytes.subarray(at)];
}

describe("vectors", () => {
  test("B-10: messages are read, and written byte for byte", () => {
    assert.ok(vectors.messages.length > 0);
    for (const { name, hex, message } of vectors.messages) {
      const bytes = Buffer.from(hex, "hex");
      assert.deepEqual(listOf(decodeMessage(bytes, 0, bytes.length)), message, name);
      const frame = Buffer.from(frameOf(message));
      assert.equal(frame.subarray(4).toString("hex"), hex, name);
      assert.equal(frame.readUInt32BE(0), bytes.length, name);
    }
  });

  test("B-1, B-2: frames are read whole and split at every byte, and written byte for byte", () => {
    for (const { name, hex, attached, message } of vectors.frames) {
      const bytes = Buffer.from(hex, "hex");
      assert.equal(Buffer.from(frameOf(message, attached)).toString("hex"), hex, name);
      const descriptor = attached ? 17 : undefined;
      for (let at = 0; at <= bytes.length; at++) {
        const sink = new Collector();
        const reader = new FrameReader(vectors.maxLength);
        const refused = readPieces(reader, cut(bytes, at), sink, attached ? [17] : []);
        assert.equal(refused, undefined, `${name} at ${at}`);
        assert.deepEqual(sink.seen, [{ message, descriptor }], `${name} at ${at}`);
        assert.equal(reader.pending, 0);
        assert.deepEqual(reader.release(), []);
      }
    }
  });

  test("malformed ones are refused, whole and in two pieces, with a reason", () => {
    for (const { name, hex, clause } of vectors.malformed) {
      const bytes = Buffer.from(hex, "hex");
      for (let at = 0; at <= bytes.length; at++) {
        const sink = new Collector();
        const reader = new FrameReader(vectors.maxLength);
        let reason: unknown;
        try {
          reason = readPieces(reader, cut(bytes, at), sink)?.reason;
        } catch (error) {
          reason = (error as { reason?: unknown }).reason;
        }
        assert.match(String(reason), /^BAD_(FRAME|PAYLOAD)$/, `${clause}: ${name} at ${at}`);
        assert.deepEqual(sink.seen, [], `${clause}: ${name} at ${at}`);
      }
    }
  });

  test("truncated ones are held, and nothing is made of them", () => {
    for (const { name, hex, pending } of vectors.truncated) {
      const sink = new Collector();
      const reader = new FrameReader(vectors.maxLength);
      assert.equal(reader.push(Buffer.from(hex, "hex"), [], sink), undefined, name);
      assert.equal(reader.pending, pending, name);
      assert.deepEqual(sink.seen, [], name);
    }
  });
});

describe("frames", () => {
  const messages = fc.array(
    fc.record({
      list: fc.array(fc.string({ unit: "binary", maxLength: 300, size: "max" }), {
        minLength: 1,
        maxLength: 8,
      }),
      attached: fc.boolean(),
    }),
    { maxLength: 12 },
  );

  test("B-1: any messages in any pieces are the same messages, each with its own descriptor", () => {
    fc.assert(
      fc.property(messages, fc.array(fc.nat(), { maxLength: 30 }), (all, cuts) => {
        const bytes = Buffer.concat(all.map(({ list, attached }) => frameOf(list, attached)));
        const borders = [0, ...cuts.map((at) => at % (bytes.length + 1)), bytes.length].toSorted(
          (a, b) => a - b,
        );
        const pieces = borders.slice(1).map((end, index) => bytes.subarray(borders[index], end));
        let next = 100;
        const descriptors = all.filter(({ attached }) => attached).map(() => next++);
        const sink = new Collector();
        const reader = new FrameReader(1_000_000);
        assert.equal(readPieces(reader, pieces, sink, descriptors), undefined);
        let given = 100;
        assert.deepEqual(
          sink.seen,
          all.map(({ list, attached }) => ({
            message: list.map((text) => text.toWellFormed()),
            descriptor: attached ? given++ : undefined,
          })),
        );
        assert.deepEqual([reader.pending, reader.release()], [0, []]);
      }),
      { numRuns: 200, seed: SEED },
    );
  });

  test("B-3: a length that lies takes no memory, and is refused with its fourth byte", () => {
    for (const length of [0x0010_0001, 0x1000_0000, 0x7fff_ffff, 0xffff_ffff]) {
      const header = Buffer.alloc(4);
      header.writeUInt32BE(length);
      const reader = new FrameReader(vectors.maxLength);
      const sink = new Collector();
      assert.equal(reader.push(header.subarray(0, 3), [9], sink), undefined);
      const before = process.memoryUsage().arrayBuffers;
      assert.equal(reader.push(header.subarray(3), [], sink)?.reason, "BAD_FRAME");
      assert.ok(process.memoryUsage().arrayBuffers - before < 65_536);
      assert.deepEqual(reader.release(), [9], "what came with it is handed back, to be closed");
    }
  });

  test("B-3: memory follows what has arrived, not what was announced", () => {
    const reader = new FrameReader(1 << 30);
    const sink = new Collector();
    const before = process.memoryUsage().arrayBuffers;
    assert.equal(reader.push(Buffer.from("3fffffff", "hex"), [], sink), undefined);
    for (let count = 0; count < 100; count++) reader.push(Buffer.alloc(100), [], sink);
    assert.ok(process.memoryUsage().arrayBuffers - before < 100_000);
    assert.equal(reader.pending, 10_004);
  });

  test("B-4, B-5: flags take the oldest descriptor; too many that nobody takes are refused", () => {
    const sink = new Collector();
    const reader = new FrameReader(1_000);
    assert.equal(reader.push(frameOf(["plain"]), [1, 2], sink), undefined);
    assert.equal(reader.push(frameOf(["one"], true), [3], sink), undefined);
    assert.deepEqual(
      sink.seen.map(({ descriptor }) => descriptor),
      [undefined, 1],
    );
    const more = Array.from({ length: 15 }, (_, index) => 10 + index);
    assert.equal(reader.push(Uint8Array.of(0), more, sink)?.reason, "BAD_FRAME");
    assert.deepEqual(reader.release(), [2, 3, ...more]);
  });

  test("a descriptor whose frame never comes whole is handed back", () => {
    const reader = new FrameReader(1_000);
    reader.push(frameOf(["one"], true).subarray(0, 7), [5, 6], new Collector());
    assert.deepEqual(reader.release(), [5, 6]);
  });

  test("random bytes are refused or held, never more than that", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        const reader = new FrameReader(65_536);
        try {
          const refused = reader.push(bytes, [], new Collector());
          assert.ok(refused === undefined || refused.reason === "BAD_FRAME");
        } catch (error) {
          assert.equal((error as { reason?: unknown }).reason, "BAD_PAYLOAD");
        }
      }),
      { numRuns: 2_000, seed: SEED },
    );
  });
});
