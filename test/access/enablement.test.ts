/** What is enabled, what depends on it, and decisions that are asked for meanwhile. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Access, Principal } from "../../src/access/access.ts";
import { createAdmission, type Admitted } from "../../src/access/admission.ts";
import { Enablement } from "../../src/access/enablement.ts";
import { Tenants } from "../../src/access/tenants.ts";
import { LocalEngine } from "../../src/engine/local/local-engine.ts";
import type { EnabledVerb, Enabling } from "../../src/message/delivery.ts";
import type { Failure, LintelError } from "../../src/message/failure.ts";
import { DEFAULT_LIMITS } from "../../src/message/limits.ts";
import {
  HoldingWorker,
  RecordingCaller,
  RecordingSubscriber,
  textMessage,
} from "../../src/testing/engine/actors.ts";

describe("an enabled pattern", () => {
  const cases: readonly [enabled: string, contains: readonly string[], not: readonly string[]][] = [
    ["a", ["a"], ["b", "a.b", "*", ">", "a.>"]],
    ["a.*", ["a.b", "a.*"], ["a", "a.b.c", "a.>", "*.b", "*.*", ">"]],
    ["a.>", ["a.b", "a.*", "a.>", "a.b.c", "a.*.>", "a.b.>"], ["a", "*.b", "*.>", ">"]],
    ["*.b", ["a.b", "*.b"], ["a.*", "*.*", "a.>"]],
    [">", ["a", "a.b", "*", "*.>", ">"], []],
    ["*.>", ["a.b", "*.*", "a.>", "*.>"], ["a", "*", ">"]],
  ];
  for (const [enabled, contains, not] of cases)
    test(`${enabled} contains ${contains.join(" ")}${not.length > 0 ? `, but not ${not.join(" ")}` : ""}`, () => {
      const enablement = new Enablement();
      const end = enablement.add("request", enabled);
      for (const one of contains) assert.equal(enablement.isEnabled("request", one), true, one);
      for (const one of not) assert.equal(enablement.isEnabled("request", one), false, one);
      for (const verb of ["publish", "subscribe", "serve", "admin"] as const)
        assert.equal(enablement.isEnabled(verb, contains[0]!), false, verb);
      assert.equal(enablement.isEnabled("open", contains[0]!), true, "who may ask may open");
      end();
      for (const one of contains) assert.equal(enablement.isEnabled("request", one), false, one);
    });

  test("of 127 wildcards is found as fast as any", () => {
    const enablement = new Enablement();
    const deep = Array.from({ length: 127 }, () => "*").join(".");
    enablement.add("subscribe", deep);
    assert.equal(enablement.isEnabled("subscribe", deep), true);
    assert.equal(enablement.isEnabled("subscribe", `${deep.slice(0, -1)}>`), false);
  });
});

describe("what depends on an enablement", () => {
  test("goes over to another that contains it, and is lost with the last", () => {
    const enablement = new Enablement();
    const lost: string[] = [];
    assert.equal(
      enablement.depend("subscribe", "a.b", () => lost.push("too early")),
      undefined,
    );
    const ends = ["a.b", "a.*", ">"].map((pattern) => enablement.add("subscribe", pattern));
    const again = enablement.add("subscribe", "a.b");
    for (const pattern of ["a.b", "a.*", "c"])
      enablement.depend("subscribe", pattern, () => lost.push(pattern));
    const release = enablement.depend("subscribe", "a.b", () => lost.push("released"));
    ends[0]!();
    again();
    assert.deepEqual(lost, []);
    ends[2]!();
    assert.deepEqual(lost, ["c"]);
    release!();
    ends[1]!();
    assert.deepEqual(new Set(lost), new Set(["a.*", "a.b", "c"]));
  });

  test("is lost in slices where there is much of it, and all of it in the end", async () => {
    const enablement = new Enablement();
    const end = enablement.add("subscribe", ">");
    const lost = new Set<number>();
    const releases = Array.from({ length: 5_000 }, (_, index) =>
      enablement.depend("subscribe", `a.${index}`, () => lost.add(index)),
    );
    end();
    const atOnce = lost.size;
    assert.ok(atOnce > 0 && atOnce < 5_000, `${atOnce} at once`);
    assert.equal(enablement.isEnabled("subscribe", "a.1"), false, "and nothing is enabled meanwhile");
    releases[4_998]!();
    const again = enablement.add("subscribe", "a.4999");
    while (lost.size < 4_998) await settled();
    assert.deepEqual([lost.has(4_998), lost.has(4_999)], [false, false]);
    again();
    assert.ok(lost.has(4_999));
  });
});

interface Scene {
  readonly engine: LocalEngine;
  readonly asked: string[];
  readonly enable: (
    verb: EnabledVerb,
    pattern: string,
    onEnded?: (why: Failure) => void,
  ) => Promise<Enabling>;
  readonly client: Admitted;
  /** Ends the credentials of the service. */
  readonly revoke: () => void;
  /** Lets the questions that wait be answered, as they were asked. */
  readonly answer: () => void;
}

