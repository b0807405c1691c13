/** What one principal may do through its engine, and what waits until that is known. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createAdmission, type Admitted } from "../../src/access/admission.ts";
import { Tenants } from "../../src/access/tenants.ts";
import type { Verb } from "../../src/access/access.ts";
import { LocalEngine } from "../../src/engine/local/local-engine.ts";
import { LintelError } from "../../src/message/failure.ts";
import { DEFAULT_LIMITS, type Limits } from "../../src/message/limits.ts";
import { createStream } from "../../src/stream/stream-pair.ts";
import {
  HoldingWorker,
  RecordingCaller,
  RecordingSubscriber,
  textMessage,
} from "../../src/testing/engine/actors.ts";
import { FakeClock } from "../../src/testing/fake-clock.ts";
import { TestAccess, type TestAccessOptions } from "../../src/testing/test-access.ts";

const CREDENTIALS = { gateway: "test", remote: "test" };
const CHANNEL = { receives: true, sends: true, messages: true };

interface Scene {
  readonly clock: FakeClock;
  readonly engine: LocalEngine;
  readonly access: TestAccess;
  readonly errors: unknown[];
  readonly admit: (token?: string) => Admitted;
}

function scene(options: TestAccessOptions = {}, limits: Partial<Limits> = {}): Scene {
  const clock = new FakeClock(1_000);
  const engine = new LocalEngine({ clock, limits });
  const access = new TestAccess(options);
  const errors: unknown[] = [];
  const admission = createAdmission(new Tenants(engine, { limits: { ...DEFAULT_LIMITS, ...limits } }), {
    access,
    limits: { ...DEFAULT_LIMITS, ...limits },
    timeOfDay: () => clock.now(),
    onError: (error) => errors.push(error),
  });
  const admit = (token?: string): Admitted => {
    const admitted = admission.admit({ ...CREDENTIALS, ...(token === undefined ? {} : { token }) });
    assert.ok(!(admitted instanceof Promise));
    return admitted;
  };
  return { clock, engine, access, errors, admit };
}

/** A promise that was decided is settled some microtasks later. */
async function settled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

const isReason =
  (reason: string) =>
  (error: unknown): boolean =>
    error instanceof LintelError && error.reason === reason;

const only =
  (...verbs: Verb[]) =>
  (verb: Verb): boolean =>
    verbs.includes(verb);

describe("an engine for a principal that may do nothing", () => {
  test("refuses every verb, and neither a worker nor a subscriber on > hears of it", async () => {
    const { engine, access, admit } = scene();
    const spy = await HoldingWorker.start(engine, ">");
    const subscriber = new RecordingSubscriber();
    engine.subscribe(">", subscriber);
    const { engine: guarded } = admit();
    const caller = new RecordingCaller(guarded);
    assert.equal(await caller.ask("a"), "PERMISSION_DENIED");
    assert.throws(() => guarded.publish(guarded.route("b"), textMessage("x")), isReason("PERMISSION_DENIED"));
    await assert.rejects(
      guarded.subscribe("c.*", new RecordingSubscriber()).ready,
      isReason("PERMISSION_DENIED"),
    );
    await assert.rejects(HoldingWorker.start(guarded, "d.>"), isReason("PERMISSION_DENIED"));
    assert.deepEqual([spy.jobs, subscriber.heard], [[], []]);
    assert.deepEqual(access.asked, [
      "nobody request a",
      "nobody publish b",
      "nobody subscribe c.*",
      "nobody serve d.>",
    ]);
    engine.publish(engine.route("c.d"), textMessage("mine"));
    assert.equal(new RecordingCaller(engine).request("x").handle, 1, "its own worker has the job");
    await engine.close();
  });

  test("refuses to open a channel, with or without an answer in its place", async () => {
    const { engine, access, admit } = scene({ allows: only("request") });
    const worker = await HoldingWorker.start(engine, "a");
    const { engine: guarded } = admit();
    const outcomes: string[] = [];
    const sink = {
      answered: () => outcomes.push("answered"),
      failed: (_tag: number, why: { reason: string }) => outcomes.push(why.reason),
    };
    for (const head of [":open:channel\n", ":open:channel\n:offer:channel\n"]) {
      const request = textMessage("x");
      const [near, far] = createStream(CHANNEL);
      request.head = head;
      request.streams = [far];
      const reset = new Promise<string>((resolve) => {
        near.listen({
          data: () => undefined,
          ended: () => undefined,
          granted: () => undefined,
          ready: () => true,
          writable: () => undefined,
          reset: (why) => resolve(why.reason),
        });
      });
      assert.equal(guarded.request(guarded.route("a"), request, 1_000, sink, 0), 0);
      assert.equal(await reset, "PERMISSION_DENIED");
    }
    assert.deepEqual(outcomes, ["PERMISSION_DENIED", "PERMISSION_DENIED"]);
    assert.deepEqual(access.asked, ["nobody open a", "nobody request a"]);
    assert.equal(worker.jobs.length, 0);
    await engine.close();
  });
});

