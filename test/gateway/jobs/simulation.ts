import assert from "node:assert/strict";
import type { Engine } from "../../../src/engine/engine.ts";
import { LocalEngine } from "../../../src/engine/local/local-engine.ts";
import { JobTable } from "../../../src/gateway/jobs/job-table.ts";
import { isOut, type Job, type JobState } from "../../../src/gateway/jobs/job.ts";
import { PullWorker, type Poll } from "../../../src/gateway/jobs/worker.ts";
import type { Registration, Sink, Worker } from "../../../src/message/delivery.ts";
import { failure, type Failure } from "../../../src/message/failure.ts";
import type { Message } from "../../../src/message/message.ts";
import { FakeClock } from "../../../src/testing/index.ts";
import { textMessage, textOf } from "../../broker/harness.ts";

/** One thing that happens. Numbers choose among what is there. */
export interface Step {
  readonly kind: (typeof KINDS)[number];
  readonly pick: number;
  readonly more: number;
}

export const KINDS = [
  "request",
  "poll",
  "gone",
  "taken",
  "lost",
  "answer",
  "fail",
  "release",
  "extend",
  "late",
  "cancel",
  "push",
  "push-reply",
  "push-lose",
  "advance",
] as const;

const LIMITS = { inFlight: 40, queue: 8, concurrency: 2 };
/** The step of a timer, and its rounding up to a millisecond. */
const LATE_MS = 6;

interface Asked {
  readonly tag: number;
  readonly deadline: number;
  handle: number;
  outcome: string | undefined;
  /** Workers that have seen it and not said that they did nothing. */
  seen: number;
}

/** A poll that notes what it is given. */
class NotedPoll implements Poll {
  room: number;
  readonly leaseMs: number | undefined;
  readonly jobs: Job[] = [];
  #onTake: (job: Job) => void;

  constructor(room: number, leaseMs: number | undefined, onTake: (job: Job) => void) {
    this.room = room;
    this.leaseMs = leaseMs;
    this.#onTake = onTake;
  }

  take(job: Job): void {
    assert.ok(this.room > 0, "a poll is given no more than it asked for");
    this.room--;
    this.jobs.push(job);
    this.#onTake(job);
  }

  refuse(): void {
    this.room = 0;
  }
}

/** Polls and a push worker of one service under random use, beside an account of what must be true of them. */
export class Simulation implements Sink {
  readonly clock = new FakeClock(500.25);
  readonly local = new LocalEngine({ clock: this.clock, limits: LIMITS });
  readonly requests: Asked[] = [];
  readonly jobs: Job[] = [];
  readonly states = new Set<JobState>();
  readonly #engine: Engine;
  readonly #attempts: number;
  readonly #table: JobTable;
  readonly #service: PullWorker;
  readonly #polls: NotedPoll[] = [];
  readonly #pushers: Pusher[] = [];
  readonly #tags = new Map<Job, number>();
  #lastId = 0;

