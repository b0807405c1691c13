import { describe, type Outcome } from "../cell-run.ts";
import { inTime } from "../in-time.ts";
import { GATEWAY_CASES, type GatewayCell } from "./cells.ts";
import type { GatewayDriver, GatewayRole, MatrixHub, Program } from "./driver.ts";
import type { Bench, GatewayCase } from "./gateway-case.ts";

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

/**
 * Runs the cells of a matrix at one hub. Programs of one gateway and role are shared by all cells, so that what belongs to one of
 * them has to find its way among what belongs to the others.
 */
export class GatewayRun implements AsyncDisposable {
  readonly #hub: MatrixHub;
  readonly #shared = new Map<string, Promise<Program>>();

  constructor(hub: MatrixHub) {
    this.#hub = hub;
  }

  /** All cases at a time. Never rejects: what a case throws is its outcome. */
  async run(cell: GatewayCell): Promise<GatewayCellResult> {
    const results = cell.cases.map(async ({ one, lack }): Promise<GatewayCaseResult> => {
      const outcome: Outcome =
        lack === undefined ? await this.#outcomeOf(cell, one) : { status: "unsupported", reason: lack };
      return { case: one.name, outcome, known: undefined };
    });
    return { cell, results: await Promise.all(results) };
  }

  /** All programs end. Not the hub. */
  async [Symbol.asyncDispose](): Promise<void> {
    const programs = [...this.#shared.values()];
    this.#shared.clear();
    // One that could not connect has failed its cases.
    await Promise.allSettled(programs.map(async (program) => (await program)[Symbol.asyncDispose]()));
  }

  async #outcomeOf(cell: GatewayCell, one: GatewayCase): Promise<Outcome> {
    try {
      await this.#attempt(cell, one);
      return { status: "passed" };
    } catch (error) {
      return { status: "failed", why: describe(error) };
    }
  }

  async #attempt({ relation, from, to }: GatewayCell, one: GatewayCase): Promise<void> {
    const others: Program[] = [];
    const role: GatewayRole = relation === "enable" ? "client" : "service";
    const sides = { from: () => from.connect(this.#hub, "service"), to: () => to.connect(this.#hub, role) };
    try {
      const bench: Bench = {
        hub: this.#hub,
        from: await this.#sharedOf(from, "service"),
        to: await this.#sharedOf(to, role),
        subject: ["x", relation, from.name, to.name, GATEWAY_CASES.indexOf(one)].join("."),
        async another(side) {
          const program = await sides[side]();
          others.push(program);
          return program;
        },
      };
      await inTime(one.run(bench, from.supports, to.supports), one.name);
    } finally {
      await Promise.all(others.map((program) => program[Symbol.asyncDispose]()));
    }
  }

  #sharedOf(driver: GatewayDriver, role: GatewayRole): Promise<Program> {
    const key = `${driver.name} ${role}`;
    let program = this.#shared.get(key);
    if (program === undefined) {
      program = driver.connect(this.#hub, role);
      this.#shared.set(key, program);
    }
    return program;
  }
}
