/** What docs/CONFORMANCE.md says of gateways is what their drivers say, and that everything else has passed. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { gatewayCellsOf, gatewayTablesOf, type GatewayCellResult } from "../../../src/testing/index.ts";
import { readDocument } from "../../docs/markdown.ts";
import { DOCUMENT, gatewaysOf } from "../document.ts";
import { writeGateways } from "./document.ts";
import { Drivers } from "./drivers.ts";

test("the document has every cell, every case and every reason", async () => {
  await using drivers = new Drivers();
  const results = gatewayCellsOf(drivers.all).map((cell): GatewayCellResult => ({
    cell,
    results: cell.cases.map(({ one, lack: reason }) => ({
      case: one.name,
      outcome: reason === undefined ? { status: "passed" } : { status: "unsupported", reason },
      known: undefined,
    })),
  }));
  assert.equal(
    gatewaysOf(readDocument(DOCUMENT)),
    writeGateways(gatewayTablesOf(results), drivers.all),
    `npm run conformance -- --gateways --write makes that part of ${DOCUMENT} anew`,
  );
});
