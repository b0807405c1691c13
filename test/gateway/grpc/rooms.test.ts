/** How many jobs a worker is sent, and what it is told of its registrations, by a stock client. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { openGateway } from "./harness.ts";
import type { StockCall } from "./stock-client.ts";

const reasonOf = (said: Readonly<Record<string, unknown>>): string =>
  (said["failure"] as { reason: string }).reason;

/** Answers so many jobs, and returns their numbers. */
async function answers(call: StockCall, count: number): Promise<void> {
  for (let index = 0; index < count; index++) call.send({ answer: { job: (await call.job()).job } });
}

test("W-20: with credit so many jobs are sent, and then none until there is more", async () => {
  await using gateway = await openGateway();
  const call = gateway.call();
  await call.register("work", { registration: 3, credit: 0 });
  const asking = Array.from({ length: 5 }, () => gateway.peer.request("work"));
  call.send({ credit: { registration: 3, jobs: 2 } });
  await answers(call, 2);
  await Promise.all(asking.slice(0, 2));
  call.send({ heartbeat: {} }); // whatever was on its way would come before
  await call.hears("heartbeat");
  assert.deepEqual([call.waiting.length, gateway.engine.inFlight], [0, 3], "answering makes no room");
  call.send({ credit: { registration: 3, jobs: 2 } }, { credit: { registration: 3, jobs: 4_294_967_295 } });
  await answers(call, 3);
  await Promise.all(asking);
});

test("W-20: a canceled job has used its credit up", async () => {
  await using gateway = await openGateway();
  const call = gateway.call();
  await call.register("work", { credit: 1 });
  await assert.rejects(gateway.peer.request("work", undefined, { timeoutMs: 50 }), { reason: "DEADLINE" });
  await call.job();
  await call.hears("cancel");
  const asking = gateway.peer.request("work");
  call.send({ heartbeat: {} });
  await call.hears("heartbeat");
  call.send({ credit: { jobs: 1 } });
  await answers(call, 1);
  await asking;
});

test("with concurrency each job that ends makes room for another; W-21: it has no credit", async () => {
  await using gateway = await openGateway({}, { concurrency: 3 });
  const call = gateway.call();
  await call.register("work", { concurrency: 2 });
  await call.register("work.*", { registration: 2 }); // limits.concurrency
  call.send({ credit: { jobs: 1 } }, { credit: { registration: 9, jobs: 1 } });
  assert.equal(reasonOf(await call.hears("rejected")), "FAILED_PRECONDITION");
  assert.equal(reasonOf(await call.hears("rejected")), "NOT_FOUND");
  for (const [subject, room] of [["work", 2] as const, ["work.a", 3] as const]) {
    const asking = Array.from({ length: 5 }, () => gateway.peer.request(subject));
    const jobs = [];
    for (let index = 0; index < room; index++) jobs.push(await call.job());
    call.send({ heartbeat: {} });
    await call.hears("heartbeat");
    for (const { job } of jobs) call.send({ answer: { job } });
    await answers(call, 5 - room);
    await Promise.all(asking);
  }
});

test("W-13: load decides among workers of all gateways", async () => {
  await using gateway = await openGateway();
  const calls = [gateway.call(), gateway.call()];
  await calls[0]!.register("work", { concurrency: 4 });
  await calls[1]!.register("work", { credit: 4 });
  let mine = 0;
  let release: () => void = () => undefined;
  const released = new Promise<void>((resolve) => (release = resolve));
  const handler = async (): Promise<void> => {
    mine++;
    await released;
  };
  await gateway.peer.serve("work", handler, { concurrency: 4 });
  const asking = Array.from({ length: 12 }, () => gateway.peer.request("work"));
  const jobs = await Promise.all(
    calls.map(async (call) => [await call.job(), await call.job(), await call.job(), await call.job()]),
  );
  assert.equal(mine, 4);
  release();
  for (const [index, held] of jobs.entries())
    for (const { job } of held) calls[index]!.send({ answer: { job } });
  await Promise.all(asking);
});

test("W-11, W-12: registrations that are not taken", async () => {
  await using gateway = await openGateway({}, { registrations: 2 });
  const call = gateway.call();
  await call.register("one");
  const nonsense = ["", ".", "a..b", "a b", "a.>.b", "ü", "x".repeat(256), "a\nb"];
  call.send(...nonsense.map((subject) => ({ register: { registration: 5, subject } })));
  for (const _ of nonsense) assert.equal(reasonOf(await call.hears("refused")), "BAD_SUBJECT");
  call.send({ register: { registration: 5, subject: "ok", queue: "no queue" } });
  assert.equal(reasonOf(await call.hears("refused")), "BAD_SUBJECT");
  call.send({ register: { subject: "other" } });
  assert.equal(reasonOf(await call.hears("rejected")), "ALREADY_EXISTS");
  await call.register("two", { registration: 2 });
  call.send({ register: { registration: 3, subject: "three" } });
  const refused = await call.hears("refused");
  assert.deepEqual([refused["registration"], reasonOf(refused)], [3, "TOO_MANY"]);
  await assert.rejects(gateway.peer.request("other"), { reason: "NO_RESPONDERS" });
});

test("W-30, W-31: a worker that leaves answers what it holds, and gets nothing new", async () => {
  await using gateway = await openGateway();
  const call = gateway.call();
  await call.register("work", { concurrency: 1 });
  const [first, queued] = [gateway.peer.request("work"), gateway.peer.request("work")];
  const unserved = assert.rejects(queued, { reason: "NO_RESPONDERS" });
  const { job } = await call.job();
  call.send({ leave: {} });
  await call.hears("left");
  await unserved;
  call.send({ leave: { registration: 8 } }, { register: { subject: "work" } });
  assert.deepEqual(reasonOf(await call.hears("rejected")), "NOT_FOUND");
  assert.deepEqual(reasonOf(await call.hears("rejected")), "ALREADY_EXISTS", "it holds a job");
  await assert.rejects(gateway.peer.request("work"), { reason: "NO_RESPONDERS" });
  call.send({ answer: { job } });
  await first;
  await call.register("work");
  const again = gateway.peer.request("work");
  await answers(call, 1);
  await again;
});
