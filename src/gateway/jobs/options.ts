/** What the jobs gateway can be told, and what it does when it is not told. */
import { LintelError } from "../../message/failure.ts";
import { MAX_TIMEOUT } from "../../message/limits.ts";
import { isSubject } from "../../message/subject.ts";
import type { PullServiceOptions } from "./worker.ts";

/** A service whose requests may be pulled, known before anybody polls. */
export interface JobServiceOptions {
  /**
   * What becomes of a request whose worker is lost, also of workers that are sent theirs. `at-most-once` fails it as
   * `WORKER_LOST`, `at-least-once` hands it to another while its deadline lasts. Default `at-most-once`.
   */
  readonly delivery?: "at-most-once" | "at-least-once";
  /** Lease of a job when its poll asks for none. Milliseconds. Default: until the deadline; 10,000 if at least once. */
  readonly leaseMs?: number;
  /** Times a request is handed out at the most, if at least once. Default 5. */
  readonly attempts?: number;
}

export interface JobsOptions {
  /** Services that keep a queue even if nobody polls, by their subjects. */
  readonly services?: Readonly<Record<string, JobServiceOptions>>;
  /**
   * `astrohub`: jobs look as AstroHub's do unless a poll asks otherwise, and requests wait for services that nobody has
   * polled yet.
   */
  readonly compat?: "astrohub";
  /** How long a poll waits that does not say. Milliseconds. Default 30,000. */
  readonly waitMs?: number;
  /** No poll waits longer. Milliseconds. Default 300,000. */
  readonly maxWaitMs?: number;
  /** How long a service keeps its queue after its workers were last heard of. Milliseconds. Default 30,000. */
  readonly lingerMs?: number;
  /** Polls that wait at a time. Past it: 503. Default 65,536. */
  readonly maxPolls?: number;
  /** Services at a time that are polled and not in `services`. Past it, 503 when none of them is idle. Default 4,096. */
  readonly maxServices?: number;
}

/**
 * Hears that a worker asks for jobs of a subject, each time it does; and that the subject is given up, since no worker was
 * heard of for the linger time. A subject that is configured is never given up.
 */
export type PollListener = (event: "polled" | "left", subject: string) => void;

/** What the gateway is opened with. */
export interface OpenJobsOptions {
  /** Undefined when nobody has said anything of it: then its paths give way to routes for every path. */
  readonly jobs?: true | JobsOptions | undefined;
}

/** The options with every default filled in. */
export interface JobsSettings {
  readonly services: ReadonlyMap<string, PullServiceOptions>;
  readonly compat: "astrohub" | undefined;
  readonly waitMs: number;
  readonly maxWaitMs: number;
  readonly lingerMs: number;
  readonly maxPolls: number;
  readonly maxServices: number;
}

const DEFAULT_ATTEMPTS = 5;
const AT_LEAST_ONCE_LEASE_MS = 10_000;
const MAX_ATTEMPTS = 1_000;
const MAX_COUNT = 2 ** 24;

/** Fills in defaults. Throws `invalid_argument`, naming the option that is wrong. */
export function jobsSettings(options: JobsOptions): JobsSettings {
  const { services = {}, compat } = options;
  if (compat !== undefined && compat !== "astrohub")
    throw wrong(`compat is ${JSON.stringify(compat)}; the only one is "astrohub"`);
  const entries = Object.entries(services);
  return {
    services: new Map(entries.map(([subject, service]) => [subject, serviceSettings(subject, service)])),
    compat,
    waitMs: whole("waitMs", options.waitMs ?? 30_000, MAX_TIMEOUT),
    maxWaitMs: whole("maxWaitMs", options.maxWaitMs ?? 300_000, MAX_TIMEOUT),
    lingerMs: whole("lingerMs", options.lingerMs ?? 30_000, MAX_TIMEOUT),
    maxPolls: whole("maxPolls", options.maxPolls ?? 65_536, MAX_COUNT),
    maxServices: whole("maxServices", options.maxServices ?? 4_096, MAX_COUNT),
  };
}

/** True for subjects that callers and workers may name; those that begin with an underscore are internal. */
export function isServiceName(name: string): boolean {
  return isSubject(name) && !name.startsWith("_");
}

function serviceSettings(subject: string, options: JobServiceOptions): PullServiceOptions {
  const name = `services[${JSON.stringify(subject)}]`;
  if (!isServiceName(subject)) throw wrong(`${name} is no subject such as image.resize`);
  const { delivery = "at-most-once", leaseMs, attempts } = options;
  if (delivery !== "at-most-once" && delivery !== "at-least-once")
    throw wrong(`${name}.delivery is ${JSON.stringify(delivery)}; use "at-most-once" or "at-least-once"`);
  if (leaseMs !== undefined) whole(`${name}.leaseMs`, leaseMs, MAX_TIMEOUT);
  if (delivery === "at-most-once") {
    if (attempts !== undefined) throw wrong(`${name}.attempts is for a delivery at-least-once`);
    return { attempts: 1, leaseMs };
  }
  return {
    attempts: whole(`${name}.attempts`, attempts ?? DEFAULT_ATTEMPTS, MAX_ATTEMPTS),
    leaseMs: leaseMs ?? AT_LEAST_ONCE_LEASE_MS,
  };
}

function whole(name: string, value: number, most: number): number {
  if (Number.isInteger(value) && value >= 1 && value <= most) return value;
  throw wrong(`${name} is ${String(value)}; it must be a whole number from 1 to ${most}`);
}

function wrong(text: string): LintelError {
  return new LintelError("invalid_argument", `jobs option ${text}`);
}
