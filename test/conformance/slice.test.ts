/** The part of the matrix that every change is tested with. The topologies over one transport: test/peer. */
import { declareCells } from "../../src/testing/index.ts";
import { sliceCells } from "./cells.ts";

declareCells(sliceCells());
