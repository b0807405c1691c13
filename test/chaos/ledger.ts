/** The ledgers of callers, hub and workers, and what must hold when they are joined. */
import { REASONS } from "../../src/message/status.ts";

/** How a caller reaches the hub. */
export type Via = "http" | "native" | "job";

/** One request, as its caller saw it. */
export interface Call {
  readonly nonce: string;
  readonly via: Via;
  /** Milliseconds of the run's clock. */
  readonly startedAt: number;
  settledAt: number;
  /** How often the caller was told of an outcome. */
  settlements: number;
  /** `answered`, a reason of the hub, or `connection: CODE` when the connection ended first. */
  outcome: string;
  /** HTTP status; 0 without one. */
  status: number;
  /** The worker that says it has answered. */
  worker: string;
  /** Set when it went over a connection that had carried others. */
  wasKept: boolean;
  /** Set when the caller withdrew the request. */
  withdrawn: boolean;
  /** What is wrong with the answer, such as another request's nonce. */
  mistake: string | undefined;
}

/** One line of the hub's ledger: an HTTP request that has ended. */
export interface HubRecord {
  readonly nonce: string;
  readonly status: number;
  readonly reason: string;
}

/** One line of a worker's ledger: a request it has begun. */
export interface Execution {
  readonly nonce: string;
  readonly worker: string;
}

export interface Books {
  readonly calls: readonly Call[];
  readonly hub: readonly HubRecord[];
  readonly executed: readonly Execution[];
  /** Longest time a request may take: its timeout and what a busy machine adds. Milliseconds. */
  readonly longestMs: number;
}

/** Says every rule that the books break; empty when all is well. */
export function audit({ calls, hub, executed, longestMs }: Books): string[] {
  const violations: string[] = [];
  const byNonce = new Map(calls.map((call) => [call.nonce, call]));
  const executions = groupByNonce(executed);
  const records = groupByNonce(hub);
  for (const nonce of [...executions.keys(), ...records.keys()])
    if (!byNonce.has(nonce)) violations.push(`${nonce} was made by no caller`);
  for (const call of calls) {
    const by = executions.get(call.nonce) ?? [];
    for (const text of [
      ...wrongOutcome(call, longestMs),
      ...wrongExecution(call, by),
      ...wrongRecord(call, records.get(call.nonce) ?? []),
    ])
      violations.push(`${call.nonce} by ${call.via}, ${call.outcome}: ${text}`);
  }
  return violations;
}

function wrongOutcome(call: Call, longestMs: number): string[] {
  if (call.settlements !== 1) return [`${call.settlements} outcomes instead of one`];
  const took = Math.round(call.settledAt - call.startedAt);
  const wrong = took > longestMs ? [`took ${took} ms, at most ${longestMs} were allowed`] : [];
  if (call.mistake !== undefined) wrong.push(call.mistake);
  return wrong;
}

function wrongExecution(call: Call, by: readonly Execution[]): string[] {
  if (by.length > 1) return [`executed ${by.length} times by ${by.map(({ worker }) => worker).join(", ")}`];
  if (call.outcome === "answered" && by[0]?.worker !== call.worker)
    return [`answered by ${call.worker}, executed by ${by[0]?.worker ?? "no worker"}`];
  if (isRetryable(call.outcome) && by.length > 0)
    return [`said to be safe to repeat, and ${by[0]!.worker} has executed it`];
  return [];
}

function wrongRecord(call: Call, records: readonly HubRecord[]): string[] {
  if (call.via !== "http") return []; // the path of a job names its service only
  if (records.length > 1) return [`the hub recorded ${records.length} outcomes`];
  const [record] = records;
  if (record === undefined) return call.status === 0 ? [] : ["the hub did not record it"];
  if (call.status === 0 || call.withdrawn) return []; // the response, or the caller, was lost on the way
  return record.status === call.status
    ? []
    : [`the hub recorded ${record.status}, the caller saw ${call.status}`];
}

function isRetryable(reason: string): boolean {
  return reason in REASONS && REASONS[reason as keyof typeof REASONS].retryable;
}

function groupByNonce<T extends { readonly nonce: string }>(rows: readonly T[]): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const row of rows) {
    const group = groups.get(row.nonce);
    if (group === undefined) groups.set(row.nonce, [row]);
    else group.push(row);
  }
  return groups;
}
