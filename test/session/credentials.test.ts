/** Between HELLO and WELCOME: whoever has greeted is looked at first. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { failure, type Failure } from "../../src/message/failure.ts";
import { DEFAULT_LIMITS } from "../../src/message/limits.ts";
import { FrameType } from "../../src/wire/frame.ts";
import { bindBytes, helloBytes, publishBytes, sayings } from "../wire/frame-bytes.ts";
import { openHarness, settled, type Harness } from "./harness.ts";

const LIMITS = { "max-payload": "1048576", "max-headers": "32768" };
const REFUSED = failure("UNAUTHENTICATED");

type Decide = (why: Failure | undefined) => void;

/** A session that has read HELLO, and something that must wait behind it, and does not know yet whose they are. */
async function authenticating(): Promise<Harness & { decide: Decide; reads: boolean[] }> {
  let decide: Decide = () => undefined;
  const decision = new Promise<Failure | undefined>((resolve) => {
    decide = resolve;
  });
  const reads: boolean[] = [];
  const harness = await openHarness({ greeting: false, admit: () => decision, reads });
  harness.raw.send(Buffer.concat([helloBytes(), bindBytes(1, "a.b")]));
  harness.raw.send(publishBytes(1, "x"));
  await settled();
  assert.equal(harness.session.state, "authenticating");
  return { ...harness, decide, reads };
}

describe("a session that asks for credentials", () => {
  test("P-140: shows them as they came, and welcomes at once whom it knows at once", async () => {
    const tokens: (string | undefined)[] = [];
    const admit = (token: string | undefined): undefined => void tokens.push(token);
    await openHarness({ admit, greeting: { ...LIMITS, token: "s3cret" } });
    await openHarness({ admit });
    assert.deepEqual(tokens, ["s3cret", undefined]);
  });

  test("P-141: welcomes nobody, acts on nothing and does not read before it knows", async () => {
    const { owner, raw, session, decide, reads } = await authenticating();
    assert.deepEqual([owner.events, raw.frames, reads], [[], [], [false]]);
    decide(undefined);
    await raw.next(FrameType.welcome);
    await owner.next("publish");
    assert.equal(session.state, "open");
    assert.deepEqual(
      owner.events.map(({ event }) => event),
      ["opened", "publish"],
    );
    assert.deepEqual(reads, [false, true]);
  });

  test("P-143: says why it does not welcome somebody", async () => {
    const atOnce = await openHarness({ greeting: false, admit: () => REFUSED });
    atOnce.raw.send(helloBytes());
    const later = await authenticating();
    later.decide(REFUSED);
    for (const { owner, raw } of [atOnce, later]) {
      const close = await raw.next(FrameType.close);
      assert.deepEqual(
        [sayings(close)["code"], sayings(close)["reason"]],
        ["unauthenticated", "UNAUTHENTICATED"],
      );
      await raw.until(() => raw.ended);
      await owner.next("closed");
      assert.equal(raw.frames.length, 1);
      assert.deepEqual(
        owner.events.map(({ event }) => event),
        ["ended", "closed"],
      );
    }
  });

  test("P-142: ends when it does not know in time, and what it learns then is of no use", async () => {
    const { clock, owner, raw, session, decide } = await authenticating();
    clock.advance(DEFAULT_LIMITS.helloTimeout);
    const close = await raw.next(FrameType.close);
    assert.equal(sayings(close)["reason"], "ACCESS_UNAVAILABLE");
    decide(undefined);
    await raw.until(() => raw.ended);
    await owner.next("closed");
    assert.equal(raw.frames.length, 1);
    assert.equal(owner.count("opened"), 0);
    assert.equal(session.state, "closed");
  });

  test("one that ends meanwhile is not welcomed", async () => {
    const { owner, session, decide } = await authenticating();
    session.abort(failure("CLOSED"));
    decide(undefined);
    await settled();
    assert.deepEqual(
      owner.events.map(({ event }) => event),
      ["ended", "closed"],
    );
  });
});
