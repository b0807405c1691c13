import { codecSuite } from "../../src/testing/index.ts";
import { CASES } from "./cases.ts";

for (const [name, options] of Object.entries(CASES)) codecSuite(name, options);
