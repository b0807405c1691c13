/** One service, whose instances are real processes, and what is asked of it while something else is under way. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { ServiceDefinition } from "../../src/config/services.ts";
import { createHub } from "../../src/hub/hub.ts";
import { PipeSource } from "../../src/supervisor/pipes.ts";
import { ReadinessTracker } from "../../src/supervisor/readiness-tracker.ts";
import { Service } from "../../src/supervisor/service.ts";
import { processesWith } from "./process-tree.ts";
import { until } from "../house/until.ts";

const pipes = new PipeSource();
after(() => pipes.close());

const never = new Promise<void>(() => undefined);

/** A process that does not end by itself; `version` is in its environment. */
function definition(version: string, changes: Partial<ServiceDefinition> = {}): ServiceDefinition {
  return {
    name: "a",
    program: { kind: "command", command: ["sleep", "1000"] },
    instances: 1,
    subjects: [],
    environment: { VERSION: version },
    directory: "/",
    restart: { policy: "always", firstMs: 1, lastMs: 1 },
    startTimeoutMs: 60_000,
    stopGraceMs: 60_000,
    dependsOn: [],
    ...changes,
  };
}

/** Runs a service at a hub until the check is over. */
async function withService(
  first: ServiceDefinition,
  check: (service: Service) => Promise<void>,
): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), "lintel-service-"));
  const readiness = new ReadinessTracker();
  const hub = await createHub({ http: false, listen: [], onService: readiness.note });
  const errors: unknown[] = [];
  const surroundings = {
    run: randomUUID(),
    httpUrl: undefined,
    pipes,
    readiness,
    lintel: [],
    openListener: () => hub.listen(`unix://${join(directory, `${randomUUID().slice(0, 8)}.sock`)}`),
    onLine: () => undefined,
    onState: () => undefined,
    onError: (error: unknown) => errors.push(error),
  };
  const service = new Service(first, surroundings, Promise.resolve());
  try {
    await check(service);
  } finally {
    await service.stop();
    await hub.close();
    await rm(directory, { recursive: true, force: true });
  }
  assert.deepEqual(errors, []);
}

/** How many processes run with each of these versions. */
function running(...versions: string[]): number[] {
  return versions.map((version) => processesWith(`VERSION=${version}`).length);
}

test("the last definition counts, whatever was asked for while the one before was made true", async () => {
  const [first, second, third] = [randomUUID(), randomUUID(), randomUUID()];
  await withService(definition(first), async (service) => {
    await service.ready;
    const settled = Promise.resolve();
    const changes = [
      service.restart(definition(second), settled),
      service.restart(definition(third), settled),
      service.restart(), // of whatever it is by then
    ];
    assert.equal(service.definition.environment["VERSION"], third);
    await Promise.all(changes);
    assert.deepEqual(running(first, second, third), [0, 0, 1]);

    const back = service.restart(definition(first, { instances: 2 }), settled);
    await Promise.all([back, service.scale(3), service.resize(definition(first, { instances: 2 }))]);
    assert.deepEqual(running(first, third), [2, 0]);
  });
});

test("a start that waits for others is not waited for by what comes behind it", async () => {
  const [first, second] = [randomUUID(), randomUUID()];
  await withService(definition(first), async (service) => {
    await service.ready;
    await service.restart(definition(first), never);
    assert.deepEqual(
      service.status.map(({ state }) => state),
      ["waiting"],
    );
    await service.restart();
    await service.restart(definition(second), Promise.resolve());
    await until(() => running(second)[0] === 1, "it runs");
    await service.restart(definition(second), never);
    await service.scale(0);
    assert.deepEqual(service.status, []);
  });
});
