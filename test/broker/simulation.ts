import assert from "node:assert/strict";
import { Broker } from "../../src/broker/broker.ts";
import type { Registration, Route, Sink, Worker } from "../../src/message/delivery.ts";
import { failure, type Failure } from "../../src/message/failure.ts";
import type { Message } from "../../src/message/message.ts";
import type { Origin } from "../../src/message/origin.ts";
import type { SettledRequest } from "../../src/observe/observer.ts";
import { FakeClock } from "../../src/testing/index.ts";
import { textMessage, textOf } from "./harness.ts";

/** One thing that happens. Numbers choose among what is there; see `Simulation.step`. */
export interface Step {
  readonly kind: "serve" | "leave" | "lose" | "request" | "reply" | "fail" | "late" | "cancel" | "advance";
  readonly pick: number;
  readonly more: number;
}

export const PATTERNS = ["a", "b", "*"] as const;
export const LIMITS = { inFlight: 24, queue: 6, concurrency: 3 };
/** The step of the deadline timer, and its rounding up to a millisecond. */
const LATE_MS = 6;

/** What a worker does with a job when it gets it. */
const HABITS = ["hold", "hold", "hold", "hold", "reply", "fail", "leave", "lose", "cancel", "ask"] as const;

interface Request {
  readonly tag: number;
  readonly deadline: number;
  /** The pattern whose group it went to; undefined when there was none. */
  readonly pattern: string | undefined;
  handle: number;
  executions: number;
  outcome: string | undefined;
  /** How often an observer has heard of its outcome. */
  observed: number;
}

/** A broker under random use, beside a simple account of what must be true of it. */
export class Simulation implements Sink {
  readonly clock = new FakeClock(500.25);
  readonly broker = new Broker({
    clock: this.clock,
    limits: LIMITS,
    observer: { settled: (request) => this.#settled(request) },
  });
  /** Everything that was seen, in order. */
  readonly trace: string[] = [];
  readonly requests: Request[] = [];
  readonly workers: SimulatedWorker[] = [];

  step({ kind, pick, more }: Step): void {
    const serving = this.workers.filter((worker) => worker.serving);
    const holding = this.workers.filter((worker) => worker.held.length > 0);
    const worker =
      kind === "reply" || kind === "fail" ? holding[pick % holding.length] : serving[pick % serving.length];
    this.trace.push(`- ${kind} ${pick} ${more}`);
    if (kind === "serve") this.#serve(PATTERNS[pick % PATTERNS.length]!, 1 + (more % 4));
    else if (kind === "request") this.request(["a", "b", "c"][pick % 3]!, more, 1 + (more % 60));
    else if (kind === "cancel") this.cancel(this.requests[pick % this.requests.length]);
    else if (kind === "advance") this.clock.advance(more % 25);
    else if (kind === "late") this.#answerWhatIsNotHeld(pick, more);
    else worker?.act(kind, more);
    this.clock.advance(0); // workers that joined begin
    this.check();
  }

  request(subject: string, habit: number, timeoutMs: number): void {
    const tag = this.requests.length;
    const pattern = [subject, "*"].find((one) =>
      this.workers.some((worker) => worker.serving && worker.pattern === one),
    );
    const deadline = this.clock.now() + timeoutMs;
    const request: Request = {
      tag,
      deadline,
      pattern,
      handle: 0,
      executions: 0,
      outcome: undefined,
      observed: 0,
    };
    this.requests.push(request);
    const message = textMessage(`${tag} ${HABITS[habit % HABITS.length]}`);
    const handle = this.broker.request(this.broker.route(subject), message, timeoutMs, this, tag);
    assert.equal(
      handle === 0,
      request.outcome !== undefined,
      "a handle for what has not ended, 0 for what has",
    );
    request.handle = handle;
  }

  cancel(request: Request | undefined): void {
    if (request === undefined) return;
    if (request.outcome === undefined) this.#ended(request, "canceled");
    this.broker.cancel(request.handle);
  }

  originOf(tag: number): Origin {
    assert.ok(this.requests[tag] !== undefined);
    return { gateway: "simulation", remote: String(tag), principal: undefined };
  }

  answered(tag: number, answer: Message): void {
    assert.equal(textOf(answer), `answer ${tag}`, "the answer to this request and no other");
    this.#ended(this.requests[tag]!, "answered");
  }

  failed(tag: number, why: Failure): void {
    this.#ended(this.requests[tag]!, why.reason);
    if (why.reason === "NO_RESPONDERS" || why.reason === "QUEUE_FULL") return;
    if (tag % 3 === 0 && this.requests.length < 400) this.request("b", tag, 20); // some callers try again at once
  }

  /** Called by a worker that gets a job. */
  executed(worker: SimulatedWorker, job: number, tag: number): void {
    const request = this.requests[tag]!;
    this.trace.push(`${worker.name} executes ${tag}`);
    assert.equal(request.outcome, undefined, "what has ended is not executed");
    assert.equal(++request.executions, 1, "nothing is executed twice");
    assert.equal(request.pattern, worker.pattern);
    assert.ok(this.clock.now() < request.deadline, "what has expired is not executed");
    assert.ok(worker.serving, "who has left gets nothing");
    request.handle = job;
  }

  check(): void {
    const {
      requests,
      lateReplies: _late,
      publications: _published,
      deliveries: _delivered,
      ...ended
    } = this.broker.stats;
    const sum = Object.values(ended).reduce((total, count) => total + count, 0);
    assert.equal(requests, this.requests.length);
    assert.equal(sum + this.broker.inFlight, requests, "every request is counted once");
    for (const { tag, outcome, observed } of this.requests)
      assert.equal(observed, outcome === undefined ? 0 : 1, `request ${tag} was observed ${observed} times`);
    const open = this.requests.filter((request) => request.outcome === undefined);
    assert.equal(this.broker.inFlight, open.length);
    for (const worker of this.workers) assert.ok(worker.held.length <= worker.concurrency, worker.name);
    const held = this.workers.reduce((total, worker) => total + worker.held.length, 0);
    assert.equal(held, open.filter((request) => request.executions === 1).length);
    for (const request of open) {
      assert.ok(this.clock.now() <= request.deadline + LATE_MS, `request ${request.tag} is overdue`);
      if (request.executions > 0) continue;
      const group = this.workers.filter((worker) => worker.serving && worker.pattern === request.pattern);
      assert.ok(group.length > 0, "who waits has somebody to wait for");
      assert.ok(
        group.every((worker) => worker.held.length === worker.concurrency),
        "and all of them are busy",
      );
    }
  }

  /** Lets everything end and checks that nothing is left. */
  finish(): void {
    for (const worker of this.workers) if (worker.name.length % 2 === 0) worker.act("lose", 0);
    this.clock.advance(1_000);
    this.check();
    assert.equal(this.broker.inFlight, 0);
    for (const { tag, outcome } of this.requests)
      assert.ok(outcome !== undefined, `request ${tag} never ended`);
    for (const worker of this.workers) assert.deepEqual(worker.held, [], worker.name);
    this.broker.close();
    assert.equal(this.clock.pending, 0);
  }

  #ended(request: Request, outcome: string): void {
    this.trace.push(`${request.tag} ${outcome}`);
    assert.equal(
      request.outcome,
      undefined,
      `request ${request.tag} ended as ${request.outcome}, then as ${outcome}`,
    );
    request.outcome = outcome;
  }

