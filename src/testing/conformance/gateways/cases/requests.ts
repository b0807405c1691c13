/** A caller at one gateway, a worker at another. */
import assert from "node:assert/strict";
import {
  FAILURE_MEMBERS,
  type Arrival,
  type Asked,
  type FailureMember,
  type GatewaySupports,
  type Job,
  type Program,
  type Received,
  type Sent,
  type WorkerService,
} from "../driver.ts";
import { lackOf, type Bench, type GatewayCase } from "../gateway-case.ts";
import { SAMPLES, SAMPLE_NAMES, type Payload, type SampleName } from "../payload.ts";

/** How long a caller waits that does not wait for long. Whole seconds: some protocols know no less. Milliseconds. */
const SHORT_MS = 1_000;
/** For a request that has to reach its worker before its deadline, on a busy machine too. */
const LONGER_MS = [SHORT_MS, 2_000, 4_000, 8_000];
/** Less than callers wait that say nothing. */
const TIME_MS = 15_000;
const IN_FLIGHT = 20;
const OWN_REASON = "NO_TEA";
const FAILURE = { code: "not_found", reason: OWN_REASON, message: "there is no tea" };
const HEADERS = { "x-note": "two words, and a comma" };

function requestCase(name: string, lack: GatewayCase["lack"], run: GatewayCase["run"]): GatewayCase {
  return { relation: "request", name, lack, run };
}

/** The first sample for which there is no reason. */
export function firstSample(sends: Readonly<Record<SampleName, unknown>>): Payload {
  const name = SAMPLE_NAMES.find((one) => sends[one] === true);
  assert.ok(name !== undefined, "a program that can send nothing");
  return SAMPLES[name];
}

/** What is to arrive of a sample. */
export function arrived(arrival: Arrival, sample: SampleName): Payload {
  return typeof arrival === "object" && "payload" in arrival ? arrival.payload : SAMPLES[sample];
}

/** Why a sample is not to arrive. */
export function refusalOf(arrival: Arrival): string | undefined {
  return typeof arrival === "object" && "refused" in arrival ? arrival.refused : undefined;
}

function ask({ from, subject }: Bench, sent: Sent, timeoutMs?: number): Asked {
  const asked = from.request!(subject, sent, timeoutMs);
  asked.outcome.catch(() => undefined); // a case that fails before does not look at it
  return asked;
}

/** The job of a request. Rejects when the request ends without one. */
function jobOf(service: WorkerService, { outcome }: Asked): Promise<Job> {
  const ended = outcome.then((early) => assert.fail(`it ended before: ${JSON.stringify(early)}`));
  ended.catch(() => undefined); // it ends later, too
  return Promise.race([service.next(), ended]);
}

/** Asks with anything, and returns the request and its job. */
async function begin(
  bench: Bench,
  { sends }: GatewaySupports,
  timeoutMs?: number,
  worker: Program = bench.to,
): Promise<{ readonly asked: Asked; readonly job: Job }> {
  const service = await worker.serve!(bench.subject);
  const asked = ask(bench, { payload: firstSample(sends) }, timeoutMs);
  return { asked, job: await jobOf(service, asked) };
}

/** The same with a deadline that is soon, but not before the worker has the job. */
async function beginShort(bench: Bench, { sends }: GatewaySupports): Promise<Job> {
  const service = await bench.to.serve!(bench.subject);
  const next = service.next();
  for (const timeoutMs of LONGER_MS) {
    const { outcome } = ask(bench, { payload: firstSample(sends) }, timeoutMs);
    const job = await Promise.race([next, outcome.then(() => undefined)]);
    if (job !== undefined) return job;
  }
  return assert.fail("no job came before its deadline");
}

export async function answerOf({ outcome }: Asked): Promise<Received> {
  const ended = await outcome;
  if ("failure" in ended) assert.fail(`it failed: ${JSON.stringify(ended.failure)}`);
  return ended.answer;
}

