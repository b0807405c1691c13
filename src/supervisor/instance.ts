/** One instance of a service: a process, started again by the rules of its definition, until it is stopped. */
import type { Readable } from "node:stream";
import { setImmediate as turn, setTimeout as pause } from "node:timers/promises";
import type { ServiceDefinition } from "../config/services.ts";
import { LintelError } from "../message/failure.ts";
import { backoffMs } from "../runtime/backoff.ts";
import { STEADY_MS, judge, type Life } from "./restarts.ts";
import { LineSplitter } from "./lines.ts";
import { MAX_LINE, type LogLine } from "./log-ring.ts";
import { startPiped, type PipedProcess } from "./piped-process.ts";
import type { PipeSource } from "./pipes.ts";
import type { ReadinessTracker } from "./readiness-tracker.ts";
import { endProcesses, sendSignal } from "./processes.ts";
import { MARK } from "./runtime-directory.ts";

export type InstanceState =
  /** For the services it depends on. */
  | "waiting"
  /** Its process runs; its subjects are not all served yet. */
  | "starting"
  | "ready"
  /** What is left of its processes is being ended. */
  | "stopping"
  /** Waits to be started again. */
  | "backoff"
  | "stopped"
  /** Has ended badly, and is not started again. */
  | "failed"
  /** Has ended well, and is not started again. */
  | "ended";

/** What may follow what. The last three stay until the service is started again. */
const TRANSITIONS: Readonly<Record<InstanceState, readonly InstanceState[]>> = {
  waiting: ["starting", "stopped"],
  starting: ["ready", "stopping"],
  ready: ["stopping"],
  stopping: ["stopped", "backoff", "failed", "ended"],
  backoff: ["starting", "stopped"],
  stopped: [],
  failed: [],
  ended: [],
};

/** What `ps` shows of an instance. */
export interface InstanceStatus {
  readonly service: string;
  readonly instance: string;
  readonly state: InstanceState;
  readonly pid: number | null;
  /** When it came into this state. Milliseconds since the epoch. */
  readonly since: number;
  /** How often it was started again by itself. */
  readonly restarts: number;
  readonly subjects: readonly { readonly subject: string; readonly served: boolean }[];
  /** How it ended last, empty if it never has. */
  readonly why: string;
}

export interface InstanceOptions {
  readonly definition: ServiceDefinition;
  readonly number: number;
  /** The program and its arguments. */
  readonly command: readonly string[];
  /** The run it belongs to. */
  readonly run: string;
  /** The hub's socket for this instance alone, by which it is known. */
  readonly hubUrl: string;
  readonly httpUrl: string | undefined;
  /** The key that it shows to the hub, where the hub wants one and its own environment has none. */
  readonly key?: string | undefined;
  readonly pipes: PipeSource;
  readonly readiness: ReadinessTracker;
  /** Waited for before the first start. */
  readonly after: Promise<unknown>;
  readonly onLine: (line: LogLine) => void;
  readonly onState: (instance: Instance) => void;
}

interface Exit {
  readonly how: string;
  readonly isFailure: boolean;
}

/** Output may be held open by whom we cannot see; it is not waited for longer than this. Milliseconds. */
const LAST_OUTPUT_MS = 1_000;

export class Instance {
  readonly name: string;
  /** Resolves when it has ended and will not be started again. */
  readonly finished: Promise<void>;
  /** Resolves when its first start has come to something, true if it was ready; at once while others are waited for. */
  readonly settled: Promise<boolean>;
  readonly #options: InstanceOptions;
  readonly #stop = new AbortController();
  readonly #hurry = new AbortController();
  #settle: (ready: boolean) => void = () => undefined;
  #state: InstanceState = "waiting";
  #since = Date.now();
  #pid: number | undefined;
  #restarts = 0;
  #why = "";

  /** Starts it, once what it waits for has come. */
  constructor(options: InstanceOptions) {
    this.#options = options;
    this.name = `${options.definition.name}.${options.number}`;
    this.settled = new Promise((resolve) => {
      this.#settle = resolve;
    });
    this.finished = this.#run();
  }

  get status(): InstanceStatus {
    const { definition, readiness, hubUrl } = this.#options;
    return {
      service: definition.name,
      instance: this.name,
      state: this.#state,
      pid: this.#pid ?? null,
      since: this.#since,
      restarts: this.#restarts,
      subjects: definition.subjects.map((subject) => ({
        subject,
        served: readiness.isServed(hubUrl, subject),
      })),
      why: this.#why,
    };
  }

  /** Ends it, with SIGTERM first; resolves when nothing is left of it. */
  stop(): Promise<void> {
    this.#stop.abort();
    return this.finished;
  }

  /** Ends it with SIGKILL, now. */
  kill(): void {
    this.#stop.abort();
    this.#hurry.abort();
    if (this.#pid !== undefined) sendSignal(-this.#pid, "SIGKILL");
  }

  async #run(): Promise<void> {
    const { definition, after } = this.#options;
    const { signal } = this.#stop;
    const due = Promise.race([after, fired(signal)]);
    if (await Promise.race([due.then(() => false), turn(true)])) this.#settle(false);
    await due;
    let failures = 0;
    while (!signal.aborted) {
      const life = await this.#live();
      if (signal.aborted) break;
      failures = life.ranMs >= STEADY_MS ? 1 : failures + 1;
      const verdict = judge(definition.restart, life, failures);
      this.#why = life.how;
      if (verdict !== "again") {
        this.#become(verdict);
        return;
      }
      const waitMs = backoffMs(definition.restart, failures, Math.random);
      this.#why += `; again in ${waitMs} ms`;
      this.#become("backoff");
      await pause(waitMs, undefined, { signal }).catch(() => undefined);
      if (!signal.aborted) this.#restarts += 1;
    }
    this.#become("stopped");
  }

