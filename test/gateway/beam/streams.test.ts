/** Answers that are streams, or have one, and how fast what flows may flow. */
import assert from "node:assert/strict";
import type { LintelError } from "../../../src/message/failure.ts";
import { gatewayTest, openGateway } from "./harness.ts";
import { until } from "../../house/until.ts";

const CHUNK = 65_536;

gatewayTest("B-43: each value of a sequence is a message on the attachment", async () => {
  await using harness = await openGateway();
  await harness.peer.serve("count", async function* ([to]: string[]) {
    for (let number = 1; number <= Number(to); number++) yield [String(number), "of", to];
    yield { done: true };
  });
  const end = await harness.connection.attach("R", "count", "2");
  assert.deepEqual(await end.hears(), ["set", "1", "of", "2"]);
  assert.deepEqual(await end.hears(), ["set", "2", "of", "2"]);
  assert.deepEqual(await end.hears(), ["set", '{"done":true}']);
  assert.equal(await end.hears(), undefined);
});

gatewayTest("B-43: a sequence that fails ends with an `error` message", async () => {
  await using harness = await openGateway();
  await harness.peer.serve("count", async function* () {
    yield ["1"];
    throw new Error("secret");
  });
  const end = await harness.connection.attach("R", "count");
  assert.deepEqual(await end.hears(), ["set", "1"]);
  const [kind, text, code, reason] = (await end.hears()) ?? [];
  assert.deepEqual([kind, code, reason], ["error", "aborted", "SOURCE_FAILED"]);
  assert.doesNotMatch(text!, /secret/);
  assert.equal(await end.hears(), undefined);
});

gatewayTest("B-44, B-46: a stream of bytes in an answer is attached to it, in constant memory", async () => {
  await using harness = await openGateway();
  const chunks = 512; // 32 MiB
  let made = 0;
  let furthest = 0;
  let taken = 0;
  await harness.peer.serve("read", () => {
    const data = new ReadableStream<Uint8Array>({
      pull(controller) {
        if (made === chunks) return controller.close();
        made++;
        furthest = Math.max(furthest, made * CHUNK - taken);
        return controller.enqueue(new Uint8Array(CHUNK).fill(1));
      },
    });
    return { type: "image/png", data };
  });
  const end = await harness.connection.attach("R", "read");
  const answer = await end.receive();
  assert.deepEqual(answer?.message, ["set", '{"type":"image/png","data":{"$stream":0}}']);
  assert.equal(await end.hears(), undefined);
  while (taken < chunks * CHUNK) {
    const { size, sum } = await answer.attached!.read(CHUNK * 32);
    assert.equal(sum, size);
    assert.ok(size > 0, `it ended after ${taken}`);
    taken += size;
  }
  assert.equal((await answer.attached!.read()).size, 0);
  assert.ok(furthest < 4_000_000, `the worker was ${furthest} bytes ahead of the reader`);
});

gatewayTest("B-44: a stream that is the whole answer comes with `ack`", async () => {
  await using harness = await openGateway();
  await harness.peer.serve("file", () => new Blob(["hello"]).stream());
  const end = await harness.connection.attach("R", "file");
  const answer = await end.receive();
  assert.deepEqual(answer?.message, ["ack"]);
  assert.equal((await answer.attached!.read()).text, "hello");
});

gatewayTest("B-44: a channel in an answer is attached to it, and works when the call is over", async () => {
  await using harness = await openGateway();
  await harness.peer.serve("spawn", ([name]: string[]) => {
    const [near, far] = harness.peer.createChannel();
    void (async () => {
      for await (const message of near) await near.send(["echo", ...(message as string[])]);
      near.close();
    })();
    return [`${name} runs`, far];
  });
  const end = await harness.connection.attach("R", "spawn", "job");
  const answer = await end.receive();
  assert.deepEqual(answer?.message, ["set", "job runs"]);
  await end.close();
  const channel = answer.attached!;
  await channel.send("one", "two");
  assert.deepEqual(await channel.hears(), ["echo", "one", "two"]);
  await channel.half();
  assert.equal(await channel.hears(), undefined);
});

