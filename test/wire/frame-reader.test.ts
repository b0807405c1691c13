import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { BufferLease } from "../../src/message/buffer-lease.ts";
import type { FrameHeader } from "../../src/wire/frame.ts";
import { FrameReader, type FrameSink } from "../../src/wire/frame-reader.ts";
import { frameBytes, type FrameParts } from "./frame-bytes.ts";
import { vectors } from "./vectors.ts";

const MAX_BODY = 100_000;

/** Copies every frame it gets. */
class Collector implements FrameSink {
  readonly seen: string[] = [];
  /** Views of the bodies as they were handed over. */
  readonly views: Uint8Array[] = [];

  /** True of each view that lies in memory nobody writes to again. */
  readonly owned: boolean[] = [];
  #memory: Uint8Array | undefined;
  #lent = true;

  begin(bytes: Uint8Array, loan: BufferLease | undefined): void {
    this.#memory = bytes;
    this.#lent = loan !== undefined;
  }

  isDivisible(): boolean {
    return false;
  }

  frame: FrameSink["frame"] = (header, bytes, start, end) => {
    assert.equal(bytes, this.#memory, "the frame lies where it was said to");
    this.owned.push(!this.#lent);
    const body = bytes.subarray(start, end);
    this.views.push(body);
    const { type, flags, aux, target, id } = header;
    this.seen.push(`${type} ${flags} ${aux} ${target} ${id} ${Buffer.from(body).toString("hex")}`);
  };
}

function described(parts: FrameParts): string {
  const { type, flags = 0, aux = 0, target = 0, id = 0, body = "" } = parts;
  return `${type} ${flags} ${aux} ${target} ${id} ${Buffer.from(body).toString("hex")}`;
}

function chunksOf(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const at = [0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].toSorted((a, b) => a - b);
  // Each chunk is an array of its own, so that nothing is read beside it.
  return at.slice(1).map((end, index) => Buffer.from(bytes.subarray(at[index], end)));
}

const parts: fc.Arbitrary<FrameParts> = fc.record({
  type: fc.nat(255),
  flags: fc.nat(255),
  aux: fc.nat(65_535),
  target: fc.nat(0xffffffff),
  id: fc.nat(0xffffffff),
  body: fc.uint8Array({ maxLength: 2_000, size: "max" }),
});

test("P-1: any chunking of any frames gives the same frames, and bodies stay as they were", () => {
  fc.assert(
    fc.property(fc.array(parts, { maxLength: 20 }), fc.array(fc.nat(), { maxLength: 40 }), (frames, cuts) => {
      const collector = new Collector();
      const reader = new FrameReader(MAX_BODY);
      const bytes = Buffer.concat(frames.map(frameBytes));
      for (const chunk of chunksOf(bytes, cuts)) {
        assert.equal(reader.push(chunk, collector), undefined);
        chunk.fill(0xee); // it was lent
      }
      const expected = frames.map(described);
      assert.deepEqual(collector.seen, expected);
      const owned = <T>(all: readonly T[]): T[] => all.filter((_, index) => collector.owned[index]);
      assert.deepEqual(
        owned(collector.views).map((view) => Buffer.from(view).toString("hex")),
        owned(frames).map(({ body }) => Buffer.from(body ?? "").toString("hex")),
        "views of what was not lent are not written to again",
      );
      assert.equal(reader.pending, 0);
    }),
    { numRuns: 300, seed: 20_261_121 },
  );
});

/** Gets frames with an even type in parts, as it gets those of byte streams, and joins them. */
class Joiner implements FrameSink {
  readonly joined: string[] = [];
  #body = "";
  #length = 0;

  begin(): void {
    // what is handed on is read at once
  }

  isDivisible({ type }: FrameHeader, length: number): boolean {
    if (type % 2 === 0) this.#length = length;
    return type % 2 === 0;
  }

  readonly frame: FrameSink["frame"] = ({ type }, bytes, start, end) => {
    const body = Buffer.from(bytes.subarray(start, end)).toString("hex");
    if (this.#length === 0) return void this.joined.push(`${type} ${body}`);
    this.#body += body;
    this.#length -= end - start;
    if (this.#length > 0) return;
    this.joined.push(`${type} ${this.#body}`);
    this.#body = "";
  };
}

test("P-119: what is divisible is handed on as it comes, nothing of it is kept, and the rest stays whole", () => {
  fc.assert(
    fc.property(fc.array(parts, { maxLength: 20 }), fc.array(fc.nat(), { maxLength: 40 }), (frames, cuts) => {
      const joiner = new Joiner();
      const reader = new FrameReader(MAX_BODY);
      let before = 0;
      for (const chunk of chunksOf(Buffer.concat(frames.map(frameBytes)), cuts)) {
        assert.equal(reader.push(chunk, joiner), undefined);
        before += chunk.length;
        assert.ok(reader.pending <= before);
      }
      assert.equal(reader.pending, 0);
      assert.deepEqual(
        joiner.joined,
        frames.map(({ type, body }) => `${type} ${Buffer.from(body ?? "").toString("hex")}`),
      );
    }),
    { numRuns: 300, seed: 20_261_121 },
  );
});

test("P-119: of a divisible frame at most its header is kept", () => {
  const reader = new FrameReader(MAX_BODY);
  const joiner = new Joiner();
  for (const byte of frameBytes({ type: 2, body: "abc".repeat(100) })) {
    reader.push(Uint8Array.of(byte), joiner);
    assert.ok(reader.pending < 16);
  }
  assert.equal(joiner.joined.length, 1);
});

test("P-119: a sink that stops the reader in the middle of a divisible frame hears nothing more", () => {
  const reader = new FrameReader(MAX_BODY);
  let heard = 0;
  const sink: FrameSink = {
    begin: () => undefined,
    isDivisible: () => true,
    frame: () => {
      heard++;
      reader.stop();
    },
  };
  const bytes = Buffer.concat([frameBytes({ type: 2, body: "abc" }), frameBytes({ type: 2, body: "def" })]);
  reader.push(bytes.subarray(0, 17), sink);
  reader.push(bytes.subarray(17), sink);
  assert.equal(heard, 1);
});

/** Pauses its reader behind each frame. */
class Pausing extends Collector {
  reader: FrameReader | undefined;

  constructor() {
    super();
    const { frame } = this;
    this.frame = (...args) => {
      frame(...args);
      this.reader?.pause();
    };
  }
}

test("P-66: a reader that is paused behind each frame hands on the same frames, one at a time", () => {
  fc.assert(
    fc.property(fc.array(parts, { maxLength: 20 }), fc.array(fc.nat(), { maxLength: 40 }), (frames, cuts) => {
      const collector = new Pausing();
      const reader = new FrameReader(MAX_BODY);
      collector.reader = reader;
      for (const chunk of chunksOf(Buffer.concat(frames.map(frameBytes)), cuts)) {
        const before = collector.seen.length;
        assert.equal(reader.push(chunk, collector), undefined);
        chunk.fill(0xee);
        assert.ok(collector.seen.length <= before + 1);
      }
      for (let turn = 0; turn <= frames.length; turn++) assert.equal(reader.resume(collector), undefined);
      assert.deepEqual(collector.seen, frames.map(described));
      assert.equal(reader.pending, 0);
    }),
    { numRuns: 200, seed: 20_261_130 },
  );
});

test("P-66: a reader that is stopped while it is paused forgets what it has kept", () => {
  const collector = new Pausing();
  const reader = new FrameReader(MAX_BODY);
  collector.reader = reader;
  reader.push(Buffer.concat([frameBytes({ type: 20 }), frameBytes({ type: 21 })]), collector);
  reader.stop();
  reader.resume(collector);
  reader.push(frameBytes({ type: 22 }), collector);
  assert.equal(collector.seen.length, 1);
});

test("P-1: byte by byte, with frames of every interesting size", () => {
  const sizes = [0, 1, 15, 16, 17, 511, 512, 513, 4_095, 4_096, 4_097, 70_000];
  const frames = sizes.map((size, index) => ({ type: 20, target: index, body: Buffer.alloc(size, index) }));
  const collector = new Collector();
  const reader = new FrameReader(MAX_BODY);
  for (const byte of Buffer.concat(frames.map(frameBytes))) reader.push(Uint8Array.of(byte), collector);
  assert.deepEqual(collector.seen, frames.map(described));
});

test("good vectors: read whole, split at every byte, with the decoded header", () => {
  for (const { name, hex } of vectors.frames) {
    const bytes = Buffer.from(hex, "hex");
    const whole = new Collector();
    new FrameReader(MAX_BODY).push(bytes, whole);
    assert.equal(whole.seen.length, 1, name);
    for (let cut = 1; cut < bytes.length; cut++) {
      const split = new Collector();
      const reader = new FrameReader(MAX_BODY);
      reader.push(bytes.subarray(0, cut), split);
      assert.equal(reader.pending, cut, `${name} at ${cut}`);
      assert.deepEqual(split.seen, [], `${name} at ${cut}`);
      reader.push(bytes.subarray(cut), split);
      assert.deepEqual(split.seen, whole.seen, `${name} at ${cut}`);
    }
  }
});

test("truncated vectors: held, and nothing is made of them", () => {
  for (const { name, hex, pending } of vectors.truncated) {
    const collector = new Collector();
    const reader = new FrameReader(MAX_BODY);
    assert.equal(reader.push(Buffer.from(hex, "hex"), collector), undefined, name);
    assert.deepEqual(collector.seen, [], name);
    assert.equal(reader.pending, pending, name);
  }
});

test("P-3: a length over the limit ends the stream as soon as its header is there", () => {
  for (const length of [MAX_BODY + 1, 0x7fffffff, 0x80000000, 0xffffffff]) {
    for (const cut of [0, 1, 4, 15]) {
      const collector = new Collector();
      const reader = new FrameReader(MAX_BODY);
      const bytes = frameBytes({ type: 20, length });
      const [first, second] = [bytes.subarray(0, cut), bytes.subarray(cut)];
      if (cut > 0) assert.equal(reader.push(first, collector), undefined);
      const why = reader.push(second, collector);
      assert.equal(why?.reason, "BAD_FRAME", `length ${length} cut at ${cut}`);
      assert.match(why.message, new RegExp(String(length)));
      assert.equal(reader.push(frameBytes({ type: 5 }), collector), undefined);
      assert.deepEqual(collector.seen, [], "nothing is read after it");
    }
  }
});

test("P-3: lengths that lie never allocate ahead of what has arrived", () => {
  const limit = 0x7fffffff;
  const readers: FrameReader[] = [];
  const before = process.memoryUsage().arrayBuffers;
  for (let index = 0; index < 1_000; index++) {
    const reader = new FrameReader(limit);
    reader.push(frameBytes({ type: 20, length: limit, body: "trickle" }), new Collector());
    readers.push(reader);
  }
  const held = process.memoryUsage().arrayBuffers - before;
  assert.ok(held < 1_000 * 8_192, `1,000 frames of 2 GiB that hold 23 bytes each take ${held} bytes`);
  assert.ok(readers.every((reader) => reader.pending === 23));
});

test("P-3: memory for a cut frame is at most twice what has arrived", () => {
  const reader = new FrameReader(64_000_000);
  const before = process.memoryUsage().arrayBuffers;
  reader.push(frameBytes({ type: 20, length: 60_000_000 }), new Collector());
  const chunk = Buffer.alloc(65_536);
  for (let sent = 0; sent < 8_000_000; sent += chunk.length) reader.push(chunk, new Collector());
  const held = process.memoryUsage().arrayBuffers - before;
  assert.ok(held < 4 * 8_000_000, `8 MB of a frame take ${held} bytes, garbage of growing included`);
});

test("a sink may stop the reader: nothing more is read, not even of the same chunk", () => {
  for (const cut of [0, 5, 16, 18]) {
    const reader = new FrameReader(MAX_BODY);
    let frames = 0;
    const sink: FrameSink = {
      begin: () => undefined,
      isDivisible: () => false,
      frame: () => {
        frames++;
        reader.stop();
      },
    };
    const bytes = Buffer.concat([frameBytes({ type: 5, body: "abc" }), frameBytes({ type: 5 })]);
    reader.push(bytes.subarray(0, cut), sink);
    reader.push(bytes.subarray(cut), sink);
    reader.push(bytes, sink);
    assert.equal(frames, 1);
    assert.equal(reader.pending, 0);
  }
});

test("P-2: the limit may be raised by the frame before", () => {
  const reader = new FrameReader(10);
  const sizes: number[] = [];
  const sink: FrameSink = {
    begin: () => undefined,
    isDivisible: () => false,
    frame: (_header, _bytes, start, end) => {
      sizes.push(end - start);
      reader.allow(1_000);
    },
  };
  const bytes = Buffer.concat([
    frameBytes({ type: 1, body: "0123456789" }),
    frameBytes({ type: 20, body: "x".repeat(1_000) }),
  ]);
  assert.equal(reader.push(bytes, sink), undefined);
  assert.deepEqual(sizes, [10, 1_000]);
});

test("garbage: every byte sequence gives frames or a failure, never an exception", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 10 }), (chunks) => {
      const reader = new FrameReader(1_000);
      const collector = new Collector();
      let failed = false;
      for (const chunk of chunks) {
        const why = reader.push(chunk, collector);
        if (why !== undefined) failed = true;
        if (failed) assert.equal(reader.pending, 0);
      }
      const total = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
      assert.ok(reader.pending <= total);
    }),
    { numRuns: 2_000, seed: 20_261_121 },
  );
});
