import assert from "node:assert/strict";
import { test } from "node:test";
import { TokenBucket } from "../../../src/access/quota/token-bucket.ts";

test("a bucket gives its burst at once, and then exactly its rate", () => {
  const bucket = new TokenBucket(100, 200, 0);
  let taken = 0;
  const takeAll = (now: number): void => {
    for (; bucket.wait(1, now) === 0; taken++) bucket.take(1, now);
  };
  takeAll(0);
  assert.equal(taken, 200);
  for (let now = 1; now <= 10_000; now++) takeAll(now);
  assert.equal(taken, 200 + 1_000);
});

test("a rate below one a second is exact too, and says when the next token is there", () => {
  const bucket = new TokenBucket(0.25, 1, 0);
  bucket.take(1, 0);
  assert.equal(bucket.wait(1, 0), 4_000);
  assert.equal(bucket.wait(1, 3_999), 1);
  assert.equal(bucket.wait(1, 4_000), 0);
});

test("what was taken beyond what there is has to come in first", () => {
  const bucket = new TokenBucket(1_000, 2_000, 0);
  bucket.take(5_000, 0);
  assert.equal(bucket.tokens(0), -3_000);
  assert.equal(bucket.wait(1, 0), 3_001);
  assert.equal(bucket.wait(1, 3_001), 0);
});

test("a change of its rate gives no tokens", () => {
  const bucket = new TokenBucket(10, 20, 0);
  bucket.take(20, 0);
  bucket.change(100, 500, 100); // one has come by the rate of before
  assert.equal(bucket.tokens(100), 1);
  assert.equal(bucket.tokens(200), 11);
  bucket.change(1, 5, 200);
  assert.equal(bucket.tokens(200), 5);
});

test("a bucket without a rate gives what it has, and never more", () => {
  const bucket = new TokenBucket(0, 2, 0);
  bucket.take(2, 0);
  assert.equal(bucket.wait(1, 1e12), Infinity);
  assert.equal(new TokenBucket(5, 0, 0).wait(1, 1e6), Infinity);
});

test("a clock that goes back takes nothing and gives nothing twice", () => {
  const bucket = new TokenBucket(1, 2, 1_000);
  bucket.take(2, 1_000);
  assert.equal(bucket.tokens(0), 0);
  assert.equal(bucket.tokens(2_000), 1);
});