  /** `places`: the engine lets its workers say how much they take. */
  constructor(attempts: number, places: boolean) {
    this.#attempts = attempts;
    this.#engine = places ? this.local : withoutPlaces(this.local);
    this.#table = new JobTable({
      clock: this.clock,
      newId: () => `job-${++this.#lastId}`,
      remembered: 20,
    });
    const options = { attempts, leaseMs: undefined };
    this.#service = new PullWorker(this.#engine, this.#table, "a", options, (why) => assert.fail(why.reason));
  }

  step({ kind, pick, more }: Step): void {
    const out = this.jobs.filter(isOut);
    const job = out[pick % out.length];
    if (kind === "request") this.#request(5 + (more % 60));
    else if (kind === "poll") this.#poll(1 + (pick % 3), more % 2 === 0 ? undefined : 5 + (more % 20));
    else if (kind === "gone") this.#gone(this.#polls[pick % this.#polls.length]);
    else if (kind === "cancel") this.#cancel(this.requests[pick % this.requests.length]);
    else if (kind === "late") this.#late(this.jobs[pick % this.jobs.length]);
    else if (kind === "push") this.#push(1 + (more % 2));
    else if (kind === "push-reply") this.#pushers[pick % this.#pushers.length]?.reply(more);
    else if (kind === "push-lose") this.#lose(pick);
    else if (kind === "advance") this.clock.advance(more % 12);
    else if (job !== undefined) this.#act(kind, job, more);
    this.clock.advance(0);
    this.check();
  }

  check(): void {
    for (const job of this.jobs) this.states.add(job.state);
    const out = this.jobs.filter(isOut);
    const numbers = out.map((job) => job.number);
    assert.equal(new Set(numbers).size, numbers.length, "a request is with one worker at a time");
    assert.ok(this.#table.size >= out.length);
    for (const { tag, outcome, deadline, seen } of this.requests) {
      assert.ok(outcome !== undefined || this.clock.now() <= deadline + LATE_MS, `request ${tag} is overdue`);
      assert.ok(seen <= this.#attempts, `request ${tag} was seen by ${seen} workers`);
    }
    for (const { leaseEnds, state } of out) {
      assert.ok(this.clock.now() <= leaseEnds + LATE_MS, `${state} after the end of its lease`);
    }
    const open = this.requests.filter(({ outcome }) => outcome === undefined).length;
    assert.equal(this.local.inFlight, open);
    const waiting = open - out.length - this.#pushers.reduce((sum, one) => sum + one.held.length, 0);
    if (waiting > 0 && this.#engine === this.local) {
      assert.ok(
        this.#polls.every(({ room }) => room === 0),
        "nothing waits while a poll has room",
      );
    }
  }

  /** Lets everything end and checks that nothing is left. */
  finish(): void {
    this.clock.advance(2_000);
    this.check();
    for (const { tag, outcome } of this.requests)
      assert.ok(outcome !== undefined, `request ${tag} never ended`);
    assert.equal(this.#table.size, 0, "no job is left");
    for (const poll of this.#polls) this.#service.close(poll);
    assert.ok(this.#service.isIdle);
    this.#table.close();
    void this.local.close();
    assert.equal(this.clock.pending, 0);
  }

  answered(tag: number, answer: Message): void {
    assert.match(textOf(answer), /^(?:pulled|pushed) /);
    this.#ended(tag, textOf(answer).split(" ", 1)[0]!);
  }

  failed(tag: number, why: Failure): void {
    this.#ended(tag, why.reason);
  }

  #ended(tag: number, outcome: string): void {
    const request = this.requests[tag]!;
    assert.equal(request.outcome, undefined, `request ${tag} has ended before`);
    request.outcome = outcome;
  }

  #request(timeoutMs: number): void {
    const tag = this.requests.length;
    const deadline = this.clock.now() + timeoutMs;
    const asked: Asked = { tag, deadline, handle: 0, outcome: undefined, seen: 0 };
    this.requests.push(asked);
    const route = this.#engine.route("a");
    asked.handle = this.#engine.request(route, textMessage(String(tag)), timeoutMs, this, tag);
  }

  #cancel(request: Asked | undefined): void {
    if (request === undefined || request.outcome !== undefined) return;
    request.outcome = "canceled";
    this.#engine.cancel(request.handle);
  }

  #poll(room: number, leaseMs: number | undefined): void {
    if (this.#polls.filter((one) => one.room > 0).length >= 5) return;
    const poll = new NotedPoll(room, leaseMs, (job) => this.#given(job));
    this.#polls.push(poll);
    this.#service.open(poll);
  }

  #given(job: Job): void {
    assert.ok(!this.jobs.some(({ id }) => id === job.id), "an id is given once");
    this.jobs.push(job);
    this.#tags.set(job, Number(textOf(job.request!)));
    const request = this.#requestOf(job);
    assert.equal(request.outcome, undefined, "what has ended is not handed out");
    assert.ok(this.clock.now() < request.deadline, "what has expired is not handed out");
    assert.ok(job.deadline <= request.deadline + 0.001 && job.leaseEnds <= job.deadline);
    request.seen++;
  }

  /** The connection of a poll ends: what it was given and nobody has dealt with comes back. */
  #gone(poll: NotedPoll | undefined): void {
    if (poll === undefined) return;
    this.#service.close(poll);
    poll.room = 0;
    for (const job of poll.jobs) if (isOut(job)) this.#lost(job);
  }

  #act(kind: Step["kind"], job: Job, more: number): void {
    const request = this.#requestOf(job);
    if (kind === "taken") this.#table.taken(job);
    else if (kind === "lost") this.#lost(job);
    else if (kind === "extend") this.#extend(job, more % 30);
    else if (kind === "release") {
      request.seen--;
      this.#service.release(job);
    } else {
      const text = textMessage(`pulled ${request.tag}`);
      const done =
        kind === "answer"
          ? this.#service.answer(job, text)
          : this.#service.fail(job, failure("HANDLER_FAILED"));
      assert.equal(done, true, "who has a job may end it");
      assert.equal(request.outcome, kind === "answer" ? "pulled" : "HANDLER_FAILED");
    }
  }

  #lost(job: Job): void {
    this.#requestOf(job).seen--;
    this.#service.lost(job);
  }

  #extend(job: Job, leaseMs: number): void {
    const before = job.leaseEnds;
    this.#table.extend(job, leaseMs);
    assert.ok(job.leaseEnds >= before && job.leaseEnds <= job.deadline);
  }

  /** Whoever has lost a job changes nothing by what it says of it. */
  #late(job: Job | undefined): void {
    if (job === undefined || isOut(job)) return;
    const before = JSON.stringify(this.requests);
    assert.equal(this.#service.answer(job, textMessage(`pulled late`)), false);
    assert.equal(this.#service.fail(job, failure("HANDLER_FAILED")), false);
    this.#service.release(job);
    this.#service.lost(job);
    this.#table.taken(job);
    this.#table.extend(job, 100);
    assert.equal(JSON.stringify(this.requests), before);
  }

  #push(concurrency: number): void {
    if (this.#pushers.length >= 2) return;
    const seen = (text: string): void => void this.requests[Number(text)]!.seen++;
    this.#pushers.push(new Pusher(this.local, concurrency, seen));
  }

  #lose(pick: number): void {
    const [pusher] = this.#pushers.splice(pick % Math.max(1, this.#pushers.length), 1);
    if (pusher === undefined) return;
    pusher.held.length = 0;
    pusher.registration.lose();
  }

  #requestOf(job: Job): Asked {
    return this.requests[this.#tags.get(job)!]!;
  }
}

/** A worker that is sent its requests. */
class Pusher implements Worker {
  readonly held: { job: number; text: string }[] = [];
  readonly registration: Registration;
  readonly #seen: (text: string) => void;

  constructor(engine: Engine, concurrency: number, seen: (text: string) => void) {
    this.#seen = seen;
    this.registration = engine.serve("a", this, { concurrency });
  }

  execute(job: number, _route: unknown, request: Message): void {
    const text = textOf(request);
    this.held.push({ job, text });
    this.#seen(text);
  }

  cancel(job: number): void {
    this.held.splice(
      this.held.findIndex((one) => one.job === job),
      1,
    );
  }

  reply(pick: number): void {
    const [held] = this.held.splice(pick % Math.max(1, this.held.length), 1);
    if (held === undefined) return;
    assert.equal(this.registration.reply(held.job, textMessage(`pushed ${held.text}`)), true);
  }
}

/** As engines are whose workers cannot say how much they take. */
function withoutPlaces(engine: LocalEngine): Engine {
  return new Proxy<Engine>(engine, {
    get(target, name) {
      if (name === "serve") {
        return (...args: Parameters<Engine["serve"]>) => ({ ...target.serve(...args), places: undefined });
      }
      const value: unknown = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
