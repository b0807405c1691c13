/** What a worker says of the jobs it would like to have, with a poll or with the answer to the job before. */
import type { HttpCall } from "../http-api.ts";
import { formFor, type JobForm } from "./encode.ts";
import type { JobsSettings } from "./options.ts";
import { headerOf } from "../raw-headers.ts";
import { MAX_JOBS, badRequest, durationOf, numberOf, type PollParameters } from "./poll-parameters.ts";

/** What one poll asks for. */
export interface PollOptions {
  readonly form: JobForm;
  /** Undefined: one job, not in an array. */
  readonly max: number | undefined;
  /** How long it waits for the first. Milliseconds. */
  readonly waitMs: number;
  readonly leaseMs: number | undefined;
  /** True when its call has answered another job, and that has been taken: it is told of no failure any more. */
  readonly isNext: boolean;
  /** AstroHub's worker library reads a job from every status up to 204, and polls again after others. */
  readonly retriesOnErrors: boolean;
}

/** Parameters of a poll. */
export const POLL_PARAMETERS: readonly string[] = ["wait", "max", "lease"];
/** Those of a call that answers a job and may ask for the next. */
export const NEXT_PARAMETERS: readonly string[] = ["next", ...POLL_PARAMETERS];

/** What the parameters of a poll ask for. Throws `BAD_REQUEST`. */
export function pollOptionsOf(
  { rawHeaders }: HttpCall,
  parameters: PollParameters,
  { compat, waitMs, maxWaitMs }: JobsSettings,
  isNext = false,
): PollOptions {
  const form = formFor(headerOf(rawHeaders, "accept"), compat ?? "json");
  const max = numberOf(parameters, "max", 1, MAX_JOBS);
  if (form === "raw" && max !== undefined)
    throw badRequest("max returns an array, which application/octet-stream cannot carry");
  const wait = Math.min(durationOf(parameters, "wait") ?? waitMs, maxWaitMs);
  const retriesOnErrors = compat === "astrohub" && form === "astrohub" && !isNext;
  return { form, max, waitMs: wait, leaseMs: leaseOf(parameters), isNext, retriesOnErrors };
}

/** What is asked for with an answer: undefined for nothing. Throws `BAD_REQUEST`. */
export function nextOptionsOf(
  call: HttpCall,
  parameters: PollParameters,
  settings: JobsSettings,
): PollOptions | undefined {
  const next = parameters.get("next");
  if (next === "1") return pollOptionsOf(call, parameters, settings, true);
  if (next !== undefined) throw badRequest("next must be 1");
  const stray = POLL_PARAMETERS.find((name) => parameters.has(name));
  if (stray !== undefined) throw badRequest(`${stray} is for the next job: add next=1`);
  return undefined;
}

/** The lease a worker asks for, at least a millisecond. Throws `BAD_REQUEST`. */
export function leaseOf(parameters: PollParameters): number | undefined {
  const leaseMs = durationOf(parameters, "lease");
  if (leaseMs === 0) throw badRequest("lease must be greater than 0");
  return leaseMs;
}
