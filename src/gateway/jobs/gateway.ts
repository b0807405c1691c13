/** Workers over plain HTTP: they ask for jobs and answer them, by requests of their own. */
import { randomUUID } from "node:crypto";
import { DeadlineTable } from "../../collections/deadline-table.ts";
import { isSame } from "../../access/access.ts";
import type { Engine } from "../../engine/engine.ts";
import { LintelError, failure, type Failure } from "../../message/failure.ts";
import type { Observer } from "../../observe/observer.ts";
import { DEFAULT_LIMITS } from "../../message/limits.ts";
import { LEAST_SHARE, SharedBound, shareOf } from "../../collections/shared-bound.ts";
import { deferToEndOfTick } from "../../runtime/defer-to-end-of-tick.ts";
import { SlicedWork } from "../../runtime/sliced-work.ts";
import type { Gateway, GatewayContext } from "../gateway.ts";
import type { HttpApi, HttpCall } from "../http-api.ts";
import { answerOf, errorOf } from "./decode.ts";
import { answerSeveral } from "./batch.ts";
import { HttpPoll, answerNone, type PollHost, type Wait } from "./http-poll.ts";
import { JobTable } from "./job-table.ts";
import { answerJob, failJob, isOut, type Job } from "./job.ts";
import {
  isServiceName,
  jobsSettings,
  type JobsOptions,
  type JobsSettings,
  type OpenJobsOptions,
} from "./options.ts";
import { badRequest, parametersOf, type PollParameters } from "./poll-parameters.ts";
import {
  NEXT_PARAMETERS,
  POLL_PARAMETERS,
  leaseOf,
  nextOptionsOf,
  pollOptionsOf,
  type PollOptions,
} from "./poll-options.ts";
import { PullWorkers, type PullHost } from "./workers.ts";
import { subjectOfSegment } from "./service-names.ts";
import type { PullWorker } from "./worker.ts";
import type { JobsStats } from "./stats.ts";

const SERVICE = "/service/";
const JOBS = "/jobs";
/** Jobs whose end is remembered, so that a late answer learns of it: in the hub's own tenant, and in each other. */
const REMEMBERED = { main: 10_000, other: 1_000 };

const TOO_MANY_POLLS = Object.freeze(failure("IN_FLIGHT_FULL", "too many workers wait for jobs"));
const TOO_MANY_OF_CALLER = Object.freeze(
  failure("IN_FLIGHT_FULL", "too many workers of this caller wait for jobs"),
);
const NO_SUCH_PATH: Failure = Object.freeze({
  code: "not_found",
  reason: "NOT_FOUND",
  message: "the paths below a job are response, error and lease",
  retryable: false,
});
const ANSWER_PARAMETERS = ["status", ...NEXT_PARAMETERS];
const ERROR_PARAMETERS = ["code", "reason", "message", "retryable", ...NEXT_PARAMETERS];
const JOB_PATH = /^\/jobs\/+([^/]+)(?:\/(.*))?$/s;
const VERBS: ReadonlySet<string> = new Set(["response", "error", "lease"]);
const NO_NAME = Object.freeze(failure("BAD_SUBJECT", "name a service by its subject, such as image.resize"));

/** Opens the gateway, whose paths are on the HTTP port. Throws `invalid_argument` for options that are wrong. */
export function openJobs(
  { engine, admission, observer, limits, port }: GatewayContext,
  { jobs }: OpenJobsOptions,
): JobsGateway {
  const options = jobs === true ? {} : jobs;
  const gateway = new JobsGateway(engine, options, observer, limits.callerShare, jobs !== undefined);
  port.addApi(gateway);
  admission.onEnded(() => gateway.endRevoked()); // before the port, which ends what is left of polls
  return gateway;
}

