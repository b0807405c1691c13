/** Runs the cells it is sent, by their places in the whole matrix, until it is disconnected. */
import { runCell } from "../../src/testing/index.ts";
import { allCells } from "./cells.ts";
import { KNOWN_FAILURES } from "./parts.ts";
import type { CellReport } from "./processes.ts";

const cells = allCells();

process.on("message", (index: number) => void run(index));

async function run(index: number): Promise<void> {
  const { results, milliseconds } = await runCell(cells[index]!, KNOWN_FAILURES);
  const report: CellReport = { index, results, milliseconds };
  process.send?.(report);
}
