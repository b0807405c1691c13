/** A worker that answers with streams, in a process of its own; tells its parent what becomes of them. */
import { once } from "node:events";
import { createReadStream } from "node:fs";
import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { LintelError, connect, event, type Context } from "../../../src/index.ts";

const peer = await connect(process.argv[2]!);
const say = (...words: readonly unknown[]): void => void process.send?.(words.join(" "));

/** What the parent has said and nothing has waited for, and what waits for a word. */
const said: unknown[] = [];
const waiting = new Map<unknown, (() => void)[]>();
process.on("message", (word) => {
  const resolvers = waiting.get(word) ?? [];
  if (resolvers.length === 0) said.push(word);
  waiting.delete(word);
  for (const resolve of resolvers) resolve();
});

/** Waits until the parent says so, unless it has. */
async function told(word: string): Promise<void> {
  const index = said.indexOf(word);
  if (index >= 0) return void said.splice(index, 1);
  return new Promise((resolve) => waiting.set(word, [...(waiting.get(word) ?? []), resolve]));
}

/** Bytes of which the n-th is n modulo 251, in pieces, without end unless `size` says so. */
function counting(size: number, piece = 65_536): ReadableStream<Uint8Array> {
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      if (at >= size) return controller.close();
      const bytes = new Uint8Array(Math.min(piece, size - at));
      for (let index = 0; index < bytes.length; index++) bytes[index] = (at + index) % 251;
      at += bytes.length;
      say("produced", at);
      controller.enqueue(bytes);
    },
    cancel(reason: LintelError) {
      say("canceled", reason.reason);
    },
  });
}

interface Order {
  readonly size: number;
  readonly piece?: number;
  readonly status?: number;
  readonly headers?: Record<string, string>;
}

await peer.serve("bytes", ({ size, piece, headers, status }: Order, { reply }) => {
  reply.status = status;
  Object.assign(reply.headers, headers);
  return counting(size, piece);
});
await peer.serve("node", () =>
  Readable.from([Buffer.from("one,"), Buffer.from("two")], { objectMode: false }),
);
await peer.serve("file", (path: string) => createReadStream(path));

await peer.serve("steps", (_value, { reply }) => {
  reply.headers["content-type"] = "text/plain";
  return ReadableStream.from(
    (async function* () {
      for (const word of ["first ", "second ", "third"]) {
        yield word;
        await told("go");
      }
    })(),
  );
});

await peer.serve("breaks", ({ after }: { after: number }) =>
  ReadableStream.from(
    (async function* () {
      for (let sent = 0; sent < after; sent++) yield "x";
      await told("break");
      throw new LintelError("data_loss", "the disk is gone", { reason: "DISK_GONE" });
    })(),
  ),
);

await peer.serve("values", async function* (_value: unknown, { headers }: Context) {
  yield { hello: "Ada" };
  yield "two\nlines\r\nand\rmore";
  yield event({ n: 3 }, { id: "7", event: "number", retryMs: 1_500 });
  yield event("", { event: "done" });
  yield `last: ${headers.get("last-event-id") ?? "none"}`;
});

await peer.serve("ticks", async function* () {
  for (let tick = 0; ; tick++) {
    yield tick;
    await told("tick");
  }
});

await peer.serve("values-break", async function* () {
  yield 1;
  await told("break");
  throw new LintelError("resource_exhausted", "no tokens left", {
    reason: "NO_TOKENS",
    details: { left: 0 },
  });
});

await peer.serve("waits", async function* (_value: unknown, { signal }: Context) {
  say("waiting");
  yield "waiting";
  await once(signal, "abort");
  say("signal", (signal.reason as LintelError).reason);
});

await peer.serve("nested", () => ({ file: counting(1_000_000) }));
await peer.serve("nested-later", async function* () {
  yield { plain: true };
  yield { file: counting(1_000_000) };
});
await peer.serve("channel", () => {
  const [near, far] = peer.createChannel();
  near.closed.catch((error: LintelError) => say("channel", error.reason));
  return far;
});
await peer.serve("plain", () => "plain");
await peer.serve("slow", () => sleep(50, "slow"));

say("serving");
