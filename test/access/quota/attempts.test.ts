/** How many credentials from one address are looked at. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { AuthenticationAttempts } from "../../../src/access/quota/attempts.ts";
import { LintelError } from "../../../src/message/failure.ts";
import { FakeClock } from "../../../src/testing/fake-clock.ts";

const HERE = "tcp://192.0.2.7:4000";
const THERE = "tcp://192.0.2.8:4000";

class Scene {
  readonly clock = new FakeClock(1_000);
  readonly attempts: AuthenticationAttempts;
  /** Tokens that were looked at. */
  readonly seen: string[] = [];
  readonly good: Set<string>;

  constructor(good: readonly string[] = [], maxAddresses?: number) {
    this.attempts = new AuthenticationAttempts(this.clock, 5_000, maxAddresses);
    this.good = new Set(good);
  }

  /** "good", or the reason why not. */
  show(token: string, remote = HERE): string {
    try {
      const result = this.attempts.make(token, remote, () => this.look(token));
      assert.equal(result, "good");
      return "good";
    } catch (error) {
      assert.ok(error instanceof LintelError);
      return error.reason;
    }
  }

  look(token: string): string {
    this.seen.push(token);
    if (!this.good.has(token)) throw LintelError.of("UNAUTHENTICATED");
    return "good";
  }

  guess(count: number, remote = HERE): void {
    for (let index = 0; index < count; index++) this.show(`guess ${this.seen.length} ${index}`, remote);
  }
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("guesses from one address", () => {
  test("after a burst of 10, two are looked at in a second", () => {
    const scene = new Scene();
    const times: number[] = [];
    for (let ms = 0; ms < 20_000; ms += 10) {
      const before = scene.seen.length;
      scene.guess(2);
      for (let more = before; more < scene.seen.length; more++) times.push(ms);
      scene.clock.advance(10);
    }
    for (const [index, from] of times.entries()) {
      const within = times.slice(index).filter((time) => time < from + 1_000).length;
      assert.ok(within <= (from < 50 ? 12 : 3), `${within} from ${from} ms on`);
    }
    assert.ok(times.length >= 48 && times.length <= 50, `${times.length} in all`);
    assert.equal(scene.attempts.failures, times.length);
    assert.equal(scene.attempts.slowed, 4_000 - times.length);
  });

  test("the refusal says when the next will be looked at", () => {
    const scene = new Scene();
    scene.guess(10);
    scene.clock.advance(100);
    assert.throws(
      () => scene.attempts.make("next", HERE, () => scene.look("next")),
      (error) => error instanceof LintelError && error.retryAfterMs === 400 && error.retryable,
    );
    scene.clock.advance(400);
    assert.equal(scene.show("next"), "UNAUTHENTICATED");
  });

  test("another address is not slowed; another of its IPv6 network, another port and any unix socket are", () => {
    const scene = new Scene();
    scene.guess(11, "tcp://[2001:db8:1:2::1]:9");
    assert.equal(scene.show("a", "tcp://[2001:db8:1:2:ffff::9]:10"), "TOO_MANY_ATTEMPTS");
    assert.equal(scene.show("a", "2001:db8:1:2::77"), "TOO_MANY_ATTEMPTS");
    assert.equal(scene.show("a", "tcp://[2001:db8:1:3::1]:9"), "UNAUTHENTICATED");
    scene.guess(11, HERE);
    assert.equal(scene.show("b", "192.0.2.7"), "TOO_MANY_ATTEMPTS");
    assert.equal(scene.show("b", "192.0.2.7:80"), "TOO_MANY_ATTEMPTS");
    assert.equal(scene.show("b", "::ffff:192.0.2.7"), "TOO_MANY_ATTEMPTS");
    assert.equal(scene.show("b", THERE), "UNAUTHENTICATED");
    scene.guess(11, "unix:///run/lintel.sock");
    assert.equal(scene.show("c", "/run/other.sock"), "TOO_MANY_ATTEMPTS");
  });

  test("credentials that were good from there are not slowed; from elsewhere they are looked at as any", () => {
    const scene = new Scene(["mine", "other"]);
    assert.equal(scene.show("mine"), "good");
    scene.guess(20);
    assert.equal(scene.show("other"), "TOO_MANY_ATTEMPTS");
    for (let index = 0; index < 100; index++) assert.equal(scene.show("mine"), "good");
    scene.guess(20, THERE);
    assert.equal(scene.show("mine", THERE), "TOO_MANY_ATTEMPTS");
  });

  test("credentials that are good take nothing", () => {
    const good = Array.from({ length: 50 }, (_none, index) => `key ${index}`);
    const scene = new Scene(good);
    for (const key of good) assert.equal(scene.show(key), "good");
    assert.equal(scene.attempts.addresses, 0);
  });

  test("credentials that are good no longer are looked at once, and are a guess from then on", () => {
    const scene = new Scene(["mine"]);
    scene.show("mine");
    scene.guess(10);
    scene.good.clear();
    assert.equal(scene.show("mine"), "UNAUTHENTICATED");
    scene.clock.advance(200);
    assert.equal(scene.show("mine"), "UNAUTHENTICATED");
    assert.equal(scene.seen.filter((token) => token === "mine").length, 2);
  });

  test("the same that were not good get the same answer for a moment, and are looked at again then", () => {
    const scene = new Scene();
    for (let index = 0; index < 100; index++) assert.equal(scene.show("stale"), "UNAUTHENTICATED");
    assert.equal(scene.seen.length, 1);
    scene.good.add("stale");
    scene.clock.advance(100);
    assert.equal(scene.show("stale"), "good");
  });

  test("those that were not good are no new guess: their refusal stays the same while others are slowed", () => {
    const scene = new Scene();
    scene.show("stale");
    scene.guess(20);
    scene.clock.advance(300);
    assert.equal(scene.show("stale"), "UNAUTHENTICATED");
    assert.equal(scene.show("other"), "TOO_MANY_ATTEMPTS");
    assert.equal(scene.seen.filter((token) => token === "stale").length, 1);
    scene.good.add("stale");
    scene.clock.advance(200);
    assert.equal(scene.show("stale"), "good");
  });

  test("an access that does not answer is no failed guess", () => {
    const { attempts } = new Scene();
    const unavailable = (): string => {
      throw LintelError.of("ACCESS_UNAVAILABLE");
    };
    for (let index = 0; index < 50; index++)
      assert.throws(() => attempts.make(`token ${index}`, HERE, unavailable), {
        reason: "ACCESS_UNAVAILABLE",
      });
    assert.deepEqual([attempts.failures, attempts.slowed], [0, 0]);
  });

  test("20,000 addresses take no more room than the table has, and those that are made up for go", () => {
    const scene = new Scene([], 1_000);
    for (let index = 0; index < 20_000; index++)
      scene.show("guess", `tcp://10.${index >> 16}.${(index >> 8) & 255}.${index & 255}:1`);
    assert.equal(scene.attempts.addresses, 1_000);
    scene.clock.advance(10_000);
    for (let index = 0; index < 1_000; index++)
      scene.show("guess", `tcp://11.0.${index >> 8}.${index & 255}:1`);
    assert.ok(scene.attempts.addresses <= 1_000);
    scene.clock.advance(10_000);
    for (let index = 0; index < 1_000; index++) scene.show("guess", "tcp://12.0.0.1:1");
    assert.equal(scene.show("more", "tcp://12.0.0.1:1"), "UNAUTHENTICATED");
  });

  test("one that goes on is not forgotten because of others that come once", () => {
    const scene = new Scene([], 100);
    for (let index = 0; index < 1_000; index++) {
      scene.guess(2);
      scene.show("guess", `tcp://10.0.${index >> 8}.${index & 255}:1`);
    }
    assert.equal(scene.seen.filter((token) => token.startsWith("guess ")).length, 10);
  });
});

