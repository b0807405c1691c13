/** All clients of a tenant that may serve a configured pattern, as one worker: original clients announce nothing. */
import { HeldJobs } from "../../engine/held-jobs.ts";
import type { Engine } from "../../engine/engine.ts";
import type { Route, Worker } from "../../message/delivery.ts";
import { failure, toFailure, type Failure } from "../../message/failure.ts";
import { nameOf } from "../../message/foreign-name.ts";
import type { Message } from "../../message/message.ts";
import type { Origin } from "../../message/origin.ts";
import { discardStreams } from "../../stream/stream.ts";
import {
  checkSendable,
  outcomeOf,
  type ClientRequest,
  type CommandClient,
  type Reply,
  type ReplyOwner,
} from "./client.ts";
import { bodyOf } from "./encode.ts";

const ALL_CLIENTS: Origin = Object.freeze({ gateway: "commands", remote: undefined, principal: undefined });
/** A client that has no handlers for an action is not asked again for so long. Milliseconds. */
const LACKING_MS = 1_000;
/** Actions that are remembered of one client. */
const MAX_LACKING = 1_024;
/** Clients that one request is sent to at most, one after the other. */
const MAX_ASKED = 256;

const LOST = Object.freeze(failure("WORKER_LOST", "the client that held the request has left"));

export interface PoolOptions {
  /** Requests that one client holds at a time. */
  readonly concurrency: number;
  /** The engine does not take the pattern, or takes it no longer. */
  readonly onRefused: (why: Failure) => void;
}

/** A client in the pool. */
class Member {
  readonly client: CommandClient;
  held = 0;
  /** Places of the pool that are there because of it. */
  places = 0;
  /** Actions that it has no handlers for, and until when that is believed. */
  readonly lacking: Map<string, number> = new Map();

  constructor(client: CommandClient) {
    this.client = client;
  }

  lacks(action: string, now: number): boolean {
    const until = this.lacking.get(action);
    return until !== undefined && now < until;
  }
}

export class HandlerPool implements Worker {
  readonly origin: Origin = ALL_CLIENTS;
  /** A request stays here until a client has taken it. */
  readonly keepsRequests: boolean = true;
  readonly #engine: Engine;
  readonly #options: PoolOptions;
  readonly #jobs: HeldJobs<PoolJob>;
  /** The one that was asked last at the end. */
  readonly #members = new Map<CommandClient, Member>();
  /** Jobs that no client has room for. */
  readonly #parked = new Set<PoolJob>();
  #places = 0;

  /** Resolves `ready` when requests can arrive. Throws what `serve` of an engine throws. */
  constructor(engine: Engine, pattern: string, options: PoolOptions) {
    this.#engine = engine;
    this.#options = options;
    this.#jobs = new HeldJobs(1);
    const { onRefused } = options;
    const concurrency = engine.supports.capacity ? 1 : Infinity;
    const registration = engine.serve(pattern, this, { concurrency, onEnded: onRefused });
    this.#jobs.join(registration).catch((error: unknown) => onRefused(toFailure(error)));
  }

  get size(): number {
    return this.#jobs.size;
  }

  get isEmpty(): boolean {
    return this.#members.size === 0;
  }