describe("what was decided", () => {
  test("is asked once for each principal, verb and subject, and for equal principals together", async () => {
    const { engine, access, admit } = scene({ allows: () => true });
    await HoldingWorker.echo(engine, "a.*");
    for (const token of ["one", "two", "one"]) {
      const caller = new RecordingCaller(admit(token).engine);
      for (let count = 0; count < 3; count++) assert.equal(await caller.ask("a.b", "x"), "answered x");
    }
    assert.deepEqual(access.asked, ["one request a.b", "two request a.b"]);
    await engine.close();
  });

  test("is bounded: the oldest is forgotten, and asked again", async () => {
    const { engine, access, admit } = scene({ allows: () => true });
    const caller = new RecordingCaller(admit().engine);
    for (let count = 0; count <= 1_024; count++) await caller.ask(`a.${count}`);
    access.asked.length = 0;
    await caller.ask("a.1024");
    await caller.ask("a.0");
    assert.deepEqual(access.asked, ["nobody request a.0"]);
    await engine.close();
  });

  test("is forgotten when the principal is revoked, which ends what it has", async () => {
    const { engine, access, admit } = scene({ allows: () => true });
    const one = admit("one");
    const { engine: guarded } = one;
    const other = admit("two");
    const ends: string[] = [];
    one.watch((why) => ends.push(`one: ${why.reason}`));
    other.watch(() => ends.push("two"));
    const caller = new RecordingCaller(guarded);
    assert.equal(await caller.ask("a"), "NO_RESPONDERS");
    access.revoke("one");
    assert.deepEqual(ends, ["one: UNAUTHENTICATED"]);
    assert.equal(await caller.ask("a"), "UNAUTHENTICATED", "also by a session that has not ended yet");
    assert.equal(await new RecordingCaller(admit("one").engine).ask("a"), "NO_RESPONDERS");
    assert.deepEqual(access.asked, ["one request a", "one request a"]);
    await engine.close();
  });

  test("does not outlive a revocation that comes while it is asked", async () => {
    const { engine, access, admit } = scene({ allows: () => true });
    const { engine: guarded } = admit("one");
    await HoldingWorker.echo(engine, "a");
    access.slowDown();
    const caller = new RecordingCaller(guarded);
    const asked = caller.request("a");
    access.revoke("one");
    access.answer();
    assert.equal(await caller.outcome(asked), "UNAUTHENTICATED");
    await engine.close();
  });

  test("is not what an access could not tell", async () => {
    let fails = true;
    const allows = (): boolean => {
      if (fails) throw new Error("the database is gone");
      return true;
    };
    const { engine, access, admit, errors } = scene({ allows });
    await HoldingWorker.echo(engine, "a");
    const caller = new RecordingCaller(admit().engine);
    assert.equal(await caller.ask("a", "x"), "ACCESS_UNAVAILABLE");
    access.slowDown();
    const asked = caller.request("a", "x");
    access.answer();
    assert.equal(await caller.outcome(asked), "ACCESS_UNAVAILABLE");
    assert.match(String(errors[1]), /the database is gone/);
    fails = false;
    assert.equal(await caller.ask("a", "x"), "answered x");
    await engine.close();
  });
});

