import type { StreamTransport } from "../candidates/lintel-stream.ts";

/** What one measurement of one candidate gave. Absolute figures live only here; the summary is made of ratios. */
export interface Sample {
  /** Operations per second: requests, deliveries or calls. */
  readonly rate: number;
  /** Median time of one operation in microseconds, where operations ran one at a time. */
  readonly p50?: number;
  /** Seconds per operation, where the ratio of costs is what a reader wants. */
  readonly cost?: number;
  /** What a process has taken at its peak beyond what it began with. MiB. */
  readonly growth?: number;
}

export type Metric = keyof Sample;

/** Request/reply: `inFlight` lanes, each sending its next request when the last one was answered. */
export interface RequestLoad {
  readonly kind: "request";
  readonly payloadBytes: number;
  readonly inFlight: number;
}

/** Fan-out: messages to one feed, with at most `window` of them not yet received by every subscriber. */
export interface FanoutLoad {
  readonly kind: "fanout";
  readonly payloadBytes: number;
  readonly subscribers: number;
  readonly window: number;
}

/** Calls inside one process, one after the other. */
export interface CallLoad {
  readonly kind: "call";
}

/** HTTP requests by wrk. */
export interface HttpLoad {
  readonly kind: "http";
  readonly method: "GET" | "POST";
  readonly connections: number;
}

/** One stream at a time. */
export interface StreamLoad {
  readonly kind: "stream";
  readonly transport: StreamTransport;
}

/** No load: asks a process how much memory the loads before have cost it. */
export interface MemoryLoad {
  readonly kind: "memory";
}

export type Load = RequestLoad | FanoutLoad | CallLoad | HttpLoad | StreamLoad | MemoryLoad;
