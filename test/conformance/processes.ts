/** Cells, shared among processes: what they do is mostly computing. */
import { fork, type ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { CaseResult, Cell, CellResult } from "../../src/testing/index.ts";
import { allCells } from "./cells.ts";

/** What a process says of a cell, which both know by its place in the whole matrix. */
export interface CellReport {
  readonly index: number;
  readonly results: readonly CaseResult[];
  readonly milliseconds: number;
}

/** Cells a process runs at a time: while one waits, the other computes. */
const AT_A_TIME = 3;
const CHILD = fileURLToPath(new URL("cell-process.js", import.meta.url));

/** Runs the cells and tells of each as it ends. Results are in the order of the cells. */
export async function runInProcesses(
  cells: readonly Cell[],
  processes: number,
  onCell: (result: CellResult, done: number) => void,
): Promise<CellResult[]> {
  const places = new Map(allCells().map((cell, index) => [nameOf(cell), index]));
  const waiting = cells.map((cell) => places.get(nameOf(cell))!).toReversed();
  const byPlace = new Map(cells.map((cell) => [places.get(nameOf(cell))!, cell]));
  const results = new Map<Cell, CellResult>();
  const run = (child: ChildProcess): Promise<void> =>
    new Promise((resolve, reject) => {
      let busy = 0;
      const give = (): void => {
        const index = waiting.pop();
        if (index !== undefined) {
          busy++;
          child.send(index);
        } else if (busy === 0) child.disconnect();
      };
      child.on("message", ({ index, ...report }: CellReport) => {
        const cell = byPlace.get(index)!;
        results.set(cell, { cell, ...report });
        onCell(results.get(cell)!, results.size);
        busy--;
        give();
      });
      child.once("exit", (code, signal) => {
        if (busy === 0) resolve();
        else reject(new Error(`a process of the suite ended by ${signal ?? `exit ${code}`}`));
      });
      for (let count = 0; count < AT_A_TIME; count++) give();
    });
  const children = Array.from({ length: Math.min(processes, cells.length) }, () => fork(CHILD));
  try {
    await Promise.all(children.map(run));
  } finally {
    for (const child of children) child.kill();
  }
  return cells.map((cell) => results.get(cell)!);
}

function nameOf({ transport, topology, codec }: Cell): string {
  return JSON.stringify([transport.name, topology.name, codec.name]);
}
