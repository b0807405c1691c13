/** What the conformance suite does not say of streams: values that are odd, and senders that do not wait. */
import assert from "node:assert/strict";
import { PassThrough, Readable } from "node:stream";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { after, before, test } from "node:test";
import type { Channel } from "../../src/peer/stream/channel.ts";
import { LintelError, connect, createHub, pipe, type Hub, type Peer } from "../../src/index.ts";

let hub: Hub;
let peer: Peer;

before(async () => {
  hub = await createHub({ http: false, listen: ["tcp://127.0.0.1:0"] });
  peer = await connect(hub.urls[0]!, { onError: () => undefined });
  await peer.serve("echo", (value) => value);
});

after(async () => {
  await peer.close();
  await hub.close();
});

function reasonOf(call: Promise<unknown>): Promise<unknown> {
  return call.then(
    () => "done",
    (error: LintelError) => error.reason,
  );
}

async function channelPair(subject: string): Promise<[Channel, Channel]> {
  let far: Channel | undefined;
  const service = await peer.serve(subject, (_value, context) => {
    far = context.accept();
    return new Promise(() => undefined);
  });
  const near = await hub.open(subject);
  void service;
  return [near, far!];
}

test("values that refer to themselves are searched once, and fail as they did", async () => {
  const tree: Record<string, unknown> = {};
  tree["left"] = tree["right"] = tree["up"] = [tree, { tree }];
  assert.equal(await reasonOf(peer.request("echo", tree)), "BAD_PAYLOAD");
  tree["stream"] = Readable.from(["x"]);
  assert.equal(await reasonOf(peer.request("echo", tree)), "BAD_PAYLOAD");
  const many = { list: Array.from({ length: 5_000 }, (_, n) => ({ n })), last: Readable.from(["end"]) };
  const answer = await peer.request<{ last: ReadableStream<Uint8Array> }>("echo", many);
  assert.equal(await new Response(answer.last).text(), "end");
});

test("an object whose only member makes it iterable is a stream; the same stream twice is refused", async () => {
  const three = {
    async *[Symbol.asyncIterator](): AsyncGenerator<number> {
      for (let n = 0; n < 3; n++) yield await Promise.resolve(n);
    },
  };
  const got: unknown[] = [];
  for await (const n of await peer.request<ReadableStream<unknown>>("echo", three)) got.push(n);
  assert.deepEqual(got, [0, 1, 2]);
  const twice = Readable.from(["x"]);
  await assert.rejects(peer.request("echo", [twice, twice]), { code: "invalid_argument" });
  assert.equal(twice.destroyed, true);
  const many = Array.from({ length: 257 }, () => Readable.from(["x"]));
  assert.equal(await reasonOf(peer.request("echo", many)), "TOO_MANY");
});

test("close() sends what waits for the reader first, and more than 1,024 sends do not wait", async () => {
  const [near, far] = await channelPair("waits");
  const large = "x".repeat(5_000);
  const sends = Array.from({ length: 1_100 }, (_, n) =>
    near.send({ n, large }).then(
      () => n,
      () => -1,
    ),
  );
  near.close();
  assert.equal(await reasonOf(near.send("after")), "CLOSED");
  const got: number[] = [];
  for await (const value of far) got.push((value as { n: number }).n);
  const sent = (await Promise.all(sends)).filter((n) => n >= 0);
  assert.deepEqual(got, sent);
  assert.ok(got.length >= 1_024 && got.length < 1_100, `${got.length} were sent`);
  far.close();
  await near.closed;
});

test("a handler that returns without reading the rest does not leave its caller waiting", async () => {
  await peer.serve("first", async (_value, context) => {
    const channel = context.accept();
    await channel.send((await channel.receive()).value);
  });
  const channel = await hub.open("first");
  for (let n = 0; n < 600; n++) await channel.send("x".repeat(5_000)); // three windows
  channel.close();
  assert.equal((await channel.receive()).done, false);
  assert.equal((await channel.receive()).done, true);
  await channel.closed;
});

test("a stream that no value refers to is ended, not forgotten", async () => {
  const source = new PassThrough();
  await peer.serve("beside", (_value, context) => {
    context.reply.streams.push(source);
    return "text";
  });
  assert.equal(await hub.request("beside"), "text");
  await new Promise((resolve) => source.once("close", resolve));
});

test("in the process, members that are instances stay as they are beside a stream", async () => {
  const date = new Date(5);
  await hub.serve("local", (value) => value);
  const answer = await hub.request<{ date: unknown; bytes: ReadableStream }>("local", {
    date,
    bytes: Readable.from(["b"]),
  });
  assert.deepEqual(answer.date, JSON.parse(JSON.stringify(date)));
  await answer.bytes.cancel();
});

