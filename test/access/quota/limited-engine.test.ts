/** What a principal with limits can use, and that all of it comes back. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { PrincipalLimits } from "../../../src/access/access.ts";
import { createAdmission, type Admitted } from "../../../src/access/admission.ts";
import { Tenants } from "../../../src/access/tenants.ts";
import type { Engine } from "../../../src/engine/engine.ts";
import { LocalEngine } from "../../../src/engine/local/local-engine.ts";
import { LintelError } from "../../../src/message/failure.ts";
import { DEFAULT_LIMITS } from "../../../src/message/limits.ts";
import {
  HoldingWorker,
  RecordingCaller,
  RecordingSubscriber,
  textMessage,
} from "../../../src/testing/engine/actors.ts";
import { FakeClock } from "../../../src/testing/fake-clock.ts";
import { seededRandom } from "../../gateway/jobs/random.ts";

interface Scene {
  readonly clock: FakeClock;
  readonly engine: LocalEngine;
  readonly admit: (token?: string) => Admitted;
  readonly revoke: (token: string) => void;
  readonly refused: () => number;
}

/** Each token is a principal of its name; what follows a slash makes it another key of the same principal. */
function scene(limitsOf: (token: string) => PrincipalLimits | undefined): Scene {
  const clock = new FakeClock(1_000);
  const engine = new LocalEngine({ clock });
  let revoked: ((principal: { id: string; tenant: string; role: string }) => void) | undefined;
  const principalOf = (token: string): { id: string; tenant: string; role: string } => ({
    id: token.split("/")[0]!,
    tenant: "main",
    role: token,
  });
  const access = {
    authenticate: ({ token = "ada" }) => principalOf(token),
    may: () => true,
    limitsOf: ({ role }: { role: string }) => limitsOf(role),
    onRevoked: (listener: typeof revoked) => void (revoked = listener),
  };
  const admission = createAdmission(new Tenants(engine), { access, limits: DEFAULT_LIMITS });
  const admit = (token?: string): Admitted => {
    const admitted = admission.admit({ gateway: "test", remote: "test", token });
    assert.ok(!(admitted instanceof Promise));
    return admitted;
  };
  const revoke = (token: string): void => revoked?.(principalOf(token));
  return { clock, engine, admit, revoke, refused: () => admission.stats.overLimit };
}

const limited = (limits: PrincipalLimits): Scene => scene(() => limits);

const isReason =
  (reason: string) =>
  (error: unknown): boolean =>
    error instanceof LintelError && error.reason === reason;

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("requests a second", () => {
  test("pass up to the burst, then by the rate; what is refused reaches no worker and says when to come again", async () => {
    const { clock, engine, admit, refused } = limited({ requestsPerSecond: 10, burst: 5 });
    const worker = await HoldingWorker.echo(engine, "a");
    const caller = new RecordingCaller(admit().engine);
    for (let index = 0; index < 5; index++) assert.equal(await caller.ask("a"), "answered ");
    assert.equal(await caller.ask("a"), "RATE_LIMITED");
    assert.equal(worker.jobs.length, 5);
    assert.equal(caller.isRetryable({ tag: 5 }), true);
    clock.advance(99);
    assert.equal(await caller.ask("a"), "RATE_LIMITED");
    clock.advance(1);
    assert.equal(await caller.ask("a"), "answered ");
    assert.equal(worker.jobs.length, 6);
    assert.equal(refused(), 2);
  });

  test("count publications too, which then throw, with the delay", async () => {
    const { engine, admit } = limited({ requestsPerSecond: 4, burst: 1 });
    const subscriber = new RecordingSubscriber();
    engine.subscribe(">", subscriber);
    const own = admit().engine;
    void own.publish(own.route("a"), textMessage("one"));
    assert.throws(
      () => own.publish(own.route("a"), textMessage("two")),
      (error) =>
        error instanceof LintelError && error.reason === "RATE_LIMITED" && error.retryAfterMs === 250,
    );
    await settled();
    assert.deepEqual(subscriber.heard, ["a one"]);
  });

  test("are one bucket for all sessions, keys and gateways of a principal, and another principal has its own", async () => {
    const { engine, admit } = limited({ requestsPerSecond: 1, burst: 2 });
    await HoldingWorker.echo(engine, "a");
    assert.equal(await new RecordingCaller(admit("ada/http").engine).ask("a"), "answered ");
    assert.equal(await new RecordingCaller(admit("ada/native").engine).ask("a"), "answered ");
    assert.equal(await new RecordingCaller(admit("ada/third").engine).ask("a"), "RATE_LIMITED");
    assert.equal(await new RecordingCaller(admit("bob").engine).ask("a"), "answered ");
  });

  test("do not come back by a new session, by a new key, by revocation, or among many others", async () => {
    const { engine, admit, revoke } = limited({ requestsPerSecond: 1, burst: 1 });
    await HoldingWorker.echo(engine, "a");
    assert.equal(await new RecordingCaller(admit("ada/0").engine).ask("a"), "answered ");
    for (let index = 0; index < 1_200; index++) admit(`other ${index}`);
    for (let index = 1; index < 10; index++) {
      assert.equal(await new RecordingCaller(admit(`ada/${index}`).engine).ask("a"), "RATE_LIMITED");
      revoke(`ada/${index}`);
    }
  });

  test("may be none", async () => {
    const { clock, engine, admit } = limited({ requestsPerSecond: 0 });
    await HoldingWorker.echo(engine, "a");
    const caller = new RecordingCaller(admit().engine);
    assert.equal(await caller.ask("a"), "RATE_LIMITED");
    clock.advance(1e9);
    assert.equal(await caller.ask("a"), "RATE_LIMITED");
  });
});

