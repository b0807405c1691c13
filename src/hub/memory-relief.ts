/**
 * Gives memory back after a burst. Large payloads lie outside the heap, and while nothing is allocated on the heap nothing
 * makes the collector look for them; and what it frees the C library may keep. So once a hub is quiet again, both are asked.
 */
import { createRequire } from "node:module";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type * as Koffi from "koffi";

const MIB = 1_048_576;
/** How often it looks. Milliseconds. */
const INTERVAL_MS = 5_000;
/** A process that was busy for less than this share of an interval is quiet: there is time to collect. */
const QUIET = 0.1;
/** One that was busy for less than this has done nothing that would need it. */
const IDLE = 0.005;
/** Intervals from one collection to the next, at least: one takes some ten milliseconds. */
const LEAST_INTERVALS = 2;
/** Memory grows by itself: less than this, or a twentieth, is not worth a collection. Bytes. */
const LEAST_GROWTH = 2 * MIB;
/** A larger heap is not collected from here: it would stop the process for too long, and has reasons of its own. Bytes. */
const LARGEST_HEAP = 128 * MIB;

/** What it asks of the process. */
export interface ProcessMemory {
  /** Time the process has computed. Milliseconds. */
  busy(): number;
  /** Resident bytes. */
  resident(): number;
  /** Bytes of the heap in use. */
  heap(): number;
  /** Collects garbage and hands free memory to the system. */
  release(): void;
}

/** Watches the memory of this process while a hub runs. */
export class MemoryRelief {
  readonly #memory: ProcessMemory;
  #timer: ReturnType<typeof setInterval> | undefined;
  /** Of the interval before. */
  #busy: number;
  /** True when there was work since memory was last given back. */
  #worked = false;
  /** Intervals since then. */
  #since = LEAST_INTERVALS;
  /** The least resident memory that was seen in quiet. */
  #floor: number;

  constructor(memory: ProcessMemory) {
    this.#memory = memory;
    this.#busy = memory.busy();
    this.#floor = memory.resident();
  }

  start(): void {
    this.#timer ??= setInterval(() => this.look(INTERVAL_MS), INTERVAL_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Called after every interval. Gives memory back in the first quiet one after work. */
  look(intervalMs: number): void {
    const memory = this.#memory;
    const busy = memory.busy();
    const share = (busy - this.#busy) / intervalMs;
    this.#busy = busy;
    this.#since++;
    if (share > IDLE) this.#worked = true;
    if (!this.#worked || share > QUIET || this.#since < LEAST_INTERVALS) return;
    const resident = memory.resident();
    this.#floor = Math.min(this.#floor, resident);
    if (resident < this.#floor + Math.max(LEAST_GROWTH, this.#floor / 20)) return;
    this.#worked = false;
    this.#since = 0;
    if (memory.heap() > LARGEST_HEAP) return;
    memory.release();
    this.#busy = memory.busy(); // what this took is no work
  }
}

export const processMemory: ProcessMemory = {
  busy: () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1_000;
  },
  resident: () => process.memoryUsage.rss(),
  heap: () => process.memoryUsage().heapUsed,
  release: releaseMemory,
};

/** Collects garbage, then has the C library return what is free. */
export function releaseMemory(): void {
  const collect = collector();
  collect?.();
  // What the first one has found is freed on another thread; the second one waits for that.
  collect?.();
  trimmer()?.(0);
}

/** The collector of the platform, which is not to be had without asking. */
function collector(): (() => void) | undefined {
  if (globalThis.gc !== undefined) return () => globalThis.gc!();
  try {
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    setFlagsFromString("--no-expose-gc");
    return collect;
  } catch {
    return undefined; // a platform that does not give it
  }
}

/** `malloc_trim` of glibc, through an optional package: without it large blocks may stay with the process. */
function trimmer(): ((keep: number) => number) | undefined {
  if (process.platform !== "linux") return undefined;
  try {
    const koffi = createRequire(import.meta.url)("koffi") as typeof Koffi;
    return koffi.load("libc.so.6").func("int malloc_trim(size_t)") as (keep: number) => number;
  } catch {
    return undefined; // not installed, or another C library
  }
}
