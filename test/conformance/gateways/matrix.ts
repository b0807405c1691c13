/** Runs the matrix of gateways. */
import {
  GatewayRun,
  gatewayCellsOf,
  type GatewayCellResult,
  type GatewayDriver,
} from "../../../src/testing/index.ts";
import { Drivers } from "./drivers.ts";
import { openMatrixHub } from "./hub.ts";

export async function runGatewayMatrix(): Promise<{
  readonly results: readonly GatewayCellResult[];
  readonly drivers: readonly GatewayDriver[];
}> {
  await using processes = new Drivers();
  await using hub = await openMatrixHub();
  await using run = new GatewayRun(hub);
  const cells = gatewayCellsOf(processes.here);
  const results = await Promise.all(cells.map((cell) => run.run(cell)));
  return { results, drivers: processes.here };
}
