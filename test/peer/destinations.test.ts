/** What the conformance suite does not say of destinations in order: other peers, time, and sources that end early. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { PassThrough, Readable, Writable } from "node:stream";
import { after, before, test } from "node:test";
import {
  LintelError,
  connect,
  createHub,
  firstOf,
  type Attempt,
  type Channel,
  type Destination,
  type Hub,
  type Peer,
} from "../../src/index.ts";

let here: Hub;
let there: Hub;
let near: Peer;
let far: Peer;

before(async () => {
  here = await createHub({ http: false, listen: ["tcp://127.0.0.1:0"], limits: { queue: 1 } });
  there = await createHub({ http: false, listen: ["h2c://127.0.0.1:0"] });
  near = await connect(here.urls[0]!, { onError: () => undefined });
  far = await connect(there.urls[0]!, { onError: () => undefined });
});

after(async () => {
  for (const peer of [near, far, here, there]) await peer.close();
});

async function failureOf(call: Promise<unknown>): Promise<LintelError> {
  const error: unknown = await call.then(() => undefined).catch((reason: unknown) => reason);
  assert.ok(error instanceof LintelError, `no LintelError: ${String(error)}`);
  return error;
}

function attemptsOf(error: LintelError): readonly Attempt[] {
  return (error.details as { attempts: Attempt[] }).attempts;
}

function reasons(error: LintelError): string[] {
  return attemptsOf(error).map(({ reason }) => reason);
}

test("none is no choice, and a peer of another make is refused", async () => {
  assert.throws(() => firstOf([]), TypeError);
  const fake: Peer = { ...near };
  await assert.rejects(firstOf([{ peer: fake, subject: "a" }]).request(1), TypeError);
});

test("P-130: a full queue here, and another hub there: the value goes with everything in it", async () => {
  let release: () => void = () => undefined;
  const released = new Promise<void>((resolve) => (release = resolve));
  await near.serve("busy", () => released, { concurrency: 1 });
  const waiting = [near.request("busy"), near.request("busy")];
  const got: unknown[] = [];
  await far.serve<Record<string, unknown>>("busy", async ({ file, list, to, n }) => {
    const values: unknown[] = [];
    for await (const value of list as ReadableStream<unknown>) values.push(value);
    const writer = (to as WritableStream<Uint8Array>).getWriter();
    await writer.write(Buffer.from("thanks"));
    await writer.close();
    got.push(n, await new Response(file as ReadableStream).text(), values);
    return "done";
  });
  async function* sequence(inner: unknown): AsyncGenerator {
    yield await Promise.resolve({ inner });
    yield 2;
  }
  const destinations: Destination[] = [
    { peer: near, subject: "busy" },
    { peer: far, subject: "busy" },
  ];
  let written = "";
  const to = new Writable({
    write(chunk, _encoding, done) {
      written += String(chunk);
      done();
    },
  });
  const file = Readable.from([Buffer.alloc(100_000, "x")]);
  assert.equal(await firstOf(destinations).request({ n: 1, file, list: sequence(1), to }), "done");
  assert.deepEqual(got, [1, "x".repeat(100_000), [{ inner: 1 }, 2]]);
  if (!to.writableFinished) await once(to, "finish");
  assert.equal(written, "thanks");

  const nested = await failureOf(firstOf(destinations).request({ list: sequence(Readable.from(["x"])) }));
  assert.deepEqual(reasons(nested), ["QUEUE_FULL"], "a stream in a stream went to the first already");
  release();
  await Promise.all(waiting);
});

test("a channel in the value is offered to the next, with what was sent into it before", async () => {
  await near.serve<Channel>("take", async (channel) => (await channel.receive()).value);
  const [mine, other] = near.createChannel();
  const sent = mine.send("early");
  const destinations = ["nobody", "nobody.else", "take"].map((subject) => ({ peer: near, subject }));
  assert.equal(await firstOf(destinations).request(other), "early");
  await sent;
  await assert.rejects(near.request("take", other), { code: "failed_precondition" });
  mine.abort();
});

test("the time is for all destinations together", async () => {
  await near.serve("waits", () => new Promise(() => undefined));
  const service = await near.serve("leaves", () => new Promise(() => undefined), { concurrency: 1 });
  const held = failureOf(near.request("leaves", 0, { timeoutMs: 30_000 }));
  const deadlines: number[] = [];
  await far.serve("late", (_value, { deadline }) => {
    deadlines.push(deadline - Date.now());
    return "late";
  });
  const call = firstOf([
    { peer: near, subject: "leaves" },
    { peer: far, subject: "late" },
  ]).request(1, { timeoutMs: 20_000 });
  // The queue of the first gives it up only after this.
  await new Promise((resolve) => setTimeout(resolve, 300));
  void service.close();
  assert.equal(await call, "late");
  assert.ok(deadlines[0]! <= 19_800, `${deadlines[0]} ms were left`);

  const error = await failureOf(
    firstOf([
      { peer: near, subject: "nobody" },
      { peer: near, subject: "waits" },
      { peer: far, subject: "late" },
    ]).request(1, { timeoutMs: 200 }),
  );
  assert.deepEqual(reasons(error), ["NO_RESPONDERS", "DEADLINE"]);
  assert.equal(error.retryable, false);
  assert.ok(error.cause instanceof LintelError);
  await near.close();
  await held;
  near = await connect(here.urls[0]!, { onError: () => undefined });
});

test("a caller that leaves ends the attempt under way, and no other begins", async () => {
  let started: () => void = () => undefined;
  const begun = new Promise<void>((resolve) => (started = resolve));
  await near.serve("slow", () => {
    started();
    return new Promise(() => undefined);
  });
  const controller = new AbortController();
  const source = new PassThrough();
  const call = failureOf(
    firstOf(["nobody", "slow", "slow"].map((subject) => ({ peer: near, subject }))).request(source, {
      signal: controller.signal,
    }),
  );
  await begun;
  controller.abort();
  assert.deepEqual(reasons(await call), ["NO_RESPONDERS", "CALLER_GONE"]);
  await new Promise((resolve) => source.once("close", resolve));
});

test("a source that fails meanwhile is not offered again; one no message took is ended", async () => {
  const failing = new PassThrough();
  failing.on("error", () => undefined);
  const service = await near.serve("held", () => new Promise(() => undefined), { concurrency: 1 });
  const held = failureOf(near.request("held"));
  await far.serve("held", () => assert.fail("its stream is broken"));
  const call = failureOf(
    firstOf([
      { peer: near, subject: "held" },
      { peer: far, subject: "held" },
    ]).request(failing),
  );
  failing.destroy(new Error("torn"));
  await new Promise((resolve) => setImmediate(resolve));
  void service.close();
  assert.deepEqual(reasons(await call), ["NO_RESPONDERS"]);

  const unused = new PassThrough();
  const wrong = await failureOf(firstOf([{ peer: near, subject: "no subject" }]).request(unused));
  assert.deepEqual(reasons(wrong), ["BAD_SUBJECT"]);
  assert.equal(unused.destroyed, true);
  await near.close();
  await held;
});
