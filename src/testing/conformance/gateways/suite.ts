import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { nameOfCell, type GatewayCell } from "./cells.ts";
import type { MatrixHub } from "./driver.ts";
import { GatewayRun } from "./run.ts";

/** Declares a test for each cell. They run at a time, at one hub. A cell that cannot be is skipped, and says why. */
export function declareGatewayCells(cells: readonly GatewayCell[], open: () => Promise<MatrixHub>): void {
  describe("conformance of gateways", { concurrency: true }, () => {
    let hub: MatrixHub | undefined;
    let run: GatewayRun | undefined;
    before(async () => {
      hub = await open();
      run = new GatewayRun({ from: hub, to: hub });
    });
    after(async () => {
      await run?.[Symbol.asyncDispose]();
      await hub?.[Symbol.asyncDispose]();
    });
    for (const cell of cells)
      test(nameOfCell(cell), { skip: cell.lack ?? false }, async () => {
        const { results } = await run!.run(cell);
        const failures = results.flatMap(({ case: name, outcome }) =>
          outcome.status === "failed" ? [`${name}: ${outcome.why}`] : [],
        );
        assert.equal(failures.length, 0, failures.join("\n"));
      });
  });
}
