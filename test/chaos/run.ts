/** One run: callers and workers at work, faults that a seed chooses, and the books joined when all is quiet again. */
import { Agent, get } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { seededRandom } from "../gateway/jobs/random.ts";
import { Callers, TIMEOUT_MS } from "./callers.ts";
import { FAULTS } from "./faults.ts";
import type { HubState } from "./hub-process.ts";
import { audit, type Call } from "./ledger.ts";
import { Scene } from "./scene.ts";

/** What a request may take beyond its timeout where all processes share two cores. Milliseconds. */
const SLACK_MS = 2_500;
const WARM_UP_MS = 1_000;
/** In this time a hub has to be as before when nobody calls any more. */
const QUIET_MS = 10_000;
/** A hub that is there answers in this time, whatever happens around it. */
const HEALTH_MS = 1_000;
/** What a hub may keep: caches that have grown since the first look. */
const KEPT_BYTES = 6 * 1_048_576;

export interface Report {
  readonly seed: number;
  readonly faults: readonly string[];
  readonly calls: number;
  readonly outcomes: Readonly<Record<string, number>>;
  readonly executed: number;
  readonly recorded: number;
  /** Slowest answer of the hub itself while it was there. Milliseconds. */
  readonly healthMs: number;
  readonly before: HubState;
  readonly after: HubState;
  readonly violations: readonly string[];
}

export async function run(seed: number, count: number): Promise<Report> {
  const names = choose(seed, count);
  const random = seededRandom(seed + 1); // callers and faults draw from it as they come, in no order that a seed repeats
  const scene = await Scene.start();
  const violations: string[] = [];
  let graceful = false;
  const health = new Health(scene.httpPort);
  try {
    const urls = [scene.callersUrl, `tcp://127.0.0.1:${scene.tcpPort}`, scene.socketUrl];
    const onSettled = ({ nonce, outcome, wasKept }: Call): void => {
      // A connection that is just being made may meet a port that closes; one that is kept is ended in good order.
      if (graceful && wasKept && outcome === "connection: ECONNRESET")
        violations.push(`${nonce} was reset while the hub drained`);
    };
    const callers = await Callers.start({ random, httpPort: scene.httpPort, urls, onSettled });
    await delay(WARM_UP_MS);
    const before = await scene.hubState();
    for (const name of names) {
      graceful = name === "hub drained";
      await FAULTS[name]!({
        scene,
        callers,
        random,
        hubAway: (isAway) => health.hubAway(isAway),
        complain: (text) => void violations.push(text),
      });
      graceful = false;
      await delay(100 + random() * 300);
    }
    await callers.stop();
    const healthMs = health.stop();
    if (healthMs > HEALTH_MS) violations.push(`the hub itself took ${healthMs} ms to answer`);
    const after = await quiet(scene, before, violations);
    const books = { calls: callers.calls, hub: scene.hubRecords(), executed: scene.executions() };
    violations.push(...audit({ ...books, longestMs: TIMEOUT_MS + SLACK_MS }), ...scene.failures);
    const outcomes: Record<string, number> = {};
    for (const { outcome } of books.calls) outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
    return {
      seed,
      faults: names,
      calls: books.calls.length,
      outcomes,
      executed: books.executed.length,
      recorded: books.hub.length,
      healthMs,
      before,
      after,
      violations,
    };
  } finally {
    health.stop();
    await scene.end();
  }
}

/** The faults of a seed, in their order. */
function choose(seed: number, count: number): string[] {
  const random = seededRandom(seed);
  const all = Object.keys(FAULTS);
  return Array.from({ length: count }, () => all[Math.floor(random() * all.length)]!);
}

/** Waits until the hub holds no more than before, and says what it still holds when it does not get there. */
async function quiet(scene: Scene, before: HubState, violations: string[]): Promise<HubState> {
  const end = performance.now() + QUIET_MS;
  for (;;) {
    const now = await scene.hubState();
    const rests: string[] = [];
    if (now.inFlight > 0) rests.push(`${now.inFlight} requests in flight`);
    if (now.sessions !== 3) rests.push(`${now.sessions} sessions, 3 workers have one each`);
    if (now.descriptors > before.descriptors)
      rests.push(`${now.descriptors} descriptors, ${before.descriptors} under load`);
    if (now.bytes > before.bytes + KEPT_BYTES) rests.push(`${now.bytes} bytes, ${before.bytes} under load`);
    if (rests.length === 0) return now;
    if (performance.now() > end) {
      violations.push(`after ${QUIET_MS} ms of quiet the hub has ${rests.join(", ")}`);
      return now;
    }
    await delay(100);
  }
}

/** Asks the hub for an answer of its own, again and again. */
class Health {
  readonly #agent = new Agent({ keepAlive: true });
  readonly #port: number;
  readonly #timer: NodeJS.Timeout;
  #slowest = 0;
  #isAway = false;
  /** Raised each time the hub goes, so that what was asked before does not count. */
  #age = 0;

  constructor(port: number) {
    this.#port = port;
    this.#timer = setInterval(() => this.#ask(), 50);
  }

  hubAway(isAway: boolean): void {
    this.#isAway = isAway;
    this.#age++;
  }

  /** Stops asking. Returns the longest time an answer took, in milliseconds. */
  stop(): number {
    clearInterval(this.#timer);
    this.#agent.destroy();
    return Math.round(this.#slowest);
  }

  #ask(): void {
    if (this.#isAway) return;
    const [began, age] = [performance.now(), this.#age];
    const sent = get(
      { host: "127.0.0.1", port: this.#port, path: "/health", agent: this.#agent },
      (response) => {
        response.resume();
        if (age === this.#age) this.#slowest = Math.max(this.#slowest, performance.now() - began);
      },
    );
    sent.on("error", () => undefined); // the ledgers tell of lost connections
  }
}
