import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { openGateway, RawCaller, text } from "./harness.ts";

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;

test("pipelined requests are answered in their order", async (context) => {
  const gateway = await openGateway(context);
  const service = gateway.serve("x.*", () => undefined);
  const caller = new RawCaller(gateway.port).send(["/x/a", "/x/b", "/x/c"].map(get).join(""));
  const jobs = [await service.next(), await service.next(), await service.next()];
  for (const job of jobs.toReversed()) service.registration.reply(job.number, text(job.subject));
  for (const subject of ["x.a", "x.b", "x.c"]) assert.equal((await caller.response())?.body, subject);
  caller.close();
});

test("what was answered before the gateway is closed arrives, though it is closed in the same turn", async (context) => {
  const gateway = await openGateway(context);
  const service = gateway.serve("x.*", () => undefined);
  const caller = new RawCaller(gateway.port).send(get("/x/a"));
  const { number, subject } = await service.next();
  service.registration.reply(number, text(subject));
  const closed = gateway.listening.close();
  assert.equal((await caller.response())?.body, "x.a");
  await closed;
});

test("a pipelining caller has a bounded number of requests under way", async (context) => {
  const gateway = await openGateway(context, { maxPipelined: 3 });
  const service = gateway.serve("x.*", () => undefined);
  const total = 200;
  const caller = new RawCaller(gateway.port);
  caller.send(Array.from({ length: total }, (_, index) => get(`/x/${index}`)).join(""));
  for (let index = 0; index < total; index++) {
    const job = await service.next();
    assert.equal(job.subject, `x.${index}`);
    assert.ok(gateway.engine.inFlight <= 3);
    if (index === 0) {
      await service.next();
      await service.next();
      assert.equal(gateway.engine.inFlight, 3);
      for (const held of service.jobs.slice()) service.registration.reply(held.number, text(held.subject));
      index = 2;
    } else service.registration.reply(job.number, text(job.subject));
  }
  for (let index = 0; index < total; index++) assert.equal((await caller.response())?.body, `x.${index}`);
  caller.close();
});

test("thousands of pipelined requests answered at once do not recurse", async (context) => {
  const gateway = await openGateway(context, { maxPipelined: 1 });
  gateway.serve("x", () => text("ok"));
  const total = 3_000;
  const caller = new RawCaller(gateway.port).send(get("/x").repeat(total));
  for (let index = 0; index < total; index++) assert.equal((await caller.response())?.body, "ok");
  caller.close();
  assert.deepEqual(gateway.faults, []);
});

test("a caller that leaves cancels all it waited for", async (context) => {
  const gateway = await openGateway(context);
  const service = gateway.serve("x.*", () => undefined);
  for (const leave of ["destroy", "resetAndDestroy"] as const) {
    const caller = new RawCaller(gateway.port).send(get("/x/a") + get("/x/b"));
    const numbers = [(await service.next()).number, (await service.next()).number];
    caller.socket[leave]();
    const canceled = [await service.canceled(), await service.canceled()];
    assert.deepEqual(new Set(canceled), new Set(numbers));
    caller.close();
  }
  assert.equal(gateway.engine.inFlight, 0);
  assert.equal(
    gateway.records.filter(({ status, reason }) => status === 499 && reason === "CALLER_GONE").length,
    4,
  );
});

test("a caller that leaves in the middle of a body leaves nothing behind", async (context) => {
  const gateway = await openGateway(context);
  const service = gateway.serve("x", () => text("ok"));
  const caller = new RawCaller(gateway.port).send(
    "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc",
  );
  await once(caller.socket, "connect");
  caller.close();
  await (await fetch(`${gateway.url}/x`)).text();
  assert.equal(service.jobs.length, 1);
  assert.equal(gateway.engine.inFlight, 0);
});

test("an answer for a caller that has left is dropped", async (context) => {
  const gateway = await openGateway(context);
  const service = gateway.serve("x", () => undefined);
  const caller = new RawCaller(gateway.port).send(get("/x"));
  const job = await service.next();
  caller.close();
  await service.canceled();
  assert.equal(service.registration.reply(job.number, text("late")), false);
  assert.deepEqual(gateway.faults, []);
});

test("drain finishes what is under way, says close, and takes nothing new", async (context) => {
  const gateway = await openGateway(context);
  const service = gateway.serve("x", () => undefined);
  const silent = new RawCaller(gateway.port);
  const idle = new RawCaller(gateway.port).send(get("/nobody"));
  assert.equal((await idle.response())?.status, 503);
  const busy = new RawCaller(gateway.port).send(get("/x") + get("/x"));
  const jobs = [await service.next(), await service.next()];
  let drained = false;
  const draining = gateway.listening.drain().then(() => {
    drained = true;
  });
  assert.equal(await idle.end(), "");
  assert.equal(await silent.end(), "");
  const late = new RawCaller(gateway.port);
  await late.end();
  assert.equal(drained, false);
  for (const job of jobs) service.registration.reply(job.number, text("done"));
  const first = await busy.response();
  assert.deepEqual([first?.body, first?.headers.get("connection")], ["done", "keep-alive"]);
  const last = await busy.response();
  assert.deepEqual([last?.body, last?.headers.get("connection")], ["done", "close"]);
  await draining;
  for (const caller of [silent, idle, busy, late]) caller.close();
});

test("close ends everything at once", async (context) => {
  const gateway = await openGateway(context);
  const service = gateway.serve("x", () => undefined);
  const caller = new RawCaller(gateway.port).send(get("/x"));
  await service.next();
  const draining = gateway.listening.drain();
  await gateway.listening.close();
  await draining;
  assert.equal(await caller.response(), undefined);
  assert.equal(gateway.engine.inFlight, 0);
  caller.close();
});

test("connections past the limit are closed", async (context) => {
  const gateway = await openGateway(context, { maxConnections: 1 });
  gateway.serve("x", () => text("ok"));
  const first = new RawCaller(gateway.port).send(get("/x"));
  assert.equal((await first.response())?.status, 200);
  const second = new RawCaller(gateway.port).send(get("/x"));
  assert.equal(await second.response(), undefined);
  first.close();
  second.close();
});

test("a caller that does not read its answer is disconnected", async (context) => {
  const gateway = await openGateway(context, { stallMs: 50 });
  const long = text("x".repeat(30_000_000));
  const service = gateway.serve("long", () => long);
  const deaf = new RawCaller(gateway.port);
  deaf.socket.pause();
  deaf.send(get("/long"));
  await service.next();
  await gateway.listening.drain(); // would wait for the whole answer to be read
  deaf.close();
});

test("a caller that waits for a slow worker is not", async (context) => {
  const gateway = await openGateway(context, { stallMs: 20 });
  const service = gateway.serve("slow", (job) => {
    setTimeout(() => service.registration.reply(job.number, text("at last")), 100);
    return undefined;
  });
  const patient = new RawCaller(gateway.port).send(get("/slow"));
  assert.equal((await patient.response())?.body, "at last");
  patient.close();
});

test("a port that is taken is reported", async (context) => {
  const gateway = await openGateway(context);
  await assert.rejects(openGateway(context, { port: gateway.port }), { code: "EADDRINUSE" });
});
