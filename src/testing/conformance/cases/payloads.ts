import assert from "node:assert/strict";
import { DEFAULT_LIMITS } from "../../../message/limits.ts";
import { encodeBody } from "../../../message/message.ts";
import type { Case, Harness } from "../case.ts";
import { CALLER_DIALS, TRAVELS } from "../needs.ts";
import { failureOf, later, underWay } from "../waiting.ts";

const LIMIT = DEFAULT_LIMITS.payload;
/** Around the sizes at which buffers, chunks and lengths change. */
const SIZES = [0, 1, 125, 126, 255, 256, 16_383, 16_384, 65_535, 65_536, 65_537, 262_144];

/** How many letters the largest value of the codec has whose payload is no longer than this. */
function lettersFor({ write, codec }: Harness, size: number): number {
  const lengthWith = (letters: number): number => encodeBody(codec, write(1, "x".repeat(letters))).length;
  let letters = size - lengthWith(0);
  // Lengths are written in more bytes as they grow, and some codecs fill up to a multiple of a few.
  while (lengthWith(letters) > size) letters--;
  while (lengthWith(letters + 1) <= size) letters++;
  return letters;
}

/** The largest value of the codec whose payload is no longer than this. */
function largestWithin(harness: Harness, size: number): unknown {
  return harness.write(1, "x".repeat(lettersFor(harness, size)));
}

/** The smallest value of the codec whose payload is longer than this. */
function smallestOver(harness: Harness, size: number): unknown {
  return harness.write(1, "x".repeat(lettersFor(harness, size) + 1));
}

export const PAYLOADS: readonly Case[] = [
  {
    name: "carries payloads of all sizes both ways",
    needs: [],
    async run({ caller, worker, subject, write, read }) {
      await worker.serve(subject("echo"), (value) => value);
      for (const size of SIZES) {
        const text = "abc".repeat(size / 3 + 1).slice(0, size);
        const answer = read(await caller.request(subject("echo"), write(size, text)));
        assert.equal(answer.n, size);
        assert.ok(answer.text === text, `${size} letters came back otherwise`);
      }
    },
  },
  {
    name: "carries payloads as large as the limit, and a little less, both ways and to listeners",
    needs: [],
    async run(harness) {
      const { caller, worker, subject, read } = harness;
      await worker.serve(subject("echo"), (value) => value);
      const heard = later<unknown>();
      await worker.subscribe(subject("big"), heard.resolve);
      const largest = largestWithin(harness, LIMIT);
      const answer = await caller.request(subject("echo"), largest);
      assert.ok(read(answer).text === read(largest).text, "it came back otherwise");
      const less = largestWithin(harness, LIMIT - 1);
      await caller.publish(subject("big"), less);
      assert.ok(read(await heard.promise).text === read(less).text, "it was published otherwise");
    },
  },
  {
    name: "refuses a payload over the limit, in a request and in an answer, and goes on",
    needs: [TRAVELS],
    async run(harness) {
      const { caller, worker, subject, write, read } = harness;
      const value = smallestOver(harness, LIMIT);
      await worker.serve(subject("echo"), (arrived) => arrived);
      await worker.serve(subject("grow"), () => value);
      const asked = await failureOf(caller.request(subject("echo"), value));
      assert.equal(asked.reason, "TOO_LARGE");
      assert.equal(asked.code, "resource_exhausted");
      const answer = await failureOf(caller.request(subject("grow")));
      assert.equal(answer.reason, "BAD_ANSWER");
      assert.equal(answer.code, "internal");
      assert.equal(read(await caller.request(subject("echo"), write(1))).n, 1);
    },
  },
  {
    name: "refuses to publish a payload over the limit",
    needs: [CALLER_DIALS],
    run(harness) {
      const value = smallestOver(harness, LIMIT);
      assert.throws(() => harness.caller.publish(harness.subject("x"), value), { reason: "TOO_LARGE" });
      return Promise.resolve();
    },
  },
  {
    name: "carries 2 MiB at once, both ways, while small requests pass",
    needs: [],
    async run({ caller, worker, subject, write, read }) {
      await worker.serve(subject("echo"), (value) => value);
      const text = "y".repeat(262_144);
      const large = Array.from({ length: 8 }, (_, n) =>
        underWay(caller.request(subject("echo"), write(n, text))),
      );
      const small = Array.from({ length: 50 }, (_, n) => underWay(caller.request(subject("echo"), write(n))));
      for (const [n, answer] of (await Promise.all(small)).entries()) assert.equal(read(answer).n, n);
      for (const [n, answer] of (await Promise.all(large)).entries()) {
        assert.equal(read(answer).n, n);
        assert.ok(read(answer).text === text);
      }
    },
  },
];
