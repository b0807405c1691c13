/** Every gateway with every other. */
import { after } from "node:test";
import { declareGatewayCells, gatewayCellsOf } from "../../../src/testing/index.ts";
import { Drivers } from "./drivers.ts";
import { openMatrixHub } from "./hub.ts";

const drivers = new Drivers();
declareGatewayCells(gatewayCellsOf(drivers.here), () => openMatrixHub());
after(() => drivers[Symbol.asyncDispose]());
