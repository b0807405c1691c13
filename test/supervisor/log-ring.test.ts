import assert from "node:assert/strict";
import { test } from "node:test";
import { LineSplitter } from "../../src/supervisor/lines.ts";
import { LogRing, type LogLine } from "../../src/supervisor/log-ring.ts";

const line = (text: string): LogLine => ({ at: 0, instance: "a.1", stream: "stdout", text });

test("the ring keeps the newest lines, and each keeps its number", () => {
  const ring = new LogRing();
  const long = "x".repeat(10_000);
  for (let number = 0; number < 1_000; number++) ring.append(line(`${number} ${long}`));
  assert.equal(ring.next, 1_000);
  const oldest = ring.read(0);
  assert.ok(oldest !== undefined && oldest.number > 800);
  assert.ok(oldest.line.text.startsWith(`${oldest.number} `));
  assert.ok(ring.read(999)?.line.text.startsWith("999 "));
  assert.equal(ring.read(1_000), undefined);
  assert.deepEqual(
    ring.last(2).map(({ text }) => text.slice(0, 3)),
    ["998", "999"],
  );
  assert.equal(ring.last(Number.POSITIVE_INFINITY).length, 1_000 - oldest.number);
  assert.deepEqual(ring.last(0), []);
});

test("empty lines are bounded too, through many rounds", () => {
  const ring = new LogRing();
  for (let number = 0; number < 100_000; number++) ring.append(line(""));
  const oldest = ring.read(0)?.number ?? 0;
  assert.ok(oldest > 80_000 && oldest < 100_000, `${oldest}`);
  assert.equal(ring.read(99_999)?.number, 99_999);
});

test("whoever waits for a line is woken by it, or by the signal", async () => {
  const ring = new LogRing();
  const leaving = new AbortController();
  const waiting = ring.until(1, leaving.signal);
  ring.append(line("0"));
  ring.append(line("1"));
  await waiting;
  const forever = ring.until(2, leaving.signal);
  leaving.abort();
  await forever;
  await ring.until(5, leaving.signal);
});

test("lines over the limit are cut, not refused, where that is asked for", () => {
  const splitter = new LineSplitter(4, "cut");
  const texts = [..."abcdefghij\nkl\nmnop\nq"].flatMap((one) => [...splitter.push(Buffer.from(one))]);
  assert.deepEqual(
    texts.map((bytes) => Buffer.from(bytes).toString()),
    ["abcd", "efgh", "ij", "kl", "mnop"],
  );
  assert.equal(Buffer.from(splitter.rest() ?? []).toString(), "q");
  const at = [...new LineSplitter(3, "cut").push(Buffer.from("abcdefgh\n"))];
  assert.deepEqual(
    at.map((bytes) => Buffer.from(bytes).toString()),
    ["abc", "def", "gh"],
  );
});

test("a line that is cut is cut between characters, in whatever pieces it comes", () => {
  const text = "aé€😀".repeat(20);
  for (let limit = 4; limit <= 12; limit++) {
    for (let size = 1; size <= 13; size++) {
      const splitter = new LineSplitter(limit, "cut");
      const bytes = Buffer.from(text);
      const pieces: Uint8Array[] = [];
      for (let at = 0; at < bytes.length; at += size)
        pieces.push(...splitter.push(bytes.subarray(at, at + size)));
      pieces.push(splitter.rest() ?? Buffer.alloc(0));
      const place = `limit ${limit}, pieces of ${size}`;
      assert.ok(
        pieces.slice(0, -1).every(({ length }) => length <= limit && length > limit - 4),
        place,
      );
      assert.equal(pieces.map((piece) => Buffer.from(piece).toString()).join(""), text, place);
    }
  }
});

test("bytes that are no UTF-8 are cut at the limit", () => {
  for (const limit of [1, 3, 4, 5]) {
    const splitter = new LineSplitter(limit, "cut");
    const pieces = [...splitter.push(new Uint8Array(20).fill(0x80)), splitter.rest() ?? Buffer.alloc(0)];
    assert.ok(pieces.every(({ length }) => length <= limit && length > 0));
    assert.equal(Buffer.concat(pieces).length, 20);
  }
});
