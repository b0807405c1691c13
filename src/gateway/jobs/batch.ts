/** One call that answers several jobs: a worker that takes many at a time saves the calls. */
import { LintelError, type Failure } from "../../message/failure.ts";
import { httpStatus } from "../../message/status.ts";
import { itemsOf } from "../../codec/json-slices.ts";
import type { HttpCall } from "../http-api.ts";
import { answerOfEntry, errorOfValue, jsonOf, writtenAs, type AnswerEntry } from "./decode.ts";
import { answerJob, failJob, type Job } from "./job.ts";
import { MAX_JOBS, badRequest, parametersOf } from "./poll-parameters.ts";

/** What became of one entry. */
interface Result {
  readonly id: string;
  readonly status: number;
  readonly reason?: string;
  readonly detail?: string;
}

/** Answers the jobs in the body, each by itself. Throws `BAD_REQUEST` when the body is no array of entries. */
export function answerSeveral(call: HttpCall, find: (id: string) => Job | Failure): void {
  parametersOf(call.query, []);
  const entries = jsonOf(call.body);
  if (!Array.isArray(entries) || !entries.every(isEntry))
    throw badRequest('the body must be an array of objects such as {"id":"...","response":42}');
  if (entries.length > MAX_JOBS) throw badRequest(`there are more than ${MAX_JOBS} answers`);
  const slices = itemsOf(call.body);
  const results = entries.map((entry, index) => {
    const slice = slices[index]!;
    return settle(entry, call.body.subarray(slice.start, slice.end), find(entry.id));
  });
  call.answer(200, ["Content-Type", "application/json"], JSON.stringify(results));
}

function isEntry(value: unknown): value is AnswerEntry {
  return typeof value === "object" && value !== null && "id" in value && typeof value.id === "string";
}

/** `json` is how the entry is written. */
function settle(entry: AnswerEntry, json: Uint8Array, job: Job | Failure): Result {
  const { id } = entry;
  if ("code" in job) return refused(id, job);
  try {
    if (entry.release === true) job.owner.release(job);
    else {
      const why = end(job, entry, json);
      if (why !== undefined) return refused(id, why);
    }
    return { id, status: 200 };
  } catch (error) {
    if (!(error instanceof LintelError)) throw error;
    return refused(id, error.toFailure()); // the job is still out, and may be answered again
  }
}

function end(job: Job, entry: AnswerEntry, json: Uint8Array): Failure | undefined {
  const { error } = entry;
  if (error === undefined) return answerJob(job, answerOfEntry(entry, writtenAs(json, "response")));
  if (typeof error !== "object" || error === null) throw badRequest("error must be an object");
  return failJob(job, errorOfValue(error, writtenAs(writtenAs(json, "error")!, "details")));
}

function refused(id: string, why: Failure): Result {
  return { id, status: httpStatus(why), reason: why.reason, detail: why.message };
}
