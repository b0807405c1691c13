import assert from "node:assert/strict";
import { test } from "node:test";
import { canPassDescriptors } from "../../../src/transport/descriptors/libc.ts";
import { checkReport, passAndKill } from "./killed-receivers.ts";

const skip = canPassDescriptors() ? false : "descriptors are passed on Linux with koffi installed";

for (const hub of ["apart", "own"] as const) {
  test(
    `receivers that are killed while descriptors are passed leak none, the hub ${hub === "apart" ? "in a process of its own" : "in the sender's process"}`,
    { skip },
    async () => {
      const seed = Date.now() % 1_000_000;
      const report = await passAndKill({ passes: 300, passesPerKill: 40, receivers: 2, seed, hub });
      const told = `seed ${seed}: ${JSON.stringify(report)}`;
      checkReport(report);
      assert.ok(report.passed > 100 && report.kills > 0, told);
    },
  );
}
