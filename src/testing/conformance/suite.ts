import { after, describe, test } from "node:test";
import { lackOf, type Cell } from "./case.ts";
import { CASES } from "./cases.ts";
import { CellRun } from "./cell-run.ts";
import { cellsOf, type MatrixOptions } from "./matrix.ts";

/** Declares the conformance suite, as tests of `node:test`: every case in every cell of these parts. */
export function conformanceSuite(options: MatrixOptions): void {
  declareCells(cellsOf(options));
}

/** Declares every case in each of these cells. A case that cannot run there is skipped, and says why. */
export function declareCells(cells: readonly Cell[]): void {
  for (const cell of cells) {
    describe(`conformance: ${cell.transport.name}, ${cell.topology.name}, ${cell.codec.name}`, () => {
      const run = new CellRun(cell);
      after(() => run[Symbol.asyncDispose]());
      for (const one of CASES) test(one.name, { skip: lackOf(one, cell) ?? false }, () => run.run(one));
    });
  }
}
