/** How calls end, from either side, by a stock client. */
import assert from "node:assert/strict";
import { connect, createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { connect as connectPeer } from "../../../src/index.ts";
import { createHub } from "../../../src/hub/hub.ts";
import { openGateway, sharedClient } from "./harness.ts";
import { until } from "../../house/until.ts";
import { RawCall, said } from "./raw-call.ts";
import { StockClient } from "./stock-client.ts";

const LOST = { code: "unavailable", reason: "WORKER_LOST" };

test("W-2: a worker that is killed, cancels its call, or is done writing, is lost at once", async () => {
  await using client = new StockClient();
  await using harness = await openGateway({}, {}, client);
  const ways = {
    finish: (call: { does(what: "finish"): void }) => call.does("finish"),
    cancel: (call: { does(what: "cancel"): void }) => call.does("cancel"),
    kill: () => void client.child.kill("SIGKILL"),
  };
  for (const [way, end] of Object.entries(ways)) {
    const call = harness.call();
    await call.register("work", { concurrency: 1 });
    const held = assert.rejects(harness.peer.request("work"), LOST);
    const queued = assert.rejects(harness.peer.request("work"), { reason: "NO_RESPONDERS" });
    await call.job();
    end(call);
    await Promise.all([held, queued]);
    if (way === "finish") assert.deepEqual((await call.ended()).code, "OK"); // W-3
    await until(() => harness.gateway.stats().workers === 0, "the end of the call");
  }
  assert.equal(harness.gateway.stats().jobs, 0);
});

test("W-3, W-12: a hub that drains has what it accepted answered, and then ends the calls", async () => {
  await using hub = await createHub({ http: false, listen: ["tcp://127.0.0.1:0"], grpc: { port: 0 } });
  await using caller = await connectPeer(hub.urls[0]!);
  const call = sharedClient().call(hub.grpcUrl!);
  await call.register("work", { concurrency: 1 });
  const asking = [caller.request("work"), caller.request("work")];
  const { job } = await call.job();
  const drained = hub.drain();
  const { failure } = await call.hears("goaway");
  assert.equal((failure as { reason: string }).reason, "DRAINING");
  call.send({ register: { registration: 2, subject: "more" } }, { answer: { job } });
  const refused = await call.hears("refused");
  assert.equal((refused["failure"] as { reason: string }).reason, "DRAINING");
  call.send({ answer: { job: (await call.job()).job } });
  await Promise.all(asking);
  await drained;
  const { code, reason } = await call.ended();
  assert.deepEqual([code, reason], ["UNAVAILABLE", "DRAINING"]);
});

test("W-5: a gateway that is full refuses a call, and takes one again when another has ended", async () => {
  await using harness = await openGateway({ maxStreams: 1 });
  const call = harness.call();
  await call.register("work");
  const { code, reason, details } = await harness.call().ended();
  assert.deepEqual(
    [code, reason, details],
    ["RESOURCE_EXHAUSTED", "TOO_MANY", "the limit of 1 calls is reached"],
  );
  call.does("finish");
  await call.ended();
  await harness.call().register("work");
  assert.equal(harness.gateway.stats().refused, 1);
});

test("a worker whose hub has gone connects to the next one at the same place", async () => {
  const first = await openGateway();
  const { port } = new URL(first.gateway.url);
  const call = first.call();
  await call.register("work");
  const lost = assert.rejects(first.peer.request("work"), { reason: /WORKER_LOST|CLOSED/ });
  await call.job();
  await first[Symbol.asyncDispose]();
  await lost;
  assert.equal((await call.ended()).code, "UNAVAILABLE");
  await using second = await openGateway({ port: Number(port) });
  const again = second.call({ echo: true });
  await again.register("work");
  assert.equal(await second.peer.request("work", 7), 7);
});

test("W-80, W-81: who promises to be heard of, and is not, is lost", async () => {
  await using harness = await openGateway();
  const call = harness.call();
  await call.register("work");
  call.send({ heartbeat: { within_ms: 60_000 } });
  await call.hears("heartbeat");
  const lost = assert.rejects(harness.peer.request("work"), LOST);
  await call.job();
  call.send({ heartbeat: { within_ms: 50 } }); // takes the place of the promise before
  await call.hears("heartbeat");
  await lost;
  const { code, reason } = await call.ended();
  assert.deepEqual([code, reason], ["UNAVAILABLE", "HEARTBEAT_LOST"]);
  await using raw = new RawCall(harness.gateway.url).listen();
  const promises = [20, 0].map((withinMs) => said({ case: "heartbeat", value: { withinMs } }));
  raw.stream.write(Buffer.concat(promises)); // given, and taken back
  await until(() => raw.heard.length === 2, "the answers");
  const later = performance.now() + 60;
  await until(() => performance.now() > later, "the time of the promise");
  raw.stream.write(said({ case: "heartbeat", value: {} }));
  await until(() => raw.heard.length === 3, "it is not lost");
});

test("W-82: a connection that falls silent is cut off, and its workers are lost", async () => {
  await using harness = await openGateway({}, { heartbeat: 100, heartbeatTimeout: 1_500 });
  const { host } = new URL(harness.gateway.url);
  let isCut = false;
  const between = createServer((near) => {
    const [hostname = "", port = ""] = host.split(":");
    const far = connect(Number(port), hostname);
    near.on("data", (bytes) => void (isCut || far.write(bytes)));
    far.on("data", (bytes) => void (isCut || near.write(bytes)));
    for (const socket of [near, far])
      socket.on("error", () => undefined).on("close", () => [near, far].forEach((one) => one.destroy()));
  }).listen(0, "127.0.0.1");
  try {
    await until(() => between.listening, "the proxy");
    const call = sharedClient().call(`grpc://127.0.0.1:${(between.address() as AddressInfo).port}`);
    await call.register("work");
    const lost = assert.rejects(harness.peer.request("work"), LOST);
    await call.job();
    isCut = true;
    await lost;
  } finally {
    between.close();
  }
});