test("pipe() joins two channels, and what nobody may use twice is refused", async () => {
  const [one, itsFar] = peer.createChannel();
  const [other, otherFar] = peer.createChannel();
  pipe(itsFar, otherFar);
  await one.send({ through: true });
  assert.deepEqual((await other.receive()).value, { through: true });
  assert.throws(() => pipe(itsFar, one), { code: "failed_precondition" });
  await assert.rejects(peer.request("echo", { other }), { code: "failed_precondition" });
  one.abort();
  await assert.rejects(other.receive(), { code: "canceled" });
  await itsFar[Symbol.asyncDispose]();
});

test("drain() lets streams end by themselves, and cuts off those that do not within their time", async () => {
  const own = await createHub({ http: false, listen: ["tcp://127.0.0.1:0"] });
  const [caller, worker] = await Promise.all([connect(own.urls[0]!), connect(own.urls[0]!)]);
  const source = new Readable({ read: () => undefined });
  await worker.serve("read", () => source);
  const answer = await caller.request<ReadableStream<Uint8Array>>("read");
  const text = new Response(answer).text();
  source.push("begun, ");
  let drained = false;
  const draining = worker.drain({ streamGraceMs: 60_000 }).then(() => (drained = true));
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(drained, false);
  source.push("ended");
  source.push(null);
  assert.equal(await text, "begun, ended");
  await draining;
  const endless = new Readable({ read: () => undefined });
  await own.serve("endless", () => endless);
  const reader = (await caller.request<ReadableStream<Uint8Array>>("endless")).getReader();
  endless.push("some");
  await reader.read();
  await own.drain({ streamGraceMs: 50 });
  assert.equal(await reasonOf(reader.read()), "CONNECTION_LOST");
  await caller.close();
});

test("a hub that drains waits for the streams that go through it", async () => {
  const own = await createHub({ http: false, listen: ["tcp://127.0.0.1:0"] });
  const [caller, worker] = await Promise.all([connect(own.urls[0]!), connect(own.urls[0]!)]);
  const source = new Readable({ read: () => undefined });
  await worker.serve("read", () => source);
  const text = new Response(await caller.request<ReadableStream<Uint8Array>>("read")).text();
  const draining = own.drain({ streamGraceMs: 60_000 });
  source.push("through");
  source.push(null);
  assert.equal(await text, "through");
  await draining;
  await Promise.all([caller.close(), worker.close()]);
});

/** Collects garbage until the condition holds. */
test("a handler that fails ends the streams of its request, also for those who read them", async () => {
  const own = await createHub({ http: false, listen: ["tcp://127.0.0.1:0"] });
  const worker = await connect(own.urls[0]!);
  for (const server of [worker, own]) {
    const read: Promise<unknown>[] = [];
    await server.serve("fails", async (_value, { streams: [first, second] }) => {
      read.push(reasonOf((first as ReadableStream<Uint8Array>).getReader().read()));
      read.push(reasonOf((second as Channel).receive()));
      throw await Promise.resolve(new LintelError("not_found", "no such thing"));
    });
    const streams = [new Readable({ read: () => undefined }), own.createChannel()[1]];
    assert.equal(await reasonOf(own.request("fails", 1, { streams })), "NOT_FOUND");
    assert.deepEqual(await Promise.all(read), ["CALLER_GONE", "CALLER_GONE"]);
    await server.drain({ streamGraceMs: 3_600_000 }); // waits for no stream that is over
  }
});

async function collected(condition: () => boolean): Promise<void> {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  for (let round = 0; round < 1_000 && !condition(); round++) {
    collect();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assert.ok(condition());
}

test("a stream that its receiver has dropped unread ends its source, and does not hold up a drain", async () => {
  const canceled: string[] = [];
  const source = (name: string): ReadableStream<Uint8Array> =>
    new ReadableStream<Uint8Array>({
      pull: (controller) => controller.enqueue(new Uint8Array(4_096)),
      cancel: () => void canceled.push(name),
    });
  let kept: ReadableStream<Uint8Array> | undefined;
  const own = await connect(hub.urls[0]!);
  await own.serve("drops", ({ keep }: { keep: ReadableStream<Uint8Array> }) => {
    kept = keep;
    return "ignored";
  });
  await own.serve("half", async ({ half }: { half: { readable: ReadableStream<Uint8Array> } }) => {
    const { readable } = half; // the other half is dropped
    return new Response(readable).text();
  });
  await peer.request("drops", { keep: source("kept"), drop: source("dropped") });
  await collected(() => canceled.length > 0);
  assert.deepEqual(canceled, ["dropped"]);
  const reader = kept!.getReader();
  assert.equal((await reader.read()).value?.length, 4_096);
  await reader.cancel();
  const both = new PassThrough();
  const text = peer.request("half", { half: both });
  both.write("one ");
  await collected(() => true);
  for (let round = 0; round < 5; round++) await collected(() => true);
  both.end("two");
  assert.equal(await text, "one two");
  let isDrained = false;
  const drained = own.drain({ streamGraceMs: 60_000 }).then(() => (isDrained = true));
  await collected(() => isDrained); // with the half that nobody has written to
  await drained;
});
