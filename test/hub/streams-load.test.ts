/** Many streams through one hub: each has its share, and a reader that stands still costs a window and nobody's time. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { connect, createHub, type Hub, type Peer } from "../../src/index.ts";
import { cpuTime } from "../house/cpu-time.ts";

let hub: Hub;
let caller: Peer;
let worker: Peer;

before(async () => {
  hub = await createHub({ http: false, listen: ["tcp://127.0.0.1:0"] });
  caller = await connect(hub.urls[0]!);
  worker = await connect(hub.urls[0]!);
  await worker.serve("bytes", (size: number) => zeros(size), { concurrency: 2_000 });
  await worker.serve("endless", (chunk: number) => endless(chunk), { concurrency: 2_000 });
});

after(async () => {
  await caller.close();
  await worker.close();
  await hub.close();
});

let made = 0;

function endless(chunk: number): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        made += chunk;
        controller.enqueue(new Uint8Array(chunk));
      },
    },
    { highWaterMark: 0 },
  );
}

function zeros(size: number): ReadableStream<Uint8Array> {
  let left = size;
  return new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        if (left === 0) return controller.close();
        const chunk = Math.min(left, 16_384);
        left -= chunk;
        return controller.enqueue(new Uint8Array(chunk));
      },
    },
    { highWaterMark: 0 },
  );
}

async function open(subject: string, value: number): Promise<ReadableStreamDefaultReader<Uint8Array>> {
  const stream = await caller.request<ReadableStream<Uint8Array>>(subject, value);
  return stream.getReader();
}

async function readSome(reader: ReadableStreamDefaultReader<Uint8Array>, bytes: number): Promise<number> {
  let got = 0;
  while (got < bytes) {
    const { done, value } = await reader.read();
    if (done) break;
    got += value.length;
  }
  return got;
}

test("1,000 streams at a time: when half of all has come, the slowest has at least half the median", async () => {
  const readers = await Promise.all(Array.from({ length: 1_000 }, () => open("endless", 4_096)));
  const got = new Array<number>(readers.length).fill(0);
  let total = 0;
  await Promise.all(
    readers.map(async (reader, index) => {
      while (total < 64_000_000) {
        const { value } = await reader.read();
        got[index]! += value!.length;
        total += value!.length;
      }
      await reader.cancel();
    }),
  );
  got.sort((a, b) => a - b);
  const median = got[500]!;
  assert.ok(got[0]! >= median / 2, `the slowest has ${got[0]} bytes of a median of ${median}`);
});

test("readers that stand still pause their sources within a window each, and the hub with them", async () => {
  const count = 20;
  const readers = await Promise.all(Array.from({ length: count }, () => open("endless", 65_536)));
  await Promise.all(readers.map((reader) => readSome(reader, 1)));
  const begun = process.memoryUsage();
  made = 0;
  let last = -1;
  while (last !== made) {
    last = made;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const window = 1_048_576 + 2 * 65_536;
  assert.ok(made <= count * window, `${made} bytes were made for ${count} readers that stand still`);
  const now = process.memoryUsage();
  const grown = now.arrayBuffers - begun.arrayBuffers;
  // Caller, hub and worker share this process: nobody keeps more than the window once, and some slabs.
  assert.ok(grown < count * window + 33_554_432, `${grown} bytes more are held`);
  await Promise.all(readers.map((reader) => reader.cancel()));
});

test("streams that stand still do not slow the others", async () => {
  const timed = async (): Promise<number> => {
    const begun = cpuTime();
    const readers = await Promise.all(Array.from({ length: 8 }, () => open("bytes", 4_000_000)));
    const all = await Promise.all(readers.map((reader) => readSome(reader, Infinity)));
    assert.deepEqual(all, new Array<number>(8).fill(4_000_000));
    return cpuTime() - begun;
  };
  await timed();
  const ratios: number[] = [];
  for (let round = 0; round < 7; round++) {
    const alone = await timed();
    const stalled = await Promise.all(Array.from({ length: 4 }, () => open("endless", 65_536)));
    await Promise.all(stalled.map((reader) => readSome(reader, 1)));
    ratios.push((await timed()) / alone);
    await Promise.all(stalled.map((reader) => reader.cancel()));
  }
  // A collection of garbage makes single rounds slower; what streams that stand still cost, they cost in each.
  assert.ok(Math.min(...ratios) <= 1.1, `${ratios.map((ratio) => ratio.toFixed(2)).join(" ")} times as long`);
});

test("streams that were used leave nothing behind", async () => {
  for (let round = 0; round < 3; round++) {
    await Promise.all(
      Array.from({ length: 1_000 }, async () => readSome(await open("bytes", 20_000), Infinity)),
    );
  }
  // 3,000 and more have come and gone on a session that takes 2,048 at a time.
  assert.equal(hub.stats().inFlight, 0);
});