/** A service may do everything; a client what is enabled, and what is told `later`. */
async function scene(isLater = false): Promise<Scene> {
  const engine = new LocalEngine();
  const asked: string[] = [];
  let waiting: (() => void)[] = [];
  const principal = (token: string): Principal => ({ id: token, tenant: "main", role: token });
  let revoke: (revoked: Principal) => void = () => undefined;
  const access: Access = {
    authenticate: ({ token }) => principal(token!),
    onRevoked: (listener) => void (revoke = listener),
    may: ({ role }, verb, subject, isEnabled) => {
      if (role === "service") return true;
      asked.push(`${verb} ${subject} ${String(isEnabled)}`);
      if (!isLater) return isEnabled;
      return new Promise((resolve) => waiting.push(() => resolve(isEnabled)));
    },
  };
  const admission = createAdmission(new Tenants(engine), { access, limits: DEFAULT_LIMITS });
  const admit = async (token: string): Promise<Admitted> =>
    admission.admit({ gateway: "test", remote: "test", token });
  const service = await admit("service");
  return {
    engine,
    asked,
    client: await admit("client"),
    revoke: () => revoke(principal("service")),
    enable: async (verb, pattern, onEnded) => {
      const enabling = service.enable(verb, pattern, { onEnded });
      await enabling.ready;
      return enabling;
    },
    answer: () => {
      const answered = waiting;
      waiting = [];
      for (const one of answered) one();
    },
  };
}

/** Everything that is decided is told. */
async function settled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

const DENIED = "PERMISSION_DENIED";

describe("an enablement", () => {
  test("P-149: ends when the credentials of its maker do, with all that depends on it", async () => {
    const { engine, client, enable, revoke } = await scene();
    const ends: string[] = [];
    const onEnded =
      (what: string) =>
      (why: { readonly reason: string }): number =>
        ends.push(`${what} ${why.reason}`);
    await enable("request", "a", onEnded("enablement"));
    await enable("subscribe", "b.*");
    const caller = new RecordingCaller(client.engine);
    const subscriber = new RecordingSubscriber();
    await client.engine.subscribe("b.c", subscriber, { onEnded: onEnded("subscription") }).ready;
    assert.equal(await caller.ask("a"), "NO_RESPONDERS");
    revoke();
    while (ends.length < 2) await settled();
    assert.deepEqual(
      new Set(ends),
      new Set(["enablement UNAUTHENTICATED", "subscription PERMISSION_DENIED"]),
    );
    assert.equal(await caller.ask("a"), DENIED);
    await engine.close();
  });

  test("that is closed before it is decided is not made", async () => {
    const { engine, client, enable } = await scene();
    const closed = await enable("request", "a");
    await closed.close();
    await closed.close();
    assert.equal(await new RecordingCaller(client.engine).ask("a"), DENIED);
    const refused = client.enable("request", "a");
    await assert.rejects(refused.ready, { reason: DENIED });
    await refused.close();
    await engine.close();
  });
});

