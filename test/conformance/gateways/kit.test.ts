/** The matrix finds what is wrong: programs that break their promises, each in its own way. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  GatewayRun,
  gatewayCellsOf,
  gatewayFailuresOf,
  textOf,
  type GatewayDriver,
  type MatrixHub,
  type Program,
  type Relation,
} from "../../../src/testing/index.ts";
import { openMatrixHub } from "./hub.ts";
import { native } from "./native.ts";

let hub: MatrixHub;
let runs = 0;
before(async () => void (hub = await openMatrixHub()));
after(() => hub[Symbol.asyncDispose]());

/** The native gateway, but for what programs do. */
function broken(change: (program: Program) => Partial<Program>): GatewayDriver {
  return {
    ...native,
    async connect(...given) {
      const program = await native.connect(...given);
      return { ...program, ...change(program) };
    },
  };
}

/** The cases that fail where this is the gateway of both. */
async function failed(driver: GatewayDriver, relation: Relation): Promise<string[]> {
  await using run = new GatewayRun({ from: hub, to: hub }, `run${++runs}`);
  const cell = gatewayCellsOf([driver]).find((one) => one.relation === relation);
  const { results } = await run.run(cell!);
  const failures = results.filter(({ outcome }) => outcome.status === "failed");
  assert.equal(gatewayFailuresOf([{ cell: cell!, results }]).length, failures.length);
  return failures.map(({ case: name }) => name);
}

test("a worker that is sent another payload", async () => {
  const driver = broken((program) => ({
    async serve(subject) {
      const service = await program.serve!(subject);
      return {
        ...service,
        next: async () => ({ ...(await service.next()), payload: textOf("something else") }),
      };
    },
  }));
  const names = await failed(driver, "request");
  assert.deepEqual(
    names.filter((name) => !name.endsWith(" to the worker")),
    ["gives each of 20 requests in flight its own answer"],
  );
  assert.equal(names.length, 6);
});

test("a caller whose failures lose their reason", async () => {
  const driver = broken((program) => ({
    request(...given) {
      const asked = program.request!(...given);
      const outcome = asked.outcome.then((ended) =>
        "failure" in ended ? { failure: { ...ended.failure, reason: "UNKNOWN" } } : ended,
      );
      return { ...asked, outcome };
    },
  }));
  assert.deepEqual(await failed(driver, "request"), [
    "tells the caller how the worker failed",
    "fails at the caller's deadline",
    "fails the request of a worker that is lost",
    "fails a request for which no worker is left",
  ]);
});

test("publications that come in another order, twice or not at all", async () => {
  let count = 0;
  const driver = broken((program) => ({
    async publish(subject, sent) {
      await program.publish!(subject, sent);
      if (++count % 7 === 0) await program.publish!(subject, sent);
    },
  }));
  assert.ok((await failed(driver, "publish")).includes("keeps the order of 50 publications"));
});

test("a service whose end leaves enabled what it has enabled", async () => {
  const keeping = await native.connect(hub, "service", { side: "from", isMortal: false });
  const driver = broken(() => ({ enable: (verb, subject) => keeping.enable!(verb, subject) }));
  const counted = hub.counted.bind(hub);
  const told: MatrixHub = {
    ...hub,
    counted: (what, pattern, count) => (count === 0 ? Promise.resolve() : counted(what, pattern, count)),
  };
  await using run = new GatewayRun({ from: told, to: told });
  const cell = gatewayCellsOf([driver]).find(({ relation }) => relation === "enable");
  const one = cell!.cases.filter(({ one: { name } }) => name.includes("neither before nor after"));
  const { results } = await run.run({ ...cell!, cases: one });
  assert.deepEqual(
    results.map(({ outcome }) => outcome.status),
    ["failed", "failed", "failed"],
  );
  await keeping[Symbol.asyncDispose]();
});