describe("while a decision is awaited", () => {
  test("a request waits with a copy of its message, and with what is left of its time", async () => {
    const { clock, engine, access, admit } = scene({ allows: () => true });
    const worker = await HoldingWorker.start(engine, "a");
    const { engine: guarded } = admit();
    access.slowDown();
    const caller = new RecordingCaller(guarded);
    const asked = [caller.request("a", "first", 1_000), caller.request("a", "second", 1_000)];
    clock.advance(200);
    assert.equal(worker.jobs.length, 0);
    access.answer();
    await worker.received(2);
    assert.deepEqual(access.asked, ["nobody request a"]);
    assert.deepEqual(
      worker.jobs.map(({ text, timeoutMs }) => [text, timeoutMs]),
      [
        ["first", 800],
        ["second", 800],
      ],
    );
    guarded.cancel(asked[1]!.handle);
    assert.equal(worker.canceled[0]?.job, worker.jobs[1]!.job, "its handle is good for what it has become");
    worker.reply(worker.jobs[0]!.job, "done");
    assert.equal(await caller.outcome(asked[0]!), "answered done");
    await engine.close();
  });

  test("a request ends at its deadline, or when it is canceled, and is made no more", async () => {
    const { clock, engine, access, admit } = scene({ allows: () => true });
    const worker = await HoldingWorker.start(engine, "a");
    const { engine: guarded } = admit();
    access.slowDown();
    const caller = new RecordingCaller(guarded);
    const late = caller.request("a", "late", 300);
    const canceled = caller.request("a", "canceled", 1_000);
    clock.advance(300);
    guarded.cancel(canceled.handle);
    access.answer();
    await settled();
    assert.deepEqual([caller.outcomes[late.tag], caller.outcomes[canceled.tag]], [["DEADLINE"], []]);
    assert.equal(worker.jobs.length, 0);
    assert.equal(clock.pending, 0, "no timer is left");
    await engine.close();
  });

  test("the bytes of what waits are bounded", async () => {
    const { engine, access, admit } = scene({ allows: () => true }, { queueBytes: 4_096, callerShare: 100 });
    const { engine: guarded } = admit();
    access.slowDown();
    const caller = new RecordingCaller(guarded);
    const first = caller.request("a", "x".repeat(3_000));
    assert.equal(await caller.ask("a", "x".repeat(3_000)), "QUEUE_FULL");
    guarded.cancel(first.handle);
    const again = caller.request("a", "x".repeat(3_000));
    access.answer();
    assert.equal(await caller.outcome(again), "NO_RESPONDERS");
    await engine.close();
  });

  test("publications keep their order, those behind included that need not wait", async () => {
    const { engine, access, admit } = scene({ allows: (_verb, subject) => subject !== "c" });
    const { engine: guarded } = admit();
    const subscriber = new RecordingSubscriber();
    engine.subscribe(">", subscriber);
    const publish = (subject: string, text: string): Promise<void> | undefined =>
      guarded.publish(guarded.route(subject), textMessage(text));
    assert.equal(publish("b", "0"), undefined);
    access.slowDown();
    const made = [publish("a", "1"), publish("b", "2"), publish("c", "3"), publish("a", "4")];
    assert.deepEqual(subscriber.heard, ["b 0"]);
    access.answer();
    const outcomes = await Promise.allSettled(made.map((one) => Promise.resolve(one)));
    assert.deepEqual(subscriber.heard, ["b 0", "a 1", "b 2", "a 4"]);
    assert.deepEqual(
      outcomes.map(({ status }) => status),
      ["fulfilled", "fulfilled", "rejected", "fulfilled"],
    );
    assert.equal(publish("b", "5"), undefined, "nothing waits any more");
    await engine.close();
  });

  test("a registration waits with its `ready`, and one that has left by then is not made", async () => {
    const { engine, access, admit } = scene({ allows: () => true });
    const { engine: guarded } = admit();
    access.slowDown();
    const [stays, leaves] = [new HoldingWorker(), new HoldingWorker()];
    stays.registration = guarded.serve("a", stays, { concurrency: 1 });
    leaves.registration = guarded.serve("b", leaves);
    const subscriber = new RecordingSubscriber();
    const subscription = guarded.subscribe("c", subscriber);
    stays.registration.capacity!.resize(0);
    await leaves.registration.leave();
    const caller = new RecordingCaller(engine);
    assert.equal(await caller.ask("a"), "NO_RESPONDERS");
    access.answer();
    await Promise.all([stays.registration.ready, subscription.ready]);
    await assert.rejects(leaves.registration.ready, isReason("CLOSED"));
    const asked = caller.request("a", "x");
    assert.equal(stays.jobs.length, 0, "it takes none yet");
    stays.registration.capacity!.resize(1);
    await stays.received(1);
    stays.reply(stays.jobs[0]!.job);
    assert.equal(await caller.outcome(asked), "answered done");
    assert.equal(await caller.ask("b"), "NO_RESPONDERS");
    engine.publish(engine.route("c"), textMessage("x"));
    assert.deepEqual(subscriber.heard, ["c x"]);
    await engine.close();
  });

  test("an access that never answers is given up", async () => {
    const { clock, engine, access, admit } = scene({}, { helloTimeout: 5_000 });
    const { engine: guarded } = admit();
    access.slowDown();
    const caller = new RecordingCaller(guarded);
    const asked = caller.request("a", "", 60_000);
    const { ready } = guarded.serve("b", new HoldingWorker());
    clock.advance(5_000);
    assert.equal(await caller.outcome(asked), "ACCESS_UNAVAILABLE");
    await assert.rejects(ready, isReason("ACCESS_UNAVAILABLE"));
    await engine.close();
  });
});