describe("a decision", () => {
  test("is remembered until what it depends on is enabled, or is so no longer", async () => {
    const { engine, asked, client, enable } = await scene();
    await HoldingWorker.echo(engine, ">");
    const caller = new RecordingCaller(client.engine);
    const ask = (): Promise<string> => caller.ask("a.b", "x");
    assert.deepEqual([await ask(), await ask()], [DENIED, DENIED]);
    const other = await enable("request", "b.*");
    assert.equal(await ask(), DENIED);
    await other.close();
    assert.equal(await ask(), DENIED);
    assert.deepEqual(asked, ["request a.b false"], "what others are enabled to changes nothing");
    const first = await enable("request", "a.*");
    assert.deepEqual([await ask(), await ask()], ["answered x", "answered x"]);
    const second = await enable("request", "a.b");
    await first.close();
    assert.equal(await ask(), "answered x");
    await second.close();
    assert.equal(await ask(), DENIED);
    assert.deepEqual(asked, ["request a.b false", "request a.b true", "request a.b false"]);
    await engine.close();
  });

  test("P-151: that comes after the end is a refusal, for requests, publications and subscriptions", async () => {
    const { engine, asked, client, enable, answer } = await scene(true);
    const spy = await HoldingWorker.start(engine, ">");
    const subscriber = new RecordingSubscriber();
    engine.subscribe(">", subscriber);
    const enabled = await Promise.all(
      (["request", "publish", "subscribe"] as const).map((verb) => enable(verb, "a.*")),
    );
    const caller = new RecordingCaller(client.engine);
    const { engine: guarded } = client;
    const request = caller.request("a.b");
    const publications = ["1", "2"].map((text) => guarded.publish(guarded.route("a.b"), textMessage(text)));
    const subscription = guarded.subscribe("a.b", new RecordingSubscriber());
    const refused = Promise.allSettled([...publications, subscription.ready]);
    await Promise.all(enabled.map((one) => one.close()));
    answer(); // with what was so when it was asked: yes
    await settled();
    answer(); // asked again: no
    assert.equal(await caller.outcome(request), DENIED);
    for (const result of await refused)
      assert.ok(result.status === "rejected" && (result.reason as LintelError).reason === DENIED);
    assert.deepEqual([spy.jobs, subscriber.heard], [[], []]);
    assert.equal(asked.filter((one) => one.endsWith("false")).length, 3);
    await engine.close();
  });

  test("that was asked for before it was enabled is not taken for those that come later", async () => {
    const { engine, client, enable, answer } = await scene(true);
    await HoldingWorker.echo(engine, "a");
    const caller = new RecordingCaller(client.engine);
    const before = caller.request("a", "x");
    await enable("request", "a");
    const after = caller.request("a", "y");
    answer();
    assert.equal(await caller.outcome(before), DENIED);
    assert.equal(await caller.outcome(after), "answered y");
    await engine.close();
  });

  test("takes time: a subscription goes on until it is known, and ends with a refusal or an error", async () => {
    const { engine, client, enable, answer } = await scene(true);
    const enabled = await enable("subscribe", "a");
    const ends: string[] = [];
    const subscriber = new RecordingSubscriber();
    const subscription = client.engine.subscribe("a", subscriber, {
      onEnded: (why) => ends.push(why.reason),
    });
    answer();
    await subscription.ready;
    await enabled.close();
    assert.deepEqual(ends, []);
    answer();
    await settled();
    assert.deepEqual(ends, [DENIED]);
    engine.publish(engine.route("a"), textMessage("late"));
    assert.deepEqual(subscriber.heard, []);
    await engine.close();
  });
});

describe("enabling and ending it 1,000 times while requests are made", () => {
  for (const isLater of [false, true])
    test(`executes what is enabled and nothing else, with answers ${isLater ? "later" : "at once"}`, async () => {
      const { engine, client, enable, answer } = await scene(isLater);
      let isEnabled = false;
      let executed = 0;
      const registration = engine.serve("a", {
        execute: (job) => {
          executed++;
          if (!isEnabled) wrong++;
          registration.reply(job, textMessage("done"));
        },
        cancel: () => undefined,
      });
      let wrong = 0;
      const caller = new RecordingCaller(client.engine);
      const outcomes: Promise<string>[] = [];
      for (let round = 0; round < 1_000; round++) {
        outcomes.push(caller.outcome(caller.request("a")));
        const made = enable("request", "a");
        isEnabled = true;
        const enabling = await made;
        outcomes.push(caller.outcome(caller.request("a")));
        if (round % 3 === 0) answer();
        if (round % 5 === 0) await settled();
        outcomes.push(caller.outcome(caller.request("a")));
        isEnabled = false;
        void enabling.close();
        outcomes.push(caller.outcome(caller.request("a")));
        if (round % 7 === 0) answer();
      }
      const all = Promise.all(outcomes);
      let isOver = false;
      void all.then(() => (isOver = true));
      while (!isOver) {
        answer();
        await settled();
      }
      const answered = (await all).filter((outcome) => outcome.startsWith("answered"));
      assert.equal(wrong, 0, "nothing is executed while it is not enabled");
      assert.equal(answered.length, executed, "the spy agrees");
      assert.ok(executed > 0 && executed <= 2_000);
      if (!isLater) assert.equal(executed, 2_000);
      assert.deepEqual(new Set(await all), new Set([DENIED, "answered done"]));
      await engine.close();
    });
});
