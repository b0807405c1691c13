import assert from "node:assert/strict";
import { test } from "node:test";
import { closest } from "../../src/config/suggest.ts";
import { isLoopback, parseAddress, parseDuration, parseSize } from "../../src/config/units.ts";

test("times", () => {
  const times: [text: string, ms: number | undefined][] = [
    ["250ms", 250],
    ["5s", 5_000],
    ["1.5m", 90_000],
    ["2 h", 7_200_000],
    ["40", 40],
    ["0.4ms", undefined],
    ["0", undefined],
    ["-1s", undefined],
    ["", undefined],
    ["s", undefined],
    ["5d", undefined],
    ["5sec", undefined],
    ["1e3", undefined],
    ["constructor", undefined],
    ["1constructor", undefined],
  ];
  for (const [text, ms] of times) assert.equal(parseDuration(text), ms, text);
  assert.equal(parseDuration("2", "s"), 2_000);
  assert.equal(parseDuration("0.5", "s"), 500);
  assert.equal(parseDuration("2ms", "s"), 2);
});

test("sizes", () => {
  const sizes: [text: string, bytes: number | undefined][] = [
    ["65536", 65_536],
    ["64KiB", 65_536],
    ["64kib", 65_536],
    ["1MB", 1_000_000],
    ["0.5 MiB", 524_288],
    ["1GiB", 1_073_741_824],
    ["1K", undefined],
    ["1M", undefined],
    ["0", undefined],
    ["999999999999999GiB", undefined],
  ];
  for (const [text, bytes] of sizes) assert.equal(parseSize(text), bytes, text);
});

test("addresses", () => {
  assert.deepEqual(parseAddress("127.0.0.1:8500"), { host: "127.0.0.1", port: 8500 });
  assert.deepEqual(parseAddress("8500"), { host: "127.0.0.1", port: 8500 });
  assert.deepEqual(parseAddress("[::1]:0"), { host: "::1", port: 0 });
  assert.deepEqual(parseAddress("my-host.example:80"), { host: "my-host.example", port: 80 });
  for (const text of ["", "localhost", "::1:80", "host:", ":80", "h:65536", "http://a:80", "a b:80"]) {
    assert.equal(parseAddress(text), undefined, text);
  }
});

test("only loopback is loopback", () => {
  for (const host of ["127.0.0.1", "127.9.9.9", "::1", "[::1]", "localhost", "LOCALHOST"])
    assert.ok(isLoopback(host), host);
  for (const host of ["0.0.0.0", "::", "10.0.0.1", "127.0.0.1.example.com", "localhost.example.com", ""]) {
    assert.equal(isLoopback(host), false, host);
  }
});

test("did you mean", () => {
  const names = ["timeout", "payload", "queue", "concurrency"];
  assert.equal(closest("timout", names), "timeout");
  assert.equal(closest("tiemout", names), "timeout");
  assert.equal(closest("QUEUE", names), "queue");
  assert.equal(closest("concurency", names), "concurrency");
  assert.equal(closest("banana", names), undefined);
  assert.equal(closest("", names), undefined);
});