  #settled({ remote, code, reason, attempts, worker, queuedMs, workerMs, timeoutMs }: SettledRequest): void {
    const request = this.requests[Number(remote)]!;
    request.observed++;
    assert.equal(code === "ok" ? "answered" : code === "canceled" ? code : reason, request.outcome);
    assert.equal(attempts, request.executions);
    assert.equal(worker !== undefined, attempts > 0);
    assert.ok(queuedMs >= 0 && workerMs >= 0 && queuedMs + workerMs <= timeoutMs + LATE_MS);
  }

  #serve(pattern: string, concurrency: number): void {
    if (this.workers.filter((worker) => worker.serving).length >= 6) return;
    const worker = new SimulatedWorker(this, `w${this.workers.length}`, pattern, concurrency);
    this.workers.push(worker);
    worker.join();
  }

  #answerWhatIsNotHeld(pick: number, more: number): void {
    const worker = this.workers[pick % this.workers.length];
    const request = this.requests[more % this.requests.length];
    if (worker === undefined || request === undefined || worker.held.includes(request.handle)) return;
    const before = this.broker.stats.lateReplies;
    const accepted =
      pick % 2 === 0 ? worker.answer(request.handle, request.tag) : worker.refuse(request.handle);
    assert.equal(accepted, false);
    assert.equal(this.broker.stats.lateReplies, before + 1);
  }
}

class SimulatedWorker implements Worker {
  readonly #simulation: Simulation;
  readonly name: string;
  readonly pattern: string;
  readonly concurrency: number;
  readonly held: number[] = [];
  readonly #tags = new Map<number, number>();
  serving = true;
  #registration: Registration | undefined;

  constructor(simulation: Simulation, name: string, pattern: string, concurrency: number) {
    this.#simulation = simulation;
    this.name = name;
    this.pattern = pattern;
    this.concurrency = concurrency;
  }

  join(): void {
    this.#registration = this.#simulation.broker.serve(this.pattern, this, { concurrency: this.concurrency });
  }

  execute(job: number, _route: Route, request: Message, timeoutMs: number): void {
    const [tag, habit] = textOf(request).split(" ") as [string, (typeof HABITS)[number]];
    assert.ok(timeoutMs > 0);
    this.held.push(job);
    this.#tags.set(job, Number(tag));
    this.#simulation.executed(this, job, Number(tag));
    if (habit === "reply" || habit === "fail") this.#end(habit, job);
    else if (habit === "leave" || habit === "lose") this.act(habit, 0);
    else if (habit === "cancel") this.#simulation.cancel(this.#simulation.requests[Number(tag)]);
    else if (habit === "ask" && this.#simulation.requests.length < 400)
      this.#simulation.request("a", Number(tag), 30);
  }

  cancel(job: number, why: Failure): void {
    this.#simulation.trace.push(`${this.name} is told ${why.reason} for ${this.#tags.get(job)}`);
    const index = this.held.indexOf(job);
    assert.ok(index >= 0, "only who holds a job is told");
    this.held.splice(index, 1);
  }

  act(kind: "reply" | "fail" | "leave" | "lose", more: number): void {
    if (kind === "reply" || kind === "fail") {
      this.#end(kind, this.held[more % this.held.length]!);
      return;
    }
    this.serving = false;
    if (kind === "lose") this.held.length = 0;
    void this.#registration![kind]();
  }

  answer(job: number, tag: number): boolean {
    return this.#registration!.reply(job, textMessage(`answer ${tag}`));
  }

  refuse(job: number): boolean {
    return this.#registration!.fail(job, failure("HANDLER_FAILED"));
  }

  #end(kind: "reply" | "fail", job: number): void {
    this.held.splice(this.held.indexOf(job), 1);
    const accepted = kind === "reply" ? this.answer(job, this.#tags.get(job)!) : this.refuse(job);
    assert.equal(accepted, true, "who holds a job may end it");
  }
}
