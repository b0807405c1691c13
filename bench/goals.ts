/** The goals that `--check` holds a run against. Medians count. */
import type { Metric } from "./load/sample.ts";
import type { WorkloadName } from "./workloads/workload.ts";

export interface Goal {
  readonly workload: WorkloadName;
  readonly test: string;
  readonly metric: Metric;
  readonly candidate: string;
  /** Without one the figure counts, not a ratio. */
  readonly base?: string;
  /** Exactly one of the two bounds. */
  readonly atLeast?: number;
  readonly atMost?: number;
}

const TRANSPORTS = ["unix", "tcp"] as const;

const requests: Goal[] = TRANSPORTS.flatMap((transport) => {
  const candidate = `lintel-${transport}`;
  const relay = `relay-${transport}`;
  return [
    { workload: "W1", test: "64 B, 64 in flight", metric: "rate", candidate, base: "nats", atLeast: 10 },
    { workload: "W1", test: "64 B, 64 in flight", metric: "rate", candidate, base: relay, atLeast: 0.7 },
    { workload: "W1", test: "64 B, 1 in flight", metric: "rate", candidate, base: "nats", atLeast: 2 },
    { workload: "W1", test: "64 B, 1 in flight", metric: "p50", candidate, base: relay, atMost: 1.15 },
  ] satisfies Goal[];
});

const fanout: Goal[] = ["10 subscribers", "100 subscribers"].map((test) => ({
  workload: "W2",
  test,
  metric: "rate",
  candidate: "lintel",
  base: "nats",
  atLeast: 8,
}));

const edge: Goal[] = ["GET", "POST 256 B"].flatMap(
  (test) =>
    [
      { workload: "W3", test, metric: "rate", candidate: "lintel worker", base: "node:http", atLeast: 0.75 },
      {
        workload: "W3",
        test,
        metric: "rate",
        candidate: "lintel worker",
        base: "node:http + nats",
        atLeast: 2.5,
      },
    ] satisfies Goal[],
);

const local: Goal[] = [
  { workload: "W4", test: "in process", metric: "cost", candidate: "lintel", base: "direct", atMost: 8 },
];

const websocket: Goal[] = ["64 B, 64 in flight", "1 KiB, 64 in flight"].map((test) => ({
  workload: "WS",
  test,
  metric: "rate",
  candidate: "lintel-ws",
  base: "socket.io",
  atLeast: 3,
}));

const text: Goal[] = [
  {
    workload: "TR",
    test: "64 B, 64 in flight",
    metric: "rate",
    candidate: "lintel-text",
    base: "lintel-ws",
    atLeast: 0.5,
  },
  {
    workload: "TF",
    test: "100 subscribers",
    metric: "rate",
    candidate: "lintel-text",
    base: "socket.io",
    atLeast: 5,
  },
];

const streams: Goal[] = TRANSPORTS.flatMap(
  (test) =>
    [
      { workload: "ST", test, metric: "rate", candidate: "lintel", base: "raw", atLeast: 0.5 },
      { workload: "ST", test, metric: "rate", candidate: "lintel hub", base: "raw relay", atLeast: 0.8 },
      { workload: "ST", test, metric: "growth", candidate: "lintel hub", atMost: 64 },
    ] satisfies Goal[],
);

export const GOALS: readonly Goal[] = [
  ...requests,
  ...fanout,
  ...edge,
  ...local,
  ...websocket,
  ...text,
  ...streams,
];

export function isMet(goal: Goal, ratio: number): boolean {
  return ratio >= (goal.atLeast ?? 0) && ratio <= (goal.atMost ?? Number.POSITIVE_INFINITY);
}
