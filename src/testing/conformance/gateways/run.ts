import { describe, type Outcome } from "../cell-run.ts";
import { inTime } from "../in-time.ts";
import { GATEWAY_CASES, type GatewayCell } from "./cells.ts";
import type { GatewayRole, MatrixHub, Program } from "./driver.ts";
import type { Bench, GatewayCase } from "./gateway-case.ts";

/** Cases: so many that they cross each other, and so few that none waits for long. */
const AT_A_TIME = 64;

export interface GatewayCaseResult {
  readonly case: string;
  readonly outcome: Outcome;
  /** None is known to fail. */
  readonly known: undefined;
}

export interface GatewayCellResult {
  readonly cell: GatewayCell;
  readonly results: readonly GatewayCaseResult[];
}

/** Where the two programs of a cell connect: most often to the same hub. */
export interface MatrixHubs {
  readonly from: MatrixHub;
  readonly to: MatrixHub;
}

/**
 * Runs the cells of a matrix. Programs of one gateway and role are shared by all cells, so that what belongs to one of them has to
 * find its way among what belongs to the others.
 */
export class GatewayRun implements AsyncDisposable {
  readonly #name: string;
  readonly #hubs: MatrixHubs;
  readonly #shared = new Map<string, Promise<Program>>();
  /** Those that wait until others have ended. */
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  /** `name` tells its subjects from those of other runs at the same hubs. Letters and digits. */
  constructor(hubs: MatrixHubs, name = "only") {
    this.#name = name;
    this.#hubs = hubs;
  }

  /** Cases run at a time, up to a bound for all cells together. Never rejects: what a case throws is its outcome. */
  async run(cell: GatewayCell): Promise<GatewayCellResult> {
    const results = cell.cases.map(async ({ one, lack }): Promise<GatewayCaseResult> => {
      const outcome: Outcome =
        lack === undefined ? await this.#outcomeOf(cell, one) : { status: "unsupported", reason: lack };
      return { case: one.name, outcome, known: undefined };
    });
    return { cell, results: await Promise.all(results) };
  }

  /** All programs end. Not the hubs. */
  async [Symbol.asyncDispose](): Promise<void> {
    const programs = [...this.#shared.values()];
    this.#shared.clear();
    // One that could not connect has failed its cases.
    await Promise.allSettled(programs.map(async (program) => (await program)[Symbol.asyncDispose]()));
  }

  async #outcomeOf(cell: GatewayCell, one: GatewayCase): Promise<Outcome> {
    if (this.#running >= AT_A_TIME) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#running++;
    try {
      await this.#attempt(cell, one);
      return { status: "passed" };
    } catch (error) {
      return { status: "failed", why: describe(error) };
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#running--;
      else next();
    }
  }

  async #attempt({ relation, from, to }: GatewayCell, one: GatewayCase): Promise<void> {
    const others: Program[] = [];
    const hubs = this.#hubs;
    const role: GatewayRole = relation === "enable" ? "client" : "service";
    const sides = {
      from: (isMortal: boolean) => from.connect(hubs.from, "service", { side: "from", isMortal }),
      to: (isMortal: boolean) => to.connect(hubs.to, role, { side: "to", isMortal }),
    };
    try {
      const bench: Bench = {
        hub: hubs.from,
        from: await this.#sharedOf(`from ${from.name}`, () => sides.from(false)),
        to: await this.#sharedOf(`to ${to.name} ${role}`, () => sides.to(false)),
        subject: ["x", relation, from.name, to.name, `${this.#name}-${GATEWAY_CASES.indexOf(one)}`].join("."),
        async another(side) {
          const program = await sides[side](true);
          others.push(program);
          return program;
        },
      };
      await inTime(one.run(bench, from.supports, to.supports), one.name);
    } finally {
      await Promise.all(others.map((program) => program[Symbol.asyncDispose]()));
    }
  }

  #sharedOf(key: string, connect: () => Promise<Program>): Promise<Program> {
    let program = this.#shared.get(key);
    if (program === undefined) {
      program = connect();
      this.#shared.set(key, program);
    }
    return program;
  }
}
