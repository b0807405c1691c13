/** B-7: connections of beam at a hub that asks for credentials. */
import assert from "node:assert/strict";
import { createAdmission } from "../../../src/access/admission.ts";
import { Tenants } from "../../../src/access/tenants.ts";
import { LocalEngine } from "../../../src/engine/local/local-engine.ts";
import type { BeamOptions } from "../../../src/gateway/beam/options.ts";
import { DEFAULT_LIMITS } from "../../../src/message/limits.ts";
import { LintelError } from "../../../src/message/failure.ts";
import { TestAccess, type TestAccessOptions } from "../../../src/testing/test-access.ts";
import { until } from "../../house/until.ts";
import { gatewayTest, openGateway, type Gateway } from "./harness.ts";

/** A gateway whose first connection was just made, and a service and a subscriber that see everything. */
async function open(
  access: TestAccess,
  options: Partial<BeamOptions> = {},
): Promise<Gateway & { seen: string[] }> {
  const engine = new LocalEngine();
  const admission = createAdmission(new Tenants(engine), { access, limits: DEFAULT_LIMITS });
  const harness = await openGateway(options, undefined, {}, { engine, admission });
  const seen: string[] = [];
  await harness.peer.serve(">", (value, { subject }) => {
    seen.push(`asked ${subject}`);
    return value;
  });
  await harness.peer.subscribe(">", (_value, { subject }) => void seen.push(`published ${subject}`));
  return { ...harness, seen, [Symbol.asyncDispose]: () => harness[Symbol.asyncDispose]() };
}

const allowing = (allows: TestAccessOptions["allows"]): TestAccess =>
  new TestAccess(allows === undefined ? {} : { allows });

gatewayTest("B-7: the process at the other end is shown, and ended when it is not let in", async () => {
  const access = allowing(() => true);
  const authenticate = access.authenticate.bind(access);
  let isIn = false;
  access.authenticate = (credentials) => {
    const principal = authenticate(credentials);
    if (!isIn) throw LintelError.of("UNAUTHENTICATED");
    return principal;
  };
  await using harness = await open(access);
  await until(() => harness.gateway.stats().refused === 1, "the refusal");
  assert.equal(await harness.connection.hears(), undefined);
  assert.deepEqual(harness.reported, ["UNAUTHENTICATED"]);
  isIn = true;
  const connection = await harness.connect();
  const end = await connection.attach("RW", "echo", "x");
  assert.deepEqual(await end.hears(), ["set", "x"]);
  const [{ gateway, remote, unix }] = access.credentials as [(typeof access.credentials)[0]];
  assert.deepEqual([gateway, remote, unix?.uid], ["beam", harness.path, process.getuid!()]);
  assert.equal(unix?.pid, harness.original.child.pid);
  assert.equal(harness.gateway.stats().connections, 1);
});

gatewayTest("B-7: what is not allowed is refused, and nobody hears of it", async () => {
  for (const plain of ["request", "publish"] as const) {
    const access = allowing(() => false);
    await using harness = await open(access, { plain });
    const asked = await harness.connection.attach("RW", "a");
    assert.deepEqual((await asked.hears())?.slice(2), ["permission_denied", "PERMISSION_DENIED"]);
    const worker = await harness.connection.attach("RW", "register", "b");
    assert.deepEqual((await worker.hears())?.slice(2), ["permission_denied", "PERMISSION_DENIED"]);
    await harness.connection.send("c");
    await until(() => harness.reported.length > 0, "the report");
    assert.deepEqual(harness.seen, []);
    assert.deepEqual(
      access.asked.toSorted(),
      ["nobody open a", `nobody ${plain} c`, "nobody request a", "nobody serve b"].toSorted(),
    );
  }
});

gatewayTest("B-7: a request that may be made is, without a channel that may not be opened", async () => {
  await using harness = await open(allowing((verb) => verb === "request"));
  const seen: unknown[] = [];
  await harness.peer.serve("only.here", (value, context) => {
    seen.push(context.headers.get(":offer"), context.streams.length);
    return value;
  });
  const end = await harness.connection.attach("RW", "only.here", "x");
  assert.deepEqual(await end.hears(), ["set", "x"]);
  assert.deepEqual(seen, [undefined, 0]);
});

gatewayTest("B-7: nothing is read before it is known who is there, and what may be done", async () => {
  const access = new TestAccess({ allows: () => true, isSlow: true });
  await using harness = await open(access);
  const end = await harness.connection.attach("RW", "echo", "x");
  await until(() => access.waiting === 1, "the question who it is");
  assert.deepEqual([harness.gateway.stats().messages, harness.seen], [0, []]);
  access.answer();
  access.slowDown();
  await until(() => access.waiting > 0, "the question what it may do");
  assert.deepEqual(harness.seen, []);
  access.answer();
  assert.deepEqual(await end.hears(), ["set", "x"]);
});

gatewayTest(
  "B-7: a connection is ended with all that came over it when its credentials are revoked",
  async () => {
    const access = allowing((_verb, subject) => subject === "work");
    await using harness = await open(access);
    const worker = await harness.connection.attach("RW", "register", "work");
    await until(() => harness.gateway.stats().attachments === 1, "the registration");
    access.revoke();
    assert.equal(await worker.hears(), undefined);
    assert.equal(await harness.connection.hears(), undefined);
    await until(() => harness.gateway.stats().connections === 0, "the end of the connection");
  },
);
