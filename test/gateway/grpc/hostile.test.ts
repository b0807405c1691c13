/** What no gRPC library would send, and too much of what one would. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { constants } from "node:http2";
import { connect } from "node:net";
import { test } from "node:test";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { openGateway } from "./harness.ts";
import { until } from "../../house/until.ts";
import { RawCall, framed, said } from "./raw-call.ts";

const BYTES = new Uint8Array(2_000);
const REGISTER = said({ case: "register", value: { registration: 1, subject: "work" } });

/** A FromWorker with an answer that has these fields. */
function answerWith(fields: Uint8Array): Uint8Array {
  return new BinaryWriter().tag(3, WireType.LengthDelimited).bytes(fields).finish();
}

test("W-4: messages that cannot be read end the call, and its worker is lost", async () => {
  await using harness = await openGateway({}, { payload: 10_000, headers: 1_000 });
  const wrong: [ending: string, bytes: Uint8Array][] = [
    ["12 UNIMPLEMENTED", framed(BYTES, 1)],
    ["3 BAD_FRAME", framed(BYTES, 2)],
    ["3 BAD_FRAME", framed(new Uint8Array([255, 255, 255]))],
    ["3 BAD_FRAME", framed(new Uint8Array([0x0a, 0x7f, 0x01]))],
    ["3 BAD_FRAME", framed(answerWith(Buffer.from("2200".repeat(1_000), "hex")))],
    ["3 BAD_FRAME", framed(Buffer.from("3a00".repeat(1_001), "hex"))],
    ["8 TOO_LARGE", framed(new Uint8Array(0), 0, 76_537)],
    ["8 TOO_LARGE", framed(new Uint8Array(0), 0, 0xffffffff)],
  ];
  for (const [ending, bytes] of wrong) {
    await using call = new RawCall(harness.gateway.url).listen();
    call.stream.write(REGISTER);
    await until(() => call.heard.length === 1, "the registration");
    const lost = assert.rejects(harness.peer.request("work"), { reason: "WORKER_LOST" });
    await until(() => call.heard.length === 2, "the job");
    call.stream.write(bytes);
    assert.equal(await call.ended(), ending);
    await lost;
  }
  await using cut = new RawCall(harness.gateway.url).listen();
  cut.stream.end(REGISTER.subarray(0, 7));
  assert.equal(await cut.ended(), "3 BAD_FRAME");
  const { workers, jobs, malformed } = harness.gateway.stats();
  assert.deepEqual({ workers, jobs, malformed }, { workers: 0, jobs: 0, malformed: 8 });
});

test("W-7: a message may come in any pieces, be empty, or have fields that nobody knows", async () => {
  await using harness = await openGateway();
  await using call = new RawCall(harness.gateway.url).listen();
  const unknown = framed(new Uint8Array([0xfa, 0x01, 0x02, 0x01, 0x02]));
  const all = Buffer.concat([
    framed(new Uint8Array(0)),
    unknown,
    REGISTER,
    said({ case: "heartbeat", value: {} }),
  ]);
  for (const byte of all) {
    call.stream.write(Buffer.of(byte));
    await new Promise((resolve) => setImmediate(resolve));
  }
  await until(() => call.heard.length === 2, "the answers");
  assert.deepEqual(
    call.heard.map(({ message }) => message.case),
    ["registered", "heartbeat"],
  );
});

test("requests that are none of gRPC, or for another method", async () => {
  await using harness = await openGateway();
  const { url } = harness.gateway;
  const asks = async (headers: Readonly<Record<string, string>>): Promise<unknown[]> => {
    await using call = new RawCall(url, headers);
    await call.ended();
    return [call.headers[":status"], call.headers["grpc-status"]];
  };
  assert.deepEqual(await asks({ "content-type": "application/json" }), [415, undefined]);
  assert.deepEqual(await asks({ "content-type": "application/grpc-web" }), [415, undefined]);
  assert.deepEqual(await asks({ ":method": "PUT" }), [405, undefined]);
  assert.deepEqual(await asks({ ":path": "/lintel.v1.Worker/Play" }), [200, "12"]);
  assert.deepEqual(await asks({ ":path": "/" }), [200, "12"]);
});

test("web pages are no workers", async () => {
  await using harness = await openGateway();
  for (const headers of [
    { origin: "https://evil.example" },
    { origin: "null" },
    { "sec-fetch-site": "cross-site" },
  ]) {
    await using call = new RawCall(harness.gateway.url, headers);
    await call.ended();
    assert.equal(call.headers[":status"], 403);
  }
  assert.equal(harness.gateway.stats().workers, 0);
});

