/** W-8: calls of workers at a hub that asks for credentials. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createHub, type Hub } from "../../../src/hub/hub.ts";
import { TestAccess, type TestAccessOptions } from "../../../src/testing/test-access.ts";
import { until } from "../../house/until.ts";
import { RawCall, said } from "./raw-call.ts";

async function withHub(
  options: TestAccessOptions,
  run: (hub: Hub, access: TestAccess, call: (token?: string) => RawCall) => Promise<void>,
): Promise<void> {
  const access = new TestAccess(options);
  await using hub = await createHub({ http: false, listen: [], grpc: { port: 0 }, access });
  const calls: RawCall[] = [];
  try {
    await run(hub, access, (token) => {
      const call = new RawCall(
        hub.grpcUrl!,
        token === undefined ? {} : { authorization: `Bearer ${token}` },
      ).listen();
      calls.push(call);
      call.stream.write(register(1, "work"));
      return call;
    });
  } finally {
    for (const { session } of calls) session.destroy();
  }
}

const register = (registration: number, subject: string): Buffer =>
  said({ case: "register", value: { registration, subject, room: { case: "concurrency", value: 1 } } });

const heard = (call: RawCall): (string | undefined)[] => call.heard.map(({ message }) => message.case);

test("W-8: a call without credentials that are good ends with UNAUTHENTICATED, and registers nothing", async () => {
  await withHub({ tokens: ["good"], allows: () => true }, async (hub, access, call) => {
    for (const token of [undefined, "bad"]) assert.equal(await call(token).ended(), "16 UNAUTHENTICATED");
    assert.deepEqual(access.asked, []);
    const reflection = new RawCall(hub.grpcUrl!, {
      ":path": "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    });
    assert.equal(await reflection.ended(), "16 UNAUTHENTICATED");
    reflection.session.destroy();
    await assert.rejects(hub.request("work"), { reason: "NO_RESPONDERS" });
    const good = call("good");
    await until(() => heard(good).length > 0, "the registration");
    assert.deepEqual(heard(good), ["registered"]);
    assert.deepEqual(access.asked, ["good serve work"]);
    assert.deepEqual(
      [access.credentials.at(-1)?.gateway, access.credentials.at(-1)?.remote],
      ["grpc", "127.0.0.1"],
    );
  });
});

test("W-3: calls whose credentials are not looked at hear when to come again", async () => {
  await withHub({ tokens: ["good"] }, async (_hub, access, call) => {
    const calls = Array.from({ length: 40 }, (_, index) => call(`bad${index}`));
    const ends = await Promise.all(calls.map((one) => one.ended()));
    const slowed = calls.filter((_one, index) => ends[index] === "8 TOO_MANY_ATTEMPTS");
    assert.equal(slowed.length, 40 - access.credentials.length);
    assert.ok(slowed.length > 0);
    for (const { headers } of slowed) assert.match(String(headers["grpc-retry-pushback-ms"]), /^[1-9]\d*$/);
    const looked = calls.find((_one, index) => ends[index] === "16 UNAUTHENTICATED");
    assert.equal(looked?.headers["grpc-retry-pushback-ms"], undefined);
  });
});

test("W-8: a registration that is not allowed is refused with PERMISSION_DENIED, the call goes on", async () => {
  await withHub({ allows: (_verb, subject) => subject === "other" }, async (hub, _access, call) => {
    const worker = call();
    worker.stream.write(register(2, "other"));
    await until(() => heard(worker).length > 1, "the answers");
    assert.deepEqual(new Set(heard(worker)), new Set(["refused", "registered"]));
    const refused = worker.heard.map(({ message }) => message).find((one) => one.case === "refused");
    assert.deepEqual([refused?.value.registration, refused?.value.failure?.reason], [1, "PERMISSION_DENIED"]);
    await assert.rejects(hub.request("work"), { reason: "NO_RESPONDERS" });
  });
});

test("W-8: nothing is answered before it is known whose call it is, and what it may do", async () => {
  await withHub({ tokens: ["good"], allows: () => true, isSlow: true }, async (hub, access, call) => {
    const good = call("good");
    const bad = call("bad");
    await until(() => access.waiting === 2, "both to be asked about");
    assert.deepEqual([good.headers, hub.stats().gateways["grpc"]?.["workers"]], [{}, 0]);
    access.answer();
    access.slowDown();
    assert.equal(await bad.ended(), "16 UNAUTHENTICATED");
    await until(() => access.waiting === 1, "the registration to be asked about");
    await assert.rejects(hub.request("work"), { reason: "NO_RESPONDERS" });
    assert.deepEqual(good.heard, []);
    access.answer();
    await until(() => heard(good).length > 0, "the registration");
    assert.deepEqual(heard(good), ["registered"]);
  });
});

test("W-8: a call that is gone by the time it is known whose it was takes no place", async () => {
  await withHub({ allows: () => true, isSlow: true }, async (hub, access, call) => {
    const gone = call();
    await access.untilAsked();
    gone.stream.close();
    gone.session.destroy();
    await until(() => gone.stream.destroyed, "the end of the call");
    const second = call("second");
    await until(() => access.waiting === 2, "the second call"); // by then the end of the first was read
    access.answer();
    await until(() => heard(second).length > 0, "the registration");
    assert.equal(hub.stats().gateways["grpc"]?.["workers"], 1);
  });
});

test("W-8: a call ends when its credentials are revoked, and its worker is lost", async () => {
  await withHub({ allows: () => true }, async (hub, access, call) => {
    const worker = call("one");
    await until(() => heard(worker).length > 0, "the registration");
    const asked = assert.rejects(hub.request("work"), { reason: "WORKER_LOST" });
    await until(() => heard(worker).length > 1, "the job");
    access.revoke("one");
    await asked;
    assert.equal(await worker.ended(), "16 UNAUTHENTICATED");
  });
});
