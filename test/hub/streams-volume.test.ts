/** Many bytes in one request over every transport: all of them arrive, and the sender is never further ahead than a window. */
import assert from "node:assert/strict";
import { createServer, connect as dial, type AddressInfo } from "node:net";
import { once } from "node:events";
import { describe, test } from "node:test";
import { connect, createHub } from "../../src/index.ts";
import { TransportRegistry } from "../../src/transport/registry.ts";
import { TRANSPORTS } from "../conformance/parts.ts";
import { cpuTime } from "../house/cpu-time.ts";

const MIB = 1_048_576;
const CHUNK = 65_536;
const WINDOW = MIB;

/** Chunks that differ, so that none can be taken for another. */
const CHUNKS = Array.from({ length: 7 }, (_, index) => Buffer.alloc(CHUNK, index + 1));

interface Flow {
  made: number;
  got: number;
  /** How far the sender was ahead at the most. */
  ahead: number;
}

function source(size: number, flow: Flow): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>({
    pull(controller) {
      if (flow.made === size) return controller.close();
      controller.enqueue(CHUNKS[(flow.made / CHUNK) % CHUNKS.length]!);
      flow.made += CHUNK;
      flow.ahead = Math.max(flow.ahead, flow.made - flow.got);
      return undefined;
    },
  });
}

/** Reads all and compares it with what was sent. */
async function sink(stream: ReadableStream<Uint8Array>, flow: Flow): Promise<number> {
  for await (const bytes of stream) {
    for (let at = 0; at < bytes.length;) {
      const chunk = CHUNKS[Math.floor(flow.got / CHUNK) % CHUNKS.length]!;
      const from = flow.got % CHUNK;
      const size = Math.min(bytes.length - at, CHUNK - from);
      assert.equal(
        chunk.compare(bytes, at, at + size, from, from + size),
        0,
        `wrong bytes behind ${flow.got}`,
      );
      at += size;
      flow.got += size;
    }
  }
  return flow.got;
}

/** Through a hub, from one peer to another, all in this process. Resolves with how it went and the processor time it took. */
async function transfer(
  { transport, freshUrl }: (typeof TRANSPORTS)[number],
  size: number,
): Promise<Flow & { ms: number }> {
  const transports = new TransportRegistry();
  transports.add(transport);
  const hub = await createHub({ http: false, listen: [await freshUrl()], transports });
  const [caller, worker] = await Promise.all([1, 2].map(() => connect(hub.urls[0]!, { transports })));
  const flow: Flow = { made: 0, got: 0, ahead: 0 };
  await worker!.serve("sink", ({ stream }: { stream: ReadableStream<Uint8Array> }) => sink(stream, flow));
  const from = cpuTime();
  const got = await caller!.request("sink", { stream: source(size, flow) }, { timeoutMs: 120_000 });
  const ms = cpuTime() - from;
  assert.equal(got, size);
  await Promise.all([caller!.close(), worker!.close()]);
  await hub.close();
  return { ...flow, ms };
}

/** The same over a plain socket of Node. */
async function rawTransfer(size: number): Promise<number> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("end", () => socket.end("."));
    socket.resume();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const from = cpuTime();
  const socket = dial((server.address() as AddressInfo).port, "127.0.0.1").resume();
  for (let made = 0; made < size; made += CHUNK) {
    if (!socket.write(CHUNKS[0]!)) await once(socket, "drain");
  }
  socket.end();
  await once(socket, "end");
  const ms = cpuTime() - from;
  server.close();
  return ms;
}

describe("32 MiB through a hub", () => {
  for (const entry of TRANSPORTS) {
    test(`over ${entry.name}: complete, in order, and at most a window under way`, async () => {
      const { ahead } = await transfer(entry, 32 * MIB);
      // A chunk waits in the source, and one for credit.
      assert.ok(ahead <= WINDOW + 2 * CHUNK, `the sender was ${ahead} bytes ahead of the reader`);
    });
  }
});

test("128 MiB over tcp: memory stays, and it is at most ten times the work of a plain socket", async () => {
  const tcp = TRANSPORTS.find(({ name }) => name === "tcp")!;
  await transfer(tcp, 32 * MIB);
  const before = process.memoryUsage.rss();
  const ratios: number[] = [];
  for (let round = 0; round < 3; round++) {
    const raw = await rawTransfer(128 * MIB);
    ratios.push((await transfer(tcp, 128 * MIB)).ms / raw);
  }
  // Caller, hub and worker share this process; what has been read waits for the collector.
  const grown = process.memoryUsage.rss() - before;
  assert.ok(grown < 96 * MIB, `${grown} bytes more`);
  // Three processes in one, and two hops instead of one: about three times is what there is to do.
  assert.ok(Math.min(...ratios) < 10, ratios.map((ratio) => ratio.toFixed(1)).join(" "));
});
