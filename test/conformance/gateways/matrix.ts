/** Runs the matrix of gateways. */
import {
  GatewayRun,
  gatewayCellsOf,
  type GatewayCell,
  type GatewayCellResult,
  type GatewayDriver,
  type MatrixHubs,
} from "../../../src/testing/index.ts";
import { Drivers } from "./drivers.ts";
import { openMatrixHub } from "./hub.ts";

/** What a whole run has tried. */
export interface GatewayMatrix {
  readonly drivers: readonly GatewayDriver[];
  /** Programs at one hub. */
  readonly results: readonly GatewayCellResult[];
  /** Programs at two hubs, one of which is in front of the other. */
  readonly across: readonly { readonly where: string; readonly results: readonly GatewayCellResult[] }[];
}

export async function runGatewayMatrix(): Promise<GatewayMatrix> {
  await using processes = new Drivers();
  await using home = await openMatrixHub();
  await using front = await openMatrixHub(home);
  const cells = gatewayCellsOf(processes.here);
  // What is enabled at a hub holds for the clients of that hub.
  const between = cells.filter(({ relation }) => relation !== "enable");
  return {
    drivers: processes.here,
    results: await runAll("home", cells, { from: home, to: home }),
    across: [
      {
        where: "the first at a hub in front",
        results: await runAll("first", between, { from: front, to: home }),
      },
      {
        where: "the second at a hub in front",
        results: await runAll("second", between, { from: home, to: front }),
      },
    ],
  };
}

async function runAll(
  name: string,
  cells: readonly GatewayCell[],
  hubs: MatrixHubs,
): Promise<GatewayCellResult[]> {
  await using run = new GatewayRun(hubs, name);
  return await Promise.all(cells.map((cell) => run.run(cell))); // or the programs would end before
}
