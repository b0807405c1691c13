/** What the jobs gateway can be told, and what it does when it is not told. */
import { LintelError } from "../../message/failure.ts";
import { timeOption, wholeNumber, type OldNames } from "../../message/options.ts";
import type { Duration } from "../../message/quantity.ts";
import { isSubject } from "../../message/subject.ts";
import type { PullServiceOptions } from "./worker.ts";

/** A service whose requests may be pulled, known before the first poll. */
export interface JobServiceFileOptions {
  /**
   * What happens to a request whose worker is lost, also of workers that are sent theirs. `at-most-once` fails it as
   * `WORKER_LOST`, `at-least-once` hands it to another while its deadline lasts. Default `at-most-once`.
   */
  readonly delivery?: "at-most-once" | "at-least-once";
  /** Lease of a job when its poll asks for none. Default: until the deadline; 10 s if at least once. */
  readonly lease?: Duration;
  /** Times a request is handed out at the most, if at least once. Default 5. */
  readonly attempts?: number;
}

export interface JobServiceOptions extends JobServiceFileOptions, OldNames<"lease"> {}

/** What files, variables and flags can say too. Times are milliseconds or text such as "5s". */
export interface JobsFileOptions {
  /** Services that keep a queue even without a poll, by their subjects. */
  readonly services?: Readonly<Record<string, JobServiceOptions>>;
  /**
   * `astrohub`: jobs look as AstroHub's do unless a poll asks otherwise, and requests wait for services that were never
   * polled yet.
   */
  readonly compat?: "astrohub";
  /** How long a poll waits that does not say. Default 30 s. */
  readonly wait?: Duration;
  /** No poll waits longer. Default 5 minutes. */
  readonly maxWait?: Duration;
  /** How long a service keeps its queue after its workers were last heard of. Default 30 s. */
  readonly linger?: Duration;
  /** Polls that wait at a time. Past it: 503. Default 65,536. */
  readonly maxPolls?: number;
  /** Services at a time that are polled and not in `services`. Past it, 503 when none of them is idle. Default 4,096. */
  readonly maxServices?: number;
}

export interface JobsOptions extends JobsFileOptions, OldNames<"wait" | "maxWait" | "linger"> {
  readonly services?: Readonly<Record<string, JobServiceOptions>>;
}

/** What the gateway is opened with. */
export interface OpenJobsOptions {
  /** Undefined if it was not configured: then routes for every path win over its paths. */
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
    waitMs: timeOption("jobs option ", options, "wait", 30_000),
    maxWaitMs: timeOption("jobs option ", options, "maxWait", 300_000),
    lingerMs: timeOption("jobs option ", options, "linger", 30_000),
    maxPolls: wholeNumber("jobs option maxPolls", options.maxPolls ?? 65_536, 1, MAX_COUNT),
    maxServices: wholeNumber("jobs option maxServices", options.maxServices ?? 4_096, 1, MAX_COUNT),
  };
}

/** True for subjects that callers and workers may name; those that begin with an underscore are internal. */
export function isServiceName(name: string): boolean {
  return isSubject(name) && !name.startsWith("_");
}

function serviceSettings(subject: string, options: JobServiceOptions): PullServiceOptions {
  const name = `services[${JSON.stringify(subject)}]`;
  if (!isServiceName(subject)) throw wrong(`${name} is not a subject such as image.resize`);
  const { delivery = "at-most-once", attempts } = options;
  if (delivery !== "at-most-once" && delivery !== "at-least-once")
    throw wrong(`${name}.delivery is ${JSON.stringify(delivery)}; use "at-most-once" or "at-least-once"`);
  const hasLease = options.lease !== undefined || options.leaseMs !== undefined;
  const lease = timeOption(`jobs option ${name}.`, options, "lease", AT_LEAST_ONCE_LEASE_MS);
  if (delivery === "at-most-once") {
    if (attempts !== undefined) throw wrong(`${name}.attempts needs delivery: at-least-once`);
    return { attempts: 1, leaseMs: hasLease ? lease : undefined };
  }
  return {
    attempts: wholeNumber(`jobs option ${name}.attempts`, attempts ?? DEFAULT_ATTEMPTS, 1, MAX_ATTEMPTS),
    leaseMs: lease,
  };
}

function wrong(text: string): LintelError {
  return new LintelError("invalid_argument", `jobs option ${text}`);
}