describe("an access that takes its time", () => {
  interface Pending {
    readonly token: string;
    readonly answer: (isGood: boolean) => void;
  }

  function slow(): { scene: Scene; pending: Pending[]; show: (token: string) => Promise<string> } {
    const scene = new Scene();
    const pending: Pending[] = [];
    const look = (token: string): Promise<string> =>
      new Promise((resolve, reject) =>
        pending.push({
          token,
          answer: (isGood) => (isGood ? resolve("good") : reject(LintelError.of("UNAUTHENTICATED"))),
        }),
      );
    const show = async (token: string): Promise<string> => {
      try {
        return await scene.attempts.make(token, HERE, () => look(token));
      } catch (error) {
        return (error as LintelError).reason;
      }
    };
    return { scene, pending, show };
  }

  test("looks at no more guesses at a time than may fail", async () => {
    const { scene, pending, show } = slow();
    const outcomes = Array.from({ length: 500 }, (_none, index) => show(`guess ${index}`));
    await settled();
    assert.equal(pending.length, 10);
    for (const { answer } of pending.splice(0)) answer(false);
    await settled();
    assert.equal(pending.length, 0);
    const reasons = await Promise.all(outcomes);
    assert.equal(reasons.filter((reason) => reason === "TOO_MANY_ATTEMPTS").length, 490);
    assert.equal(scene.clock.pending, 0);
  });

  test("lets many in that are good, one after the other", async () => {
    const { scene, pending, show } = slow();
    const outcomes = Array.from({ length: 200 }, (_none, index) => show(`key ${index}`));
    await settled();
    let most = 0;
    while (pending.length > 0) {
      most = Math.max(most, pending.length);
      pending.shift()!.answer(true);
      await settled();
    }
    assert.equal(most, 10);
    assert.deepEqual(new Set(await Promise.all(outcomes)), new Set(["good"]));
    assert.deepEqual([scene.attempts.slowed, scene.clock.pending], [0, 0]);
  });

  test("gives up what waits too long, and when the hub closes", async () => {
    const { scene, show } = slow();
    const held = Array.from({ length: 10 }, (_none, index) => show(`held ${index}`));
    const waiting = show("waiting");
    scene.clock.advance(5_000);
    assert.equal(await waiting, "ACCESS_UNAVAILABLE");
    held.push(...Array.from({ length: 10 }, (_none, index) => show(`later ${index}`)));
    const closed = show("closed");
    scene.attempts.close();
    assert.equal(await closed, "CLOSED");
    assert.equal(scene.clock.pending, 0);
    assert.equal(held.length, 20);
  });
});
