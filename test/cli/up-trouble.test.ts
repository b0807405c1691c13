/** `lintel up` where something it needs is not to be had. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Project } from "./up-stage.ts";

test("when there are no descriptors left what runs goes on, and the rest is tried again", async () => {
  const manifest = `services: { a: { command: [sleep, "1000"], instances: 100, restart: { first: 1ms } } }`;
  await using project = await Project.create({ manifest });
  const up = project.upWithin(120);
  const [, name] = await up.prints(
    /^lintel: (a\.\d+) cannot be started: spawn sleep EMFILE; again/m,
    "stderr",
  );
  const again = new RegExp(`${name} cannot be started: .*\n(?:.*\n)*lintel: ${name} cannot be started`);
  await up.prints(again, "stderr");
  assert.match(up.stderr, /^lintel: a\.1 is ready$/m);
  assert.doesNotMatch(up.stderr, /^lintel: a\.1 (?!is )/m);
  assert.equal((await up.stop()).exit, 0);
  assert.deepEqual(project.processes(), []);
});
