/** The contract of `engine/engine.ts` as tests: what every engine must do. Gated by its `supports`, never by its name. */
import { describe } from "node:test";
import { drainAndClose } from "./drain-and-close.ts";
import { endings } from "./endings.ts";
import { groups } from "./groups.ts";
import { publications } from "./publications.ts";
import { registrations } from "./registrations.ts";
import { requests } from "./requests.ts";
import { declareWith, type EngineSuiteOptions } from "./scene.ts";
import { streams } from "./streams.ts";
import { workersThatLeave } from "./workers-that-leave.ts";

/** Declares the suite for one engine, as tests of `node:test`. */
export function engineSuite(name: string, options: EngineSuiteOptions): void {
  describe(`engine ${name}`, () => {
    const declare = declareWith(options);
    requests(declare);
    endings(declare);
    registrations(declare);
    workersThatLeave(declare);
    groups(declare);
    publications(declare);
    streams(declare);
    drainAndClose(declare);
  });
}