test("garbage on the port ends its connection and nothing else", async () => {
  await using harness = await openGateway();
  const { hostname, port } = new URL(harness.gateway.url);
  for (const garbage of [
    "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "\0".repeat(5_000),
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nxxxxxxxxxxxxxxxxxx",
  ]) {
    const socket = connect(Number(port), hostname);
    socket.on("error", () => undefined).resume();
    socket.write(garbage);
    await once(socket, "close");
  }
  await using call = new RawCall(harness.gateway.url).listen();
  call.stream.write(REGISTER);
  await until(() => call.heard.length === 1, "the registration");
});

test("W-2: a worker that does not read is lost at once, however it goes", async () => {
  await using harness = await openGateway({}, { sessionBuffer: 8_192 });
  const ways: ((call: RawCall) => void)[] = [
    (call) => call.session.destroy(),
    (call) => call.stream.close(constants.NGHTTP2_CANCEL),
  ];
  for (const go of ways) {
    await using call = new RawCall(harness.gateway.url).listen();
    call.stream.write(REGISTER);
    await until(() => call.heard.length === 1, "the registration");
    call.stream.pause();
    const lost = assert.rejects(harness.peer.request("work", new Uint8Array(500_000)), {
      reason: "WORKER_LOST",
    });
    const queued = assert.rejects(harness.peer.request("work"), { reason: "NO_RESPONDERS" });
    go(call);
    await Promise.all([lost, queued]);
  }
  await until(() => harness.gateway.stats().workers === 0, "the end of the calls");
});

test("W-5: a gateway that drains says so on its connections, where calls go on and no new ones begin", async () => {
  await using harness = await openGateway();
  await using call = new RawCall(harness.gateway.url).listen();
  call.stream.write(REGISTER);
  await until(() => call.heard.length === 1, "the registration");
  const answered = harness.peer.request("work");
  await harness.gateway.drain();
  await until(() => call.session.closed, "the GOAWAY of the connection");
  await until(() => call.heard.length === 3, "the job, and the goaway of the call");
  const [, job] = call.heard;
  assert.ok(job?.message.case === "job");
  call.stream.write(said({ case: "answer", value: { job: job.message.value.job } }));
  await answered;
});

test("W-6: what a worker says is not read while it does not read what it is told", async () => {
  await using harness = await openGateway({}, { sessionBuffer: 8_192, registrations: 2 });
  await using call = new RawCall(harness.gateway.url);
  const flood = Buffer.concat(
    Array.from({ length: 5_000 }, () => said({ case: "register", value: { subject: "no subject" } })),
  );
  call.stream.write(flood);
  for (let index = 0; index < 5; index++) call.stream.write(flood);
  let refused = -1;
  await until(() => {
    const isStill = refused === harness.gateway.stats().refused && refused > 0;
    refused = harness.gateway.stats().refused;
    return isStill && call.stream.writableLength > flood.length;
  }, "the hub stops reading");
  assert.ok(refused < 6 * 5_000, `${refused} read`);
  call.listen();
  await until(() => call.heard.length === 6 * 5_000, "everything is answered once it reads");
});

test("W-41: a worker that does not read is sent no more, and others get what it does not", async () => {
  await using harness = await openGateway({}, { sessionBuffer: 1_048_576 });
  await using deaf = new RawCall(harness.gateway.url).listen();
  deaf.stream.write(
    said({ case: "register", value: { subject: "work", room: { case: "credit", value: 99 } } }),
  );
  await until(() => deaf.heard.length === 1, "the registration");
  deaf.stream.pause();
  const bytes = new Uint8Array(200_000);
  const asking = Array.from({ length: 60 }, () => harness.peer.request<string>("work", bytes));
  await using other = new RawCall(harness.gateway.url).listen();
  other.stream.write(REGISTER);
  await until(() => other.heard.length > 60 - 5, "another worker of the group gets most of them");
  await until(() => harness.gateway.stats().jobs === 60, "and the last of them");
  deaf.stream.resume();
  await until(() => deaf.heard.length + other.heard.length === 2 + 60, "what had waited");
  for (const call of [deaf, other]) {
    for (const { message } of call.heard) {
      if (message.case !== "job") continue;
      const payload = Buffer.from(call === deaf ? "deaf" : "other");
      const answer = { job: message.value.job, payload, contentType: "text/plain" };
      call.stream.write(said({ case: "answer", value: answer }));
    }
  }
  const heard = await Promise.all(asking);
  assert.ok(heard.filter((one) => one === "deaf").length < 5);
});
