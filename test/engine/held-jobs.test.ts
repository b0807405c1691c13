import assert from "node:assert/strict";
import { test } from "node:test";
import { HeldJobs } from "../../src/engine/held-jobs.ts";
import { failure, type Failure } from "../../src/message/failure.ts";
import type { Registration } from "../../src/message/delivery.ts";
import { Message } from "../../src/message/message.ts";

const ANSWER = Message.ofBytes(Buffer.from("1"));

/** A registration whose engine takes outcomes for the jobs in `held`. */
class FakeRegistration implements Registration {
  readonly ready: Promise<void> = Promise.resolve();
  readonly held = new Set<number>();
  readonly sizes: number[] = [];
  readonly failed: Failure[] = [];
  isLost = false;
  left: () => void = () => undefined;
  releases = true;
  onRelease: (job: number) => void = () => undefined;
  readonly capacity = {
    resize: (places: number): void => void this.sizes.push(places),
    detach: (): void => undefined,
    release: (job: number): boolean => {
      if (!this.releases) return false;
      this.held.delete(job);
      this.onRelease(job);
      return true;
    },
  };

  reply(job: number): boolean {
    return this.held.delete(job);
  }

  fail(job: number, why: Failure): boolean {
    this.failed.push(why);
    return this.held.delete(job);
  }

  leave(): Promise<void> {
    return new Promise((resolve) => (this.left = resolve));
  }

  lose(): void {
    this.isLost = true;
  }
}

interface Bench<J> {
  readonly jobs: HeldJobs<J>;
  readonly registration: FakeRegistration;
  readonly gone: () => number;
  readonly hand: (job: number, own?: J) => void;
}

function bench<J>(): Bench<J> {
  let gone = 0;
  const registration = new FakeRegistration();
  const jobs = new HeldJobs<J>(8, () => gone++);
  void jobs.join(registration);
  const hand = (job: number, own?: J): void => {
    registration.held.add(job);
    jobs.hold(job, own);
  };
  return { jobs, registration, gone: () => gone, hand };
}

test("a job ends once: what comes later is the engine's to refuse, and changes nothing", () => {
  const { jobs, hand } = bench<string>();
  hand(1, "one");
  hand(2, "two");
  assert.deepEqual([...jobs.own], ["one", "two"]);
  assert.equal(jobs.reply(1, ANSWER), true);
  assert.equal(jobs.reply(1, ANSWER), false);
  assert.equal(jobs.fail(1, failure("HANDLER_FAILED")), false);
  assert.equal(jobs.take(1), undefined);
  assert.equal(jobs.size, 1);
  assert.equal(jobs.take(2), "two");
  assert.equal(jobs.take(2), undefined);
  assert.equal(jobs.size, 0);
});

test("jobs for which nothing is kept are counted, and those of others are not", () => {
  const { jobs, hand } = bench();
  hand(1);
  hand(2);
  assert.equal(jobs.reply(77, ANSWER), false);
  assert.equal(jobs.size, 2);
  assert.equal(jobs.fail(1, failure("HANDLER_FAILED")), true);
  jobs.canceled(); // the engine has withdrawn the other one
  assert.equal(jobs.size, 0);
});

test("an answer that the engine takes no more ends what is kept for the job all the same", () => {
  const { jobs, registration, hand } = bench<string>();
  hand(1, "one");
  registration.held.clear();
  assert.equal(jobs.reply(1, ANSWER), false);
  assert.equal(jobs.size, 0);
  assert.deepEqual([...jobs.own], []);
});

test("a worker that has left is gone with its last job, by whichever way that ends", async () => {
  for (const end of ["reply", "fail", "take"] as const) {
    const { jobs, registration, gone, hand } = bench<string>();
    hand(1, "one");
    const left = jobs.leave();
    assert.equal(jobs.leave(), left, "it leaves once");
    registration.left();
    await left;
    assert.equal(gone(), 0, end);
    if (end === "reply") jobs.reply(1, ANSWER);
    else if (end === "fail") jobs.fail(1, failure("HANDLER_FAILED"));
    else jobs.take(1);
    assert.equal(gone(), 1, end);
  }
});

test("a worker is not gone while jobs may still come", async () => {
  const { jobs, registration, gone, hand } = bench();
  const left = jobs.leave();
  hand(1); // on its way when it left
  jobs.reply(1, ANSWER);
  assert.equal(gone(), 0);
  registration.left();
  await left;
  assert.equal(gone(), 1);
});

test("while it is paused it takes nothing, and afterwards what was last asked for", () => {
  const { jobs, registration } = bench();
  assert.equal(jobs.resume(), false);
  assert.equal(jobs.pause(), true);
  assert.equal(jobs.pause(), false);
  jobs.resize(3);
  assert.deepEqual(registration.sizes, [0]);
  assert.equal(jobs.resume(), true);
  assert.deepEqual(registration.sizes, [0, 3]);
});

test("who was paused before it joined takes nothing", () => {
  const registration = new FakeRegistration();
  const jobs = new HeldJobs(8);
  jobs.pause();
  void jobs.join(registration);
  assert.deepEqual(registration.sizes, [0]);
  jobs.resume();
  assert.deepEqual(registration.sizes, [0, 8]);
});

test("a job that is given back may come again before that returns", () => {
  const { jobs, registration, hand } = bench<string>();
  hand(1, "first");
  registration.onRelease = (job) => hand(job, "second");
  jobs.release(1, ANSWER, true, failure("WORKER_LOST"));
  assert.deepEqual([...jobs.own], ["second"]);
  assert.equal(jobs.size, 1);
});

test("a job that nobody is left to take fails", () => {
  const { jobs, registration, hand } = bench<string>();
  hand(1, "one");
  registration.releases = false;
  jobs.release(1, ANSWER, true, failure("WORKER_LOST"));
  assert.deepEqual(
    registration.failed.map(({ reason }) => reason),
    ["WORKER_LOST"],
  );
  assert.equal(jobs.size, 0);
});

test("a worker that is lost leaves its jobs to the engine", () => {
  const { jobs, registration } = bench();
  jobs.lose();
  assert.ok(registration.isLost);
});