/** Checks what the caller is told of a failure: as much of it as both ends can say. */
async function failsWith(
  { outcome }: Asked,
  expected: Readonly<Partial<Record<FailureMember, string>>>,
  members: readonly FailureMember[],
): Promise<void> {
  const ended = await outcome;
  if (!("failure" in ended)) assert.fail(`it was answered: ${JSON.stringify(ended.answer.payload)}`);
  const pick = (seen: Readonly<Partial<Record<FailureMember, string>>>): Record<string, unknown> =>
    Object.fromEntries(members.map((member) => [member, seen[member]]));
  assert.deepEqual(pick(ended.failure), pick(expected));
}

/** What the hub itself says has a code and a reason; its text may change. */
const hubSays = ({ isTold }: GatewaySupports): readonly FailureMember[] =>
  isTold.filter((member) => member !== "message");

const isReason = (member: FailureMember): boolean => member === "reason";

/** Not every worker is told why. */
async function endsWith(job: Job, reason: string): Promise<void> {
  assert.equal((await job.ended()) ?? reason, reason);
}

const carriesThere = (sample: SampleName): GatewayCase =>
  requestCase(
    `carries ${sample} to the worker`,
    (from, to) => lackOf(from.sends[sample], to.receives[sample]),
    async (bench, from, to) => {
      const service = await bench.to.serve!(bench.subject);
      const asked = ask(bench, { payload: SAMPLES[sample] });
      const reason = refusalOf(to.receives[sample]);
      if (reason !== undefined) return failsWith(asked, { reason }, from.isTold.filter(isReason));
      const job = await jobOf(service, asked);
      assert.deepEqual(job.payload, arrived(to.receives[sample], sample));
      await job.answer({ payload: firstSample(to.answers) });
      return void (await answerOf(asked));
    },
  );

const carriesBack = (sample: SampleName): GatewayCase =>
  requestCase(
    `carries ${sample} back to the caller`,
    (from, to) => lackOf(to.answers[sample], from.isAnswered[sample]),
    async (bench, from) => {
      const { asked, job } = await begin(bench, from);
      const reason = refusalOf(from.isAnswered[sample]);
      const answering = (async () => job.answer({ payload: SAMPLES[sample] }))();
      if (reason === undefined) await answering;
      else {
        await answering.catch(() => undefined); // some workers are told that their answer was in vain
        return failsWith(asked, { reason }, from.isTold.filter(isReason));
      }
      return assert.deepEqual((await answerOf(asked)).payload, arrived(from.isAnswered[sample], sample));
    },
  );

const headers = (from: GatewaySupports, to: GatewaySupports): string | undefined =>
  lackOf(from.headers, to.headers);

