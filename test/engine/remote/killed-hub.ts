/** A hub under load from several processes that is killed and started again on its port, and the books balanced. */
import assert from "node:assert/strict";
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { Watched } from "../../wire/watched.ts";
import type { Ledger, Role, Told } from "./ledger-process.ts";

export interface Round {
  /** How long the hub stays away every third time. Milliseconds. */
  readonly outageMs: number;
  /** How long all may take to do their work again once the hub listens. Milliseconds. */
  readonly backWithinMs: number;
}

/** Outcomes of requests that no worker may have executed. */
const NOT_EXECUTED = new Set(["NOT_CONNECTED", "NO_RESPONDERS"]);

const CAST: readonly (readonly [Role, string])[] = [
  ["worker", "worker-1"],
  ["worker", "worker-2"],
  ["subscriber", "subscriber-1"],
  ["subscriber", "subscriber-2"],
  ["caller", "caller-1"],
  ["caller", "caller-2"],
];

export interface Balance {
  readonly answered: number;
  readonly lost: number;
  readonly refused: number;
  readonly heard: number;
  /** The slowest to be connected, and to do its work again, after the hub listened. Milliseconds. */
  readonly connectedMs: number;
  readonly workingMs: number;
}

export async function startProcess(file: string, ...args: string[]): Promise<[ChildProcess, unknown]> {
  const child = fork(fileURLToPath(new URL(file, import.meta.url)), args);
  const [said] = (await once(child, "message")) as [unknown];
  return [child, said];
}

class Actor extends Watched {
  readonly role: Role;
  readonly name: string;
  readonly #child: ChildProcess;
  readonly #at = new Map<string, number>();
  #ledger: Ledger | undefined;

  private constructor(role: Role, name: string, child: ChildProcess) {
    super();
    this.role = role;
    this.name = name;
    this.#child = child;
    child.on("message", (told: Told) => {
      if (told.kind === "ledger") this.#ledger = told.ledger;
      else this.#at.set(told.kind, told.at);
      this.changed();
    });
  }

  static async start(role: Role, name: string, url: string): Promise<Actor> {
    const [child] = await startProcess("ledger-process.js", role, name, url);
    return new Actor(role, name, child);
  }

  /** When it has come to this since it was last asked. */
  async came(to: "connecting" | "connected" | "working"): Promise<number> {
    await this.until(() => this.#at.has(to));
    return this.#at.get(to)!;
  }

  /** Forgets what has come before. */
  forget(): void {
    this.#at.clear();
  }

  async ledger(ask: "ledger" | "stop"): Promise<Ledger> {
    this.#ledger = undefined;
    this.#child.send(ask);
    await this.until(() => this.#ledger !== undefined);
    return this.#ledger!;
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }
}

/** Joins the ledgers of callers and workers: one outcome for each request, and only what was executed is answered. */
function balance(
  books: ReadonlyMap<Actor, Ledger>,
): Pick<Balance, "answered" | "lost" | "refused" | "heard"> {
  const executedBy = new Map<string, string>();
  for (const [{ name }, { executed }] of books) {
    for (const nonce of executed) {
      assert.ok(!executedBy.has(nonce), `${nonce} was executed twice`);
      executedBy.set(nonce, name);
    }
  }
  const counts = { answered: 0, lost: 0, refused: 0, heard: 0 };
  const seen = new Set<string>();
  for (const [{ name }, { outcomes, sent, heard }] of books) {
    assert.equal(outcomes.length, sent, `${name}: every request has an outcome`);
    for (const [nonce, outcome] of outcomes) {
      assert.ok(nonce.startsWith(`${name}-`) && !seen.has(nonce), `${nonce} has one outcome`);
      seen.add(nonce);
      if (outcome === "CONNECTION_LOST") counts.lost++;
      else if (NOT_EXECUTED.has(outcome)) {
        counts.refused++;
        assert.equal(executedBy.get(nonce), undefined, `${nonce} ended as ${outcome}`);
      } else {
        counts.answered++;
        assert.equal(outcome, executedBy.get(nonce), `${nonce} is answered by who executed it`);
      }
    }
    counts.heard += heard.length;
    checkOrder(name, heard);
  }
  for (const nonce of executedBy.keys()) assert.ok(seen.has(nonce), `${nonce} was asked by somebody`);
  return counts;
}

function checkOrder(name: string, heard: Ledger["heard"]): void {
  const last = new Map<string, number>();
  for (const [publisher, number] of heard) {
    assert.ok(number > (last.get(publisher) ?? 0), `${name} hears ${publisher} in order, nothing twice`);
    last.set(publisher, number);
  }
}

async function collect(actors: readonly Actor[], ask: "ledger" | "stop"): Promise<Map<Actor, Ledger>> {
  const ledgers = await Promise.all(actors.map((actor) => actor.ledger(ask)));
  return new Map(actors.map((actor, index) => [actor, ledgers[index]!]));
}

/** Kills the hub under load and restarts it, until `isEnough`. Throws when the books do not balance. */
export async function killHub(
  isEnough: (rounds: number) => boolean,
  report: (balance: Balance) => void,
  { outageMs, backWithinMs }: Round,
): Promise<void> {
  const first = await startProcess("hub-process.js", "tcp://127.0.0.1:0");
  let hub = first[0];
  const url = String(first[1]);
  const actors: Actor[] = [];
  try {
    for (const [role, name] of CAST) actors.push(await Actor.start(role, name, url));
    await Promise.all(actors.map((actor) => actor.came("working")));
    for (let rounds = 0; !isEnough(rounds); rounds++) {
      for (const actor of actors) actor.forget();
      hub.kill("SIGKILL");
      await Promise.all(actors.map((actor) => actor.came("connecting")));
      const counts = balance(await collect(actors, "ledger"));
      if (rounds % 3 === 2) await new Promise((resolve) => setTimeout(resolve, outageMs));
      for (const actor of actors) actor.forget();
      [hub] = await startProcess("hub-process.js", url);
      const listening = Date.now();
      const connected = await Promise.all(actors.map((actor) => actor.came("connected")));
      const working = await Promise.all(actors.map((actor) => actor.came("working")));
      const connectedMs = Math.max(...connected) - listening;
      const workingMs = Math.max(...working) - listening;
      report({ ...counts, connectedMs, workingMs });
      const late = `the last was connected after ${connectedMs} ms, and did its work after ${workingMs} ms`;
      assert.ok(connectedMs < backWithinMs && workingMs < backWithinMs, late);
    }
    const callers = actors.filter(({ role }) => role === "caller");
    const others = actors.filter(({ role }) => role !== "caller");
    const asked = await collect(callers, "stop"); // first, so that nobody is left without a worker
    balance(new Map([...asked, ...(await collect(others, "stop"))]));
  } finally {
    for (const actor of actors) actor.kill();
    hub.kill("SIGKILL");
  }
}