export class JobsGateway implements Gateway, HttpApi {
  readonly name = "jobs";
  /** It is on the HTTP port. */
  readonly urls: readonly string[] = [];
  readonly precedesRoutes: boolean;
  readonly #settings: JobsSettings;
  /** Of each tenant, by its engine: forgotten with it. */
  readonly #tenants = new WeakMap<Engine, PullWorkers>();
  /** Those that have services. */
  readonly #used = new Set<PullWorkers>();
  readonly #observer: Observer | undefined;
  readonly #host: PollHost & PullHost;
  readonly #endings = new SlicedWork(deferToEndOfTick());
  /** Polls that have jobs. */
  #due: HttpPoll[] = [];
  /** Why polls are not to wait. */
  #refusal: Failure | undefined;

  /** Throws `invalid_argument` for options that are wrong. */
  constructor(
    engine: Engine,
    options: JobsOptions = {},
    observer?: Observer,
    callerShare: number = DEFAULT_LIMITS.callerShare,
    precedesRoutes = false,
  ) {
    const { clock } = engine;
    this.precedesRoutes = precedesRoutes;
    this.#settings = jobsSettings(options);
    this.#observer = observer;
    const { maxPolls, maxServices } = this.#settings;
    const share = (limit: number): SharedBound =>
      new SharedBound(limit, shareOf(limit, callerShare, LEAST_SHARE));
    const atEndOfTurn = deferToEndOfTick();
    const waits = new DeadlineTable<Wait>(
      clock,
      maxPolls,
      () => ({ id: 0, deadline: 0, poll: undefined }),
      (wait) => {
        const { poll } = wait;
        wait.poll = undefined;
        waits.release(wait);
        poll?.timeUp();
      },
    );
    this.#host = {
      clock,
      settings: this.#settings,
      observer,
      services: share(maxServices),
      waits,
      polls: share(maxPolls),
      refusal: () => this.#refusal,
      due: (poll) => {
        // One turn later: a worker that has left by now is noticed before its job is written.
        if (this.#due.length === 0) atEndOfTurn(() => atEndOfTurn(() => this.#send()));
        this.#due.push(poll);
      },
    };
    const table = new JobTable({ clock, newId: randomUUID, remembered: REMEMBERED.main });
    const main = new PullWorkers(engine, this.#host, { table, beginsConfigured: true });
    this.#tenants.set(engine, main);
    this.#used.add(main);
  }

  /** Workers have to reach the port to answer what they have, and to fetch what is queued for them. */
  get needsPort(): boolean {
    return [...this.#used].some(({ isUsed }) => isUsed);
  }

  stats(): JobsStats {
    const counted = { polls: this.#host.waits.size, services: 0, jobs: 0 };
    for (const { size, table } of this.#used) {
      counted.services += size;
      counted.jobs += table.size;
    }
    return counted;
  }

  subjectOf(path: string): string | Failure | undefined {
    if (!path.startsWith(SERVICE) || path.includes("/", SERVICE.length)) return undefined;
    return this.#subjectOf(path.slice(SERVICE.length)) ?? NO_NAME;
  }

  announce(subject: string, caller: string, tenantEngine: Engine): void {
    if (this.#settings.compat === "astrohub") this.#open(tenantEngine, subject, caller);
  }

  claims(path: string): boolean {
    if (path.startsWith(JOBS)) return path.length === JOBS.length || path[JOBS.length] === "/";
    return path.startsWith(SERVICE) && path.endsWith(JOBS) && serviceNameOf(path) !== undefined;
  }

  logPath(path: string): string {
    const [, id, verb] = JOB_PATH.exec(path) ?? [];
    if (id === undefined) return path;
    return verb !== undefined && VERBS.has(verb) ? `${JOBS}/*/${verb}` : `${JOBS}/*`; // a reader of the log could use the id
  }

  take(call: HttpCall): void {
    try {
      if (call.path.startsWith(SERVICE)) this.#poll(call);
      else this.#atJobs(call);
    } catch (error) {
      if (!(error instanceof LintelError)) throw error;
      call.problem(error.toFailure());
    }
  }

  /** Polls wait no longer: they get what is there. Jobs that are out may still be answered. */
  drain(): Promise<void> {
    this.#refusal ??= failure("DRAINING");
    for (const poll of this.#waiting()) poll.refuse(this.#refusal);
    return Promise.resolve();
  }

  /** Gives every service up. */
  close(): Promise<void> {
    this.#refusal = failure("CLOSED", "the hub was closed");
    for (const poll of this.#waiting()) poll.refuse(this.#refusal);
    for (const services of this.#used) {
      services.close(this.#refusal);
      services.table.close();
    }
    this.#host.waits.stop();
    return Promise.resolve();
  }

  /** The service of a tenant, which begins now if it has to. */
  #open(engine: Engine, subject: string, caller: string): PullWorker | Failure {
    let services = this.#tenants.get(engine);
    if (services === undefined) {
      const { clock } = this.#host;
      const table = new JobTable({ clock, newId: randomUUID, remembered: REMEMBERED.other });
      const own = new PullWorkers(engine, this.#host, { table, onEmpty: () => this.#used.delete(own) });
      this.#tenants.set(engine, (services = own));
    }
    const service = services.open(subject, caller);
    if (!("code" in service)) this.#used.add(services);
    return service;
  }

  /** Workers whose credentials are no longer good are lost, with the jobs that they hold. */
  endRevoked(): void {
    for (const poll of [...this.#due, ...this.#waiting()]) poll.endRevoked();
    const jobs = [...this.#used].flatMap(({ table }) => table.revoked());
    if (jobs.length === 0) return;
    this.#endings.run(() => {
      const job = jobs.pop()!;
      if (isOut(job)) job.owner.expired(job);
      return jobs.length > 0;
    });
  }

  #waiting(): HttpPoll[] {
    return [...this.#host.waits.live()].flatMap(({ poll }) => poll ?? []);
  }

  #send(): void {
    const due = this.#due;
    this.#due = [];
    for (const poll of due) poll.send();
  }

  #poll(call: HttpCall): void {
    const name = this.#subjectOf(serviceNameOf(call.path)!);
    if (name === undefined) return call.problem(NO_NAME);
    if (!allows(call, "GET")) return;
    call.note(name);
    const parameters = this.#parameters(call, POLL_PARAMETERS);
    this.#await(call, name, pollOptionsOf(call, parameters, this.#settings), (why) => call.problem(why));
  }

  #subjectOf(segment: string): string | undefined {
    if (this.#settings.compat === "astrohub") return subjectOfSegment(segment);
    return isServiceName(segment) ? segment : undefined;
  }

  /** AstroHub knows no parameters, and ignores all. */
  #parameters({ query }: HttpCall, names: readonly string[]): PollParameters {
    return parametersOf(query, names, this.#settings.compat === "astrohub");
  }

  /** Lets a call wait for jobs of a service, if it may. `refuse` is called, with nothing done, when it cannot. */
  #await(call: HttpCall, subject: string, options: PollOptions, refuse: (why: Failure) => void): void {
    const begin = (why: Failure | undefined): void => {
      const refused = why ?? this.#begin(call, subject, options);
      if (refused !== undefined) refuse(refused);
    };
    const decision = call.admitted.check("serve", subject);
    if (!(decision instanceof Promise)) return begin(decision);
    let isGone = false;
    call.onGone = () => {
      isGone = true;
    };
    void decision.then((why) => {
      if (!isGone) begin(why ?? this.#refusal);
    });
    return undefined;
  }

  #begin(call: HttpCall, subject: string, options: PollOptions): Failure | undefined {
    const service = this.#open(call.admitted.tenantEngine, subject, call.caller);
    if ("code" in service) return service;
    const poll = new HttpPoll(this.#host, service, call, options);
    if (!poll.begin())
      return this.#host.polls.taken < this.#settings.maxPolls ? TOO_MANY_OF_CALLER : TOO_MANY_POLLS;
    this.#observer?.poll?.({ event: "polled", subject });
    return undefined;
  }

  #atJobs(call: HttpCall): void {
    const { path } = call;
    if (path.length <= JOBS.length + 1) {
      if (allows(call, "POST")) answerSeveral(call, (id) => this.#find(call, id));
      return;
    }
    const [id = "", verb, ...rest] = path.slice(JOBS.length + 1).split("/");
    if (rest.length > 0 || (verb !== undefined && !VERBS.has(verb))) return call.problem(NO_SUCH_PATH);
    if (!allows(call, verb === undefined ? "POST, DELETE" : "POST")) return;
    const job = this.#find(call, id);
    if ("code" in job) return call.problem(job);
    call.note(job.owner.subject);
    if (call.method === "DELETE") release(call, job);
    else if (verb === "lease") this.#extend(call, job);
    else if (verb === "error") this.#fail(call, job);
    else this.#answer(call, job);
  }

  /** The job with this id, if it is out. */
  #find({ admitted }: HttpCall, id: string): Job | Failure {
    const job = this.#tenants.get(admitted.tenantEngine)?.table.find(id);
    if (job?.holder === undefined || !isSame(job.holder, admitted.principal)) return failure("NO_SUCH_JOB");
    if (isOut(job)) return job;
    if (job.state === "withdrawn") return failure("JOB_WITHDRAWN");
    return job.state === "expired" || job.state === "returned"
      ? failure("LEASE_EXPIRED")
      : failure("JOB_ENDED");
  }

  #answer(call: HttpCall, job: Job): void {
    const parameters = this.#parameters(call, ANSWER_PARAMETERS);
    const next = nextOptionsOf(call, parameters, this.#settings);
    const said = answerOf(call.body, call.rawHeaders, parameters, this.#settings.compat);
    this.#ended(call, job, answerJob(job, said), next);
  }

  #fail(call: HttpCall, job: Job): void {
    const parameters = this.#parameters(call, ERROR_PARAMETERS);
    const next = nextOptionsOf(call, parameters, this.#settings);
    this.#ended(call, job, failJob(job, errorOf(call.body, parameters)), next);
  }

  /** Whatever hinders the next job, this one has its outcome: the worker is told of none, polls, and hears why then. */
  #ended(call: HttpCall, { owner }: Job, why: Failure | undefined, next: PollOptions | undefined): void {
    if (why !== undefined) return call.problem(why);
    if (next === undefined) return call.answer(200, []);
    call.dropBody();
    this.#await(call, owner.subject, next, () => answerNone(call));
  }

  #extend(call: HttpCall, job: Job): void {
    const leaseMs = leaseOf(parametersOf(call.query, ["lease"]));
    if (leaseMs === undefined) throw badRequest("say for how long: ?lease=10s");
    job.owner.extend(job, leaseMs);
    const now = this.#host.clock.now();
    const left = (until: number): number => Math.max(0, Math.floor(until - now));
    const body = JSON.stringify({ id: job.id, lease: left(job.leaseEnds), deadline: left(job.deadline) });
    call.answer(200, ["Content-Type", "application/json"], body);
  }
}

function release(call: HttpCall, job: Job): void {
  parametersOf(call.query, []);
  job.owner.release(job);
  call.answer(204, []);
}

/** True for the right method; otherwise the call is answered. */
function allows(call: HttpCall, methods: string): boolean {
  if (methods.split(", ").includes(call.method)) return true;
  const allow = ["Allow", `${methods}, OPTIONS`];
  if (call.method === "OPTIONS") call.answer(204, allow);
  else call.problem(failure("METHOD_NOT_ALLOWED"), allow);
  return false;
}

/** `name` of `/service/name/jobs`; undefined for paths of another form. */
function serviceNameOf(path: string): string | undefined {
  const end = path.length - JOBS.length;
  const name = path.slice(SERVICE.length, end);
  return end > SERVICE.length && !name.includes("/") ? name : undefined;
}