gatewayTest(
  "B-46: bytes are read from an attachment, and a handler that writes ends with its reader",
  async () => {
    await using harness = await openGateway();
    let received = 0;
    let ended = false;
    await harness.peer.serve("upload", () => {
      const sink = new WritableStream<Uint8Array>({
        write: (chunk) => void (received += chunk.length),
        close: () => void (ended = true),
      });
      return { sink };
    });
    const answer = await (await harness.connection.attach("R", "upload")).receive();
    await answer!.attached!.write(3_000_000);
    await answer!.attached!.close();
    await until(() => ended, "the end of the upload");
    assert.equal(received, 3_000_000);

    let error: LintelError | undefined;
    await harness.peer.serve("endless", () => {
      return new ReadableStream<Uint8Array>({
        pull: (controller) => controller.enqueue(new Uint8Array(CHUNK)),
        cancel: (why: LintelError) => void (error = why),
      });
    });
    const endless = await (await harness.connection.attach("R", "endless")).receive();
    await endless!.attached!.read(CHUNK);
    await endless!.attached!.close();
    await until(() => error !== undefined, "the end of the source");
    assert.equal(error?.reason, "CALLER_GONE");
  },
);

gatewayTest("B-49: two streams do not fit a message: the caller is told, the streams are ended", async () => {
  await using harness = await openGateway();
  let stopped = 0;
  const source = (): ReadableStream => new ReadableStream({ cancel: () => void stopped++ });
  await harness.peer.serve("two", () => ({ one: source(), other: source() }));
  const end = await harness.connection.attach("R", "two");
  assert.equal((await end.hears())?.[3], "BAD_ANSWER");
  await until(() => stopped === 2, "the end of both");
  await until(() => harness.gateway.stats().attachments === 0, "no attachment in use");
});

gatewayTest(
  "B-41: a handler that does not read holds the sender back, and goes on when it reads",
  async () => {
    await using harness = await openGateway();
    let read: () => void = () => undefined;
    const mayRead = new Promise<void>((resolve) => (read = resolve));
    let count = 0;
    await harness.peer.serve("slow", async (_args, context) => {
      const channel = context.accept();
      await mayRead;
      for await (const _ of channel) count++;
    });
    const end = await harness.connection.attach("W", "slow");
    const text = "x".repeat(10_000);
    let sent = false;
    const sending = end.sendTimes(1_000, "line", text).then(() => (sent = true));
    const before = process.memoryUsage().rss;
    const other = await harness.connection.attach("R", "nobody"); // another call is not held back
    assert.equal((await other.hears())?.[3], "NO_RESPONDERS");
    assert.equal(sent, false, "10 MB do not fit the buffers between the two");
    assert.ok(process.memoryUsage().rss - before < 50_000_000);
    read();
    await sending;
    await end.half();
    await until(() => count === 1_000, "all messages");
  },
);

gatewayTest("B-41: a peer that does not read holds the handler back", async () => {
  await using harness = await openGateway();
  let sent = 0;
  const text = "x".repeat(10_000);
  await harness.peer.serve("fast", async (_args, context) => {
    const channel = context.accept();
    for (; sent < 1_000; sent++) await channel.send(["line", text]);
  });
  const end = await harness.connection.attach("RW", "fast");
  assert.deepEqual(await end.hears(), ["line", text]);
  await until(() => sent > 20, "a window of messages");
  let quiet = sent;
  for (let same = 0; same < 5; quiet = sent) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    same = quiet === sent ? same + 1 : 0;
  }
  assert.ok(sent < 200, `${sent} messages of 10 kB were sent to nobody`);
  for (let index = 1; index < 1_000; index++) assert.equal((await end.hears())?.[0], "line");
  assert.equal(await end.hears(), undefined);
});
