import { setTimeout as sleep } from "node:timers/promises";
import type { Caller } from "../candidates/candidate.ts";
import type { RequestLoad, Sample } from "./sample.ts";

/** The lead-in fills pipes and warms caches; it is part of no figure. */
const LEAD_IN_SHARE = 0.15;
const MAX_LATENCIES = 1 << 18;

/** What the lanes of one measurement share. */
interface Meter {
  answered: number;
  stopped: boolean;
  /** Present when single latencies are wanted: reading the clock twice per request would disturb loads of many lanes. */
  readonly latencies: Float64Array | undefined;
}

/** Drives a caller the way an application would, with plain promises, and counts answers. */
export async function measureRequests(caller: Caller, load: RequestLoad, seconds: number): Promise<Sample> {
  const payload = new Uint8Array(load.payloadBytes).fill(0x61);
  const meter: Meter = {
    answered: 0,
    stopped: false,
    latencies: load.inFlight === 1 ? new Float64Array(MAX_LATENCIES) : undefined,
  };
  const lanes = Array.from({ length: load.inFlight }, () =>
    meter.latencies === undefined
      ? runLane(caller, payload, meter)
      : runTimedLane(caller, payload, meter, meter.latencies),
  );
  const counted = countDuring(meter, seconds);
  const [sample] = await Promise.all([counted, ...lanes]);
  return sample;
}

async function countDuring(meter: Meter, seconds: number): Promise<Sample> {
  await sleep(seconds * LEAD_IN_SHARE * 1_000);
  const from = performance.now();
  const before = meter.answered;
  await sleep(seconds * 1_000);
  const rate = ((meter.answered - before) * 1_000) / (performance.now() - from);
  meter.stopped = true;
  if (meter.latencies === undefined) return { rate };
  return { rate, p50: median(meter.latencies.subarray(0, Math.min(meter.answered, MAX_LATENCIES))) * 1_000 };
}

async function runLane(caller: Caller, payload: Uint8Array, meter: Meter): Promise<void> {
  while (!meter.stopped) {
    await caller.request(payload);
    meter.answered++;
  }
}

async function runTimedLane(
  caller: Caller,
  payload: Uint8Array,
  meter: Meter,
  latencies: Float64Array,
): Promise<void> {
  while (!meter.stopped) {
    const from = performance.now();
    await caller.request(payload);
    latencies[meter.answered++ % MAX_LATENCIES] = performance.now() - from;
  }
}

function median(values: Float64Array): number {
  return values.toSorted()[values.length >> 1] ?? 0;
}