export const REQUESTS: readonly GatewayCase[] = [
  ...SAMPLE_NAMES.map(carriesThere),
  ...SAMPLE_NAMES.map(carriesBack),
  requestCase("carries a header to the worker", headers, async (bench, from, to) => {
    const service = await bench.to.serve!(bench.subject);
    const asked = ask(bench, { payload: firstSample(from.sends), headers: HEADERS });
    const job = await jobOf(service, asked);
    assert.equal(job.headers["x-note"], HEADERS["x-note"]);
    await job.answer({ payload: firstSample(to.answers) });
    await answerOf(asked);
  }),
  requestCase("carries a header back to the caller", headers, async (bench, from, to) => {
    const { asked, job } = await begin(bench, from);
    await job.answer({ payload: firstSample(to.answers), headers: HEADERS });
    assert.equal((await answerOf(asked)).headers["x-note"], HEADERS["x-note"]);
  }),
  requestCase(
    `gives each of ${IN_FLIGHT} requests in flight its own answer`,
    (from, to) => lackOf(from.sends["a list of texts"], to.answers["a list of texts"]),
    ownAnswers,
  ),
  requestCase(
    "tells the caller how the worker failed",
    (from, to) =>
      shared(from, to).length > 0
        ? undefined
        : "the worker says nothing of a failure that the caller is told",
    async (bench, from, to) => {
      const { asked, job } = await begin(bench, from);
      await job.fail(FAILURE);
      await failsWith(asked, FAILURE, shared(from, to));
    },
  ),
  requestCase(
    "fails at the caller's deadline",
    (from) => lackOf(from.limitsTime),
    async (bench, from) => {
      await bench.to.serve!(bench.subject);
      const asked = ask(bench, { payload: firstSample(from.sends) }, SHORT_MS);
      await failsWith(asked, { code: "deadline_exceeded", reason: "DEADLINE" }, hubSays(from));
    },
  ),
  requestCase(
    "tells the worker how long the caller waits",
    (from, to) => lackOf(from.limitsTime, to.seesTime),
    async (bench, from, to) => {
      const { asked, job } = await begin(bench, from, TIME_MS);
      const { timeLeft = Number.NaN } = job;
      assert.ok(timeLeft > 0 && timeLeft <= TIME_MS, `${timeLeft} ms`);
      await job.answer({ payload: firstSample(to.answers) });
      await answerOf(asked);
    },
  ),
  requestCase(
    "tells the worker that the deadline has passed",
    (from, to) => lackOf(from.limitsTime, to.seesEnd),
    async (bench, from) => {
      const job = await beginShort(bench, from);
      await endsWith(job, "DEADLINE");
    },
  ),
  requestCase(
    "tells the worker that the caller has taken its request back",
    (from, to) => lackOf(from.withdraws, to.seesEnd),
    async (bench, from) => {
      const { asked, job } = await begin(bench, from);
      asked.leave();
      await endsWith(job, "CALLER_GONE");
    },
  ),
  requestCase(
    "tells the worker that the caller is lost",
    (_from, to) => lackOf(to.seesEnd),
    async (bench, from) => {
      const caller = await bench.another("from");
      const { job } = await begin({ ...bench, from: caller }, from);
      await caller[Symbol.asyncDispose]();
      await endsWith(job, "CALLER_GONE");
    },
  ),
  requestCase(
    "fails the request of a worker that is lost",
    (_from, to) => lackOf(to.leaves),
    async (bench, from) => {
      const worker = await bench.another("to");
      const { asked } = await begin(bench, from, undefined, worker);
      await worker[Symbol.asyncDispose]();
      await failsWith(asked, { code: "unavailable", reason: "WORKER_LOST" }, hubSays(from));
    },
  ),
  requestCase(
    "fails a request for which no worker is left",
    (_from, to) => lackOf(to.leaves),
    async (bench, from) => {
      const worker = await bench.another("to");
      const service = await worker.serve!(bench.subject);
      await service.close();
      const asked = ask(bench, { payload: firstSample(from.sends) });
      await failsWith(asked, { code: "unavailable", reason: "NO_RESPONDERS" }, hubSays(from));
    },
  ),
];

function shared(from: GatewaySupports, to: GatewaySupports): readonly FailureMember[] {
  return FAILURE_MEMBERS.filter((member) => from.isTold.includes(member) && to.fails.includes(member));
}

/** The jobs are answered in another order than they came. */
async function ownAnswers(bench: Bench): Promise<void> {
  const numbered = (n: number): Payload => ({ kind: "json", content: JSON.stringify([`number ${n}`]) });
  const service = await bench.to.serve!(bench.subject);
  const asked = Array.from({ length: IN_FLIGHT }, (_, n) => ask(bench, { payload: numbered(n) }));
  const jobs: Job[] = [];
  while (jobs.length < IN_FLIGHT) jobs.push(await service.next());
  for (const job of jobs.toReversed()) await job.answer({ payload: job.payload });
  for (const [n, one] of asked.entries()) assert.deepEqual((await answerOf(one)).payload, numbered(n));
}
