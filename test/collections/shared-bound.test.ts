import assert from "node:assert/strict";
import { test } from "node:test";
import { callerAt, callerOfSession } from "../../src/message/caller.ts";
import { SharedBound, shareOf } from "../../src/collections/shared-bound.ts";

test("one caller has its share, and all have no more than there is", () => {
  const bound = new SharedBound(100, 40);
  assert.equal(bound.take("a", 40), true);
  assert.equal(bound.take("a", 1), false);
  assert.deepEqual([bound.take("b", 40), bound.take("c", 21), bound.take("c", 20)], [true, false, true]);
  assert.deepEqual([bound.taken, bound.takenBy("a"), bound.takenBy("d")], [100, 40, 0]);
  assert.equal(bound.hasRoomFor("c", 1), false);
  bound.give("a", 15);
  assert.deepEqual([bound.hasRoomFor("a", 15), bound.hasRoomFor("a", 16)], [true, false]);
  assert.equal(bound.take("d", 15), true);
});

test("callers that come and go leave nothing behind, and nothing is counted wrong", () => {
  const bound = new SharedBound(1_000);
  for (let number = 0; number < 1_000; number++) assert.ok(bound.take(`caller ${number}`, 1));
  assert.equal(bound.take("one more", 1), false);
  for (let number = 0; number < 1_000; number++) bound.give(`caller ${number}`, 1);
  assert.equal(bound.taken, 0);
  for (let number = 0; number < 1_000; number++) assert.equal(bound.takenBy(`caller ${number}`), 0);
  assert.ok(bound.callers <= 64);
});

test("a share is a part, at least what is asked, and at most all", () => {
  const shares = [shareOf(1_000, 25), shareOf(1_000, 25, 400), shareOf(10, 25, 16), shareOf(10, 1_000)];
  assert.deepEqual(shares, [250, 400, 10, 10]);
});

/** Addresses, and which are one caller. */
const CALLERS: readonly (readonly [string | undefined, string])[] = [
  ["192.0.2.7", "192.0.2.7"],
  ["::ffff:192.0.2.7", "192.0.2.7"],
  ["::FFFF:192.0.2.7", "192.0.2.7"],
  ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
  ["2001:DB8:1:2::9", "2001:db8:1:2::/64"],
  ["2001:db8:1::9", "2001:db8:1:0::/64"],
  ["2001:db8::1:2:3:4:5", "2001:db8:0:1::/64"],
  ["fe80::1%eth0", "fe80:0:0:0::/64"],
  ["::1", "0:0:0:0::/64"],
  [undefined, "unknown"],
];

for (const [address, caller] of CALLERS) {
  test(`the caller at ${address} is ${caller}`, () => assert.equal(callerAt(address), caller));
}

/** URLs of the other ends of sessions. */
const SESSIONS: readonly (readonly [string, string])[] = [
  ["tcp://192.0.2.7:4000", "192.0.2.7"],
  ["ws://192.0.2.7:4000", "192.0.2.7"],
  ["wss://[2001:db8::1]:4000", "2001:db8:0:0::/64"],
  ["tcp://2001:db8::1:4000", "2001:db8:0:0::/64"], // as a socket's address is written
  ["tcp://::ffff:192.0.2.7:4000", "192.0.2.7"],
  ["http1s://192.0.2.7:4000/path", "192.0.2.7"],
  ["tcp://127.0.0.1:4000", "session 5"],
  ["tcp://::ffff:127.0.0.1:4000", "session 5"],
  ["tls://[::1]:4000", "session 5"],
  ["unix:///run/hub.sock", "session 5"],
  ["memory:a", "session 5"],
  ["h2c://:0", "session 5"],
];

for (const [remote, caller] of SESSIONS) {
  test(`the caller of a session from ${remote} is ${caller}`, () =>
    assert.equal(callerOfSession(remote, 5), caller));
}
