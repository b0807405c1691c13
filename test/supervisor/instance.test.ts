import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, test } from "node:test";
import type { ServiceDefinition } from "../../src/config/services.ts";
import { Instance, type InstanceState } from "../../src/supervisor/instance.ts";
import { PipeSource } from "../../src/supervisor/pipes.ts";
import { ReadinessTracker } from "../../src/supervisor/readiness-tracker.ts";
import { until } from "../house/until.ts";

const pipes = new PipeSource();
after(() => pipes.close());

interface Watched {
  readonly instance: Instance;
  readonly states: InstanceState[];
  readonly lines: string[];
}

/** One that is started once. */
function started(command: readonly string[]): Watched {
  const states: InstanceState[] = [];
  const lines: string[] = [];
  const definition: ServiceDefinition = {
    name: "a",
    program: { kind: "command", command },
    instances: 1,
    subjects: [],
    environment: {},
    directory: "/",
    restart: { policy: "never", firstMs: 1, lastMs: 1 },
    startTimeoutMs: 60_000,
    stopGraceMs: 60_000,
    dependsOn: [],
  };
  const instance = new Instance({
    definition,
    number: 1,
    command,
    run: randomUUID(),
    hubUrl: "unix:///nowhere",
    httpUrl: undefined,
    pipes,
    readiness: new ReadinessTracker(),
    after: Promise.resolve(),
    onLine: ({ text }) => void lines.push(text),
    onState: ({ status }) => void states.push(status.state),
  });
  return { instance, states, lines };
}

test("output that somebody holds open is let go of", async () => {
  const open = (): number => process.getActiveResourcesInfo().filter((one) => one === "PipeWrap").length;
  const before = open();
  // Out of the group and without the mark: it cannot be found.
  const script = "env -i setsid sleep 1000 & echo $!; printf rest; exit 3";
  const { instance, lines } = started(["/bin/sh", "-c", script]);
  try {
    await instance.finished;
    assert.equal(instance.status.why, "ended with code 3");
    assert.equal(lines[1], "rest");
    await until(() => open() <= before, "its pipes are closed");
  } finally {
    process.kill(Number(lines[0]), "SIGKILL");
  }
});

test("what cannot be started is never ready", async () => {
  for (const command of [["no-such-program-here"], ["/"], ["true", "a\0b"]]) {
    const { instance, states } = started(command);
    assert.equal(await instance.settled, false);
    await instance.finished;
    assert.deepEqual(states, ["starting", "stopping", "failed"], command.join(" "));
    assert.match(instance.status.why, /^cannot be started: /);
  }
});