test("bytes: a message may be larger than what is left, and those behind it wait for all of it", async () => {
  const { clock, engine, admit } = limited({ bytesPerSecond: 1_000 });
  await HoldingWorker.echo(engine, "a");
  const caller = new RecordingCaller(admit().engine);
  assert.equal(await caller.ask("a", "x".repeat(5_000)), `answered ${"x".repeat(5_000)}`);
  assert.equal(await caller.ask("a", "x"), "RATE_LIMITED");
  clock.advance(3_000);
  assert.equal(await caller.ask("a", "x"), "RATE_LIMITED");
  clock.advance(1);
  assert.equal(await caller.ask("a", "x"), "answered x");
});

describe("requests in flight", () => {
  const inFlight = async (): Promise<
    Scene & { own: Admitted; worker: HoldingWorker; caller: RecordingCaller }
  > => {
    const all = limited({ inFlight: 2 });
    const worker = await HoldingWorker.start(all.engine, "a", { concurrency: 10 });
    const own = all.admit();
    return { ...all, own, worker, caller: new RecordingCaller(own.engine) };
  };

  test("come back with each kind of end", async () => {
    const { clock, engine, own, worker, caller } = await inFlight();
    const ask = (timeoutMs?: number): { tag: number; handle: number } => caller.request("a", "", timeoutMs);
    const full = async (): Promise<void> => {
      assert.equal(own.quota?.inFlight, 2);
      assert.equal(await caller.ask("a"), "QUOTA_EXCEEDED");
    };
    ask();
    const second = ask();
    await full();
    worker.reply(worker.jobs[0]!.job);
    assert.equal(own.quota?.inFlight, 1);
    worker.fail(worker.jobs[1]!.job);
    assert.equal(await caller.outcome(second), "SOURCE_FAILED");
    assert.equal(own.quota?.inFlight, 0);
    const canceled = ask();
    const late = ask(100);
    await full();
    own.engine.cancel(canceled.handle);
    own.engine.cancel(canceled.handle);
    assert.equal(own.quota?.inFlight, 1);
    clock.advance(100);
    assert.equal(await caller.outcome(late), "DEADLINE");
    assert.equal(own.quota?.inFlight, 0);
    assert.equal(await caller.ask("nobody"), "NO_RESPONDERS");
    const lost = [ask(), ask()];
    await full();
    worker.registration.lose();
    for (const one of lost) assert.equal(await caller.outcome(one), "WORKER_LOST");
    assert.equal(own.quota?.inFlight, 0);
    const other = await HoldingWorker.start(engine, "a");
    const closed = ask();
    await other.received(1);
    await engine.close();
    assert.equal(await caller.outcome(closed), "CLOSED");
    assert.equal(own.quota?.inFlight, 0);
  });

  test("a worker that answers within its call leaves nothing", async () => {
    const { engine, admit } = limited({ inFlight: 1 });
    await HoldingWorker.echo(engine, "a");
    const own = admit();
    const caller = new RecordingCaller(own.engine);
    for (let index = 0; index < 10; index++) assert.equal(await caller.ask("a", "x"), "answered x");
    assert.equal(own.quota?.inFlight, 0);
  });

  test("what may not be made leaves nothing", async () => {
    const clock = new FakeClock();
    const access = {
      authenticate: () => ({ id: "ada", tenant: "main", role: "client" }),
      may: () => false,
      limitsOf: () => ({ inFlight: 1, subscriptions: 1 }),
    };
    const admission = createAdmission(new Tenants(new LocalEngine({ clock })), {
      access,
      limits: DEFAULT_LIMITS,
    });
    const own = admission.admit({ gateway: "test", remote: "test" }) as Admitted;
    const caller = new RecordingCaller(own.engine);
    for (let index = 0; index < 3; index++) assert.equal(await caller.ask("a"), "PERMISSION_DENIED");
    for (let index = 0; index < 3; index++) {
      const { ready } = own.engine.subscribe("a", new RecordingSubscriber());
      await assert.rejects(ready, isReason("PERMISSION_DENIED"));
      await settled();
    }
    assert.deepEqual([own.quota?.inFlight, own.quota?.subscriptions], [0, 0]);
  });
});