  /** One process from its start until nothing is left of it. */
  async #live(): Promise<Life> {
    const { definition, readiness, hubUrl, run } = this.#options;
    const startedAt = performance.now();
    const started = await this.#spawn();
    this.#pid = started instanceof Error ? undefined : started.child.pid;
    this.#become("starting");
    if (started instanceof Error) {
      this.#become("stopping");
      return { how: `cannot be started: ${started.message}`, isFailure: true, ranMs: 0 };
    }
    const { child, stdout, stderr } = started;
    const over = new AbortController();
    const stopped = fired(this.#stop.signal, over.signal);
    const exited = exitOf(child);
    const output = Promise.all([this.#read(stdout, "stdout"), this.#read(stderr, "stderr")]);
    let exit: Exit | undefined;
    void exited.then((how) => {
      exit = how;
    });
    const late = await Promise.race([
      exited.then(() => false),
      stopped.then(() => false),
      readiness.until(hubUrl, definition.subjects, over.signal).then(() => this.#serves(() => exit)),
      pause(definition.startTimeoutMs, true, { signal: over.signal }).catch(() => false),
    ]);
    if (!late) await Promise.race([exited, stopped]);
    this.#become("stopping");
    const endedAt = performance.now();
    if (exit === undefined) await this.#endFirst(child, exited, () => exit !== undefined);
    const kin = { group: child.pid, mark: `${MARK}=${run}/${this.name}\0` };
    const left = Math.max(0, definition.stopGraceMs - (performance.now() - endedAt));
    const survivors = await endProcesses(kin, left, this.#hurry.signal);
    await Promise.race([
      output,
      pause(LAST_OUTPUT_MS, undefined, { signal: over.signal }).catch(() => undefined),
    ]);
    for (const pipe of [stdout, stderr]) pipe.destroy(); // another process may hold them open forever
    await output;
    over.abort();
    this.#pid = undefined;
    const { how, isFailure } = late
      ? { how: `was not ready within ${definition.startTimeoutMs} ms`, isFailure: true }
      : (exit ?? { how: "could not be ended", isFailure: true });
    const rest = survivors.length === 0 ? "" : `; processes ${survivors.join(", ")} could not be ended`;
    return { how: how + rest, isFailure, ranMs: endedAt - startedAt };
  }

  /** Its subjects are served; false, so that this is no reason to end it. */
  #serves(exit: () => Exit | undefined): boolean {
    if (this.#state === "starting" && exit() === undefined && !this.#stop.signal.aborted)
      this.#become("ready");
    return false;
  }

  /** Has the first process of the group end, which may take as long as the definition allows. */
  async #endFirst(
    child: PipedProcess["child"],
    exited: Promise<Exit>,
    hasEnded: () => boolean,
  ): Promise<void> {
    const group = -child.pid;
    const done = new AbortController();
    const graceMs = this.#options.definition.stopGraceMs;
    sendSignal(group, this.#hurry.signal.aborted ? "SIGKILL" : "SIGTERM");
    await Promise.race([
      exited,
      pause(graceMs, undefined, { signal: done.signal }).catch(() => undefined),
      fired(this.#hurry.signal, done.signal),
    ]);
    done.abort();
    if (hasEnded()) return;
    sendSignal(group, "SIGKILL");
    await exited;
  }

  /** The process, or why there is none: no such program, no descriptors left, a NUL in a word of the command. */
  async #spawn(): Promise<PipedProcess | Error> {
    const { definition, command, run, hubUrl, httpUrl, key, pipes } = this.#options;
    const [program = "", ...args] = command;
    const { directory } = definition;
    const env: NodeJS.ProcessEnv = {
      ...process.env,
      ...(key === undefined ? {} : { LINTEL_KEY: key }),
      ...definition.environment,
      LINTEL_HUB: hubUrl,
      [MARK]: `${run}/${this.name}`,
    };
    if (httpUrl !== undefined) env["LINTEL_HTTP"] = httpUrl;
    try {
      return await startPiped({ command: program, args, env, directory, hasInput: false }, pipes);
    } catch (error) {
      return error as Error;
    }
  }

  async #read(source: Readable, stream: "stdout" | "stderr"): Promise<void> {
    const { onLine } = this.#options;
    const splitter = new LineSplitter(MAX_LINE, "cut");
    const tell = (line: Uint8Array): void =>
      onLine({ at: Date.now(), instance: this.name, stream, text: Buffer.from(line).toString("utf8") });
    source.on("data", (chunk: Uint8Array) => {
      for (const line of splitter.push(chunk)) tell(line);
    });
    await new Promise<void>((resolve) =>
      source.once("close", () => resolve()).once("error", () => resolve()),
    );
    const rest = splitter.rest();
    if (rest !== undefined) tell(rest);
  }

  #become(state: InstanceState): void {
    if (!TRANSITIONS[this.#state].includes(state))
      throw new LintelError("internal", `${this.name} cannot go from ${this.#state} to ${state}`);
    this.#state = state;
    this.#since = Date.now();
    if (state === "ready") this.#settle(true);
    else if (state !== "starting" && state !== "stopping") this.#settle(false);
    this.#options.onState(this);
  }
}

function exitOf(child: PipedProcess["child"]): Promise<Exit> {
  return new Promise((resolve) => {
    child.once("exit", (code, signal) =>
      resolve({
        how: signal === null ? `ended with code ${code}` : `was ended by ${signal}`,
        isFailure: code !== 0,
      }),
    );
  });
}

/** Resolves when the signal fires; never, once `over` has. */
function fired(signal: AbortSignal, over?: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    signal.addEventListener("abort", () => resolve(), {
      once: true,
      ...(over === undefined ? {} : { signal: over }),
    });
  });
}