  add(client: CommandClient): void {
    if (this.#members.has(client)) return;
    const member = new Member(client);
    this.#members.set(client, member);
    this.#update(member);
  }

  /** What the client holds is not lost by this. */
  remove(client: CommandClient): void {
    const member = this.#members.get(client);
    if (member === undefined) return;
    this.#members.delete(client);
    this.#places -= member.places;
    this.#jobs.resize(this.#places);
    this.#goOn(); // it may have been the last that a request waits for
  }

  /** The client has become full, or has room again. */
  changed(client: CommandClient): void {
    const member = this.#members.get(client);
    if (member !== undefined) this.#update(member);
  }

  /** Takes nothing new. What is held may still be answered. */
  leave(): void {
    void this.#jobs.leave();
  }

  // Worker

  execute(number: number, route: Route, request: Message, timeoutMs: number, now: number): void {
    let job: PoolJob;
    try {
      checkSendable(request);
      const body = bodyOf(request);
      job = new PoolJob(this, number, { action: nameOf(route.subject), body, deadline: now + timeoutMs });
    } catch (error) {
      const why = toFailure(error, failure("BAD_PAYLOAD"));
      discardStreams(request, why);
      this.#jobs.hold(number);
      this.#jobs.fail(number, why);
      return;
    }
    this.#jobs.hold(number, job);
    this.#next(job);
  }

  cancel(number: number, why: Failure): void {
    const job = this.#jobs.take(number);
    if (job === undefined) return;
    this.#parked.delete(job);
    const { member, key } = job;
    if (member === undefined) return;
    this.#released(job);
    member.client.forget(key, why);
  }

  /** The client has replied to a job. */
  replied(job: PoolJob, reply: Reply): void {
    const { member } = job;
    this.#released(job);
    const outcome = outcomeOf(reply, member!.client.maxPayload);
    if ("answer" in outcome) this.#jobs.reply(job.number, outcome.answer);
    else if (!outcome.isUnhandled) this.#jobs.fail(job.number, outcome.failure);
    else {
      this.#remember(member!, job.action);
      this.#next(job);
    }
    this.#goOn();
  }

  lost(job: PoolJob): void {
    this.#released(job);
    this.#jobs.fail(job.number, LOST);
  }

  /** Sends the job to the next client that may handle it (C-35). */
  #next(job: PoolJob): void {
    const member = job.asked.size < MAX_ASKED ? this.#choose(job) : "none";
    if (member === "busy") return void this.#parked.add(job);
    this.#parked.delete(job);
    if (member === "none") {
      const text = `no client that is connected has handlers for ${job.action}`;
      this.#jobs.fail(job.number, failure("NO_RESPONDERS", text));
      return;
    }
    job.asked.add(member.client);
    job.member = member;
    member.held++;
    this.#members.delete(member.client);
    this.#members.set(member.client, member);
    const { action, body, deadline } = job;
    const request: ClientRequest = { action, body, timeoutMs: deadline - this.#engine.clock.now() };
    job.key = member.client.ask(request, job);
  }

  #choose({ action, asked }: PoolJob): Member | "busy" | "none" {
    const now = this.#engine.clock.now();
    let isBusy = false;
    for (const member of this.#members.values()) {
      if (asked.has(member.client) || member.lacks(action, now)) continue;
      if (!member.client.isFull && member.held < this.#options.concurrency) return member;
      isBusy = true;
    }
    return isBusy ? "busy" : "none";
  }

  #remember({ lacking }: Member, action: string): void {
    if (lacking.size >= MAX_LACKING) lacking.clear();
    lacking.set(action, this.#engine.clock.now() + LACKING_MS);
  }

  #released(job: PoolJob): void {
    if (job.member !== undefined) job.member.held--;
    job.member = undefined;
  }

  #update(member: Member): void {
    const { concurrency } = this.#options;
    const places = member.client.isFull ? Math.min(member.held, concurrency) : concurrency;
    this.#places += places - member.places;
    member.places = places;
    this.#jobs.resize(this.#places);
    this.#goOn();
  }

  /** Jobs that wait for a client with room. */
  #goOn(): void {
    for (const job of [...this.#parked]) if (this.#parked.has(job)) this.#next(job);
  }
}

/** A request that a client of the pool holds, or that waits for one. */
class PoolJob implements ReplyOwner {
  readonly number: number;
  readonly action: string;
  readonly body: ClientRequest["body"];
  readonly deadline: number;
  /** Those that it was sent to. */
  readonly asked: Set<CommandClient> = new Set();
  member: Member | undefined;
  key = "";
  readonly #pool: HandlerPool;

  constructor(
    pool: HandlerPool,
    number: number,
    { action, body, deadline }: Pick<ClientRequest, "action" | "body"> & { readonly deadline: number },
  ) {
    this.#pool = pool;
    this.number = number;
    this.action = action;
    this.body = body;
    this.deadline = deadline;
  }

  replied(reply: Reply): void {
    this.#pool.replied(this, reply);
  }

  lost(): void {
    this.#pool.lost(this);
  }
}