test("subscriptions come back when they are closed, once each", async () => {
  const { admit } = limited({ subscriptions: 2 });
  const own = admit();
  const one = own.engine.subscribe("a", new RecordingSubscriber());
  admit().engine.subscribe("b", new RecordingSubscriber());
  assert.throws(() => own.engine.subscribe("c", new RecordingSubscriber()), isReason("QUOTA_EXCEEDED"));
  one.close();
  one.close();
  assert.equal(own.quota?.subscriptions, 1);
  assert.throws(
    () => own.engine.subscribe("not a pattern", new RecordingSubscriber()),
    isReason("BAD_SUBJECT"),
  );
  own.engine.subscribe("c", new RecordingSubscriber());
  assert.equal(own.quota?.subscriptions, 2);
});

test("a principal without limits has the engine that it would have had", () => {
  const { admit } = scene((token) => (token === "ada" ? { connections: 1 } : {}));
  assert.notEqual(admit("ada").quota, undefined);
  assert.equal(admit("bob").quota, undefined);
  assert.equal(admit("bob").engine.constructor.name, "GuardedEngine");
});

test("limits that are none let nobody in", () => {
  for (const wrong of [
    { inFlight: -1 },
    { burst: NaN, requestsPerSecond: 1 },
    { burst: 4 },
    { requests: 4 },
  ]) {
    const { admit } = scene(() => wrong);
    assert.throws(() => admit(), isReason("ACCESS_UNAVAILABLE"), JSON.stringify(wrong));
  }
});

test("10,000 random operations keep the counts right and leak nothing", async () => {
  const seed = Math.floor(Math.random() * 2 ** 32);
  const random = seededRandom(seed);
  const pick = (below: number): number => Math.floor(random() * below);
  const limits = { connections: 5, requestsPerSecond: 200, burst: 50, inFlight: 20, subscriptions: 10 };
  const { clock, engine, admit } = limited(limits);
  let worker = await HoldingWorker.start(engine, "a", { concurrency: 30 });
  const own = admit("ada/0");
  const quota = own.quota!;
  const engines: Engine[] = Array.from({ length: 4 }, (_none, index) => admit(`ada/${index}`).engine);
  const callers = engines.map((one) => new RecordingCaller(one));
  const open: { caller: RecordingCaller; engine: Engine; tag: number; handle: number }[] = [];
  const subscriptions: { close(): void }[] = [];
  let connections = 0;
  let canceled = 0;
  const operations = [
    () => {
      const index = pick(4);
      const caller = callers[index]!;
      const asked = caller.request("a", "", 1 + pick(500));
      if (asked.handle !== 0) open.push({ caller, engine: engines[index]!, ...asked });
    },
    () => {
      const { job } = worker.jobs[pick(worker.jobs.length)] ?? { job: 0 };
      if (random() < 0.5) worker.reply(job);
      else worker.fail(job);
    },
    () => {
      const [one] = open.splice(pick(open.length), 1);
      if (one === undefined || one.caller.outcomes[one.tag]!.length > 0) return;
      one.engine.cancel(one.handle);
      canceled++;
    },
    () => clock.advance(pick(40)),
    () => {
      try {
        subscriptions.push(engines[pick(4)]!.subscribe("s.*", new RecordingSubscriber()));
      } catch (error) {
        assert.ok(isReason("QUOTA_EXCEEDED")(error));
      }
    },
    () => subscriptions.splice(pick(subscriptions.length), 1)[0]?.close(),
    () => {
      if (quota.takeConnection() === undefined) connections++;
      else assert.equal(connections, 5);
    },
    () => {
      if (connections === 0) return;
      quota.giveConnection();
      connections--;
    },
  ];
  const check = (): void => {
    const made = callers.reduce((sum, { outcomes }) => sum + outcomes.length, 0);
    const ended = callers.reduce(
      (sum, { outcomes }) => sum + outcomes.filter((one) => one.length > 0).length,
      0,
    );
    assert.equal(quota.inFlight, made - ended - canceled, `seed ${seed}`);
    assert.ok(quota.inFlight <= 20 && quota.subscriptions <= 10 && quota.connections <= 5, `seed ${seed}`);
    assert.equal(quota.connections, connections, `seed ${seed}`);
    assert.equal(quota.subscriptions, subscriptions.length, `seed ${seed}`);
  };
  for (let index = 0; index < 10_000; index++) {
    operations[pick(operations.length)]!();
    if (index % 500 !== 499) continue;
    check();
    worker.registration.lose();
    worker = await HoldingWorker.start(engine, "a", { concurrency: 30 });
  }
  worker.registration.lose();
  for (const subscription of subscriptions.splice(0)) subscription.close();
  for (; connections > 0; connections--) quota.giveConnection();
  check();
  assert.deepEqual([quota.inFlight, quota.subscriptions, quota.connections], [0, 0, 0], `seed ${seed}`);
  clock.advance(10_000);
  assert.ok(quota.isIdle(clock.now()));
  await engine.close();
});
