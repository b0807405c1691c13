import assert from "node:assert/strict";
import { LintelError } from "../../../message/failure.ts";
import { Channel } from "../../../peer/stream/channel.ts";
import type { Case } from "../case.ts";
import { TRAVELS, WORKER_DIALS, carries } from "../needs.ts";
import { failureOf, firedWith, later, underWay } from "../waiting.ts";

const CHUNK = 60_000;
const CHUNKS = 20;
const MANY = 100;

/** Bytes that tell where they belong. */
const PATTERN = new Uint8Array(CHUNK * CHUNKS);
for (let at = 0; at < PATTERN.length; at++) PATTERN[at] = at * 31 + (at >> 8);

/** All of them, in chunks large and small. */
function patterned(onCancel: (reason: unknown) => void = () => undefined): ReadableStream<Uint8Array> {
  let at = 0;
  return new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        if (at === PATTERN.length) return controller.close();
        const chunk = PATTERN.slice(at, at + (at % 2 === 0 ? CHUNK - 1 : 17));
        at += chunk.length;
        return controller.enqueue(chunk);
      },
      cancel: onCancel,
    },
    { highWaterMark: 0 },
  );
}

/** Reads a stream, which must have all of them and no others. */
async function readAll(stream: unknown): Promise<number> {
  assert.ok(stream instanceof ReadableStream, "no stream");
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream as ReadableStream<Uint8Array>) chunks.push(chunk);
  const all = Buffer.concat(chunks);
  assert.ok(all.equals(PATTERN), `${all.length} bytes, or other ones than were sent`);
  return all.length;
}

const ALL = PATTERN.length;

function channelIn(value: unknown): Channel {
  assert.ok(value instanceof Channel, "no channel");
  return value;
}

/** The next value of a channel, which must not have ended. */
async function next(channel: Channel): Promise<unknown> {
  const { done, value } = await channel.receive();
  assert.equal(done, false, "it has ended");
  return value;
}

export const STREAMS: readonly Case[] = [
  {
    name: "carries a stream of bytes up, every byte in its place",
    needs: [],
    async run({ caller, worker, subject, write, read }) {
      await worker.serve(subject("up"), async (value) => write(await readAll(value)));
      const all = await caller.request(subject("up"), patterned());
      assert.equal(read(all).n, ALL);
    },
  },
  {
    name: "carries a stream of bytes down, every byte in its place",
    needs: [],
    async run({ caller, worker, subject }) {
      await worker.serve(subject("down"), () => patterned());
      assert.equal(await readAll(await caller.request(subject("down"))), ALL);
    },
  },
  {
    name: "carries a sequence of values down, as they are made",
    needs: [],
    async run({ caller, worker, subject, write, read }) {
      const firstWasRead = later<void>();
      async function* values(): AsyncGenerator {
        for (let n = 0; n < MANY; n++) {
          yield write(n);
          if (n === 0) await firstWasRead.promise; // the first has arrived before the second is made
        }
      }
      await worker.serve(subject("tokens"), () => values());
      const got: number[] = [];
      for await (const value of await caller.request<ReadableStream<unknown>>(subject("tokens"))) {
        got.push(read(value).n);
        firstWasRead.resolve();
      }
      assert.deepEqual(
        got,
        Array.from({ length: MANY }, (_, n) => n),
      );
    },
  },
  {
    name: "carries streams beside values of any codec, both ways",
    needs: [],
    async run({ caller, worker, subject, write, read }) {
      await worker.serve(subject("beside"), async (value, context) => {
        const [first, second] = context.streams;
        assert.equal(await readAll(second), ALL);
        context.reply.streams.push(patterned());
        assert.equal(await readAll(first), ALL);
        return value;
      });
      const reply = await caller.request(subject("beside"), write(8), {
        streams: [patterned(), patterned()],
        full: true,
      });
      assert.equal(read(reply.value).n, 8);
      assert.equal(await readAll(reply.streams[0]), ALL);
    },
  },
  {
    name: "carries streams and channels anywhere in a value",
    needs: [carries("object", "array", "number")],
    async run({ caller, worker, subject }) {
      await worker.serve<{ files: unknown[]; to: unknown }>(subject("inside"), async ({ files, to }) => {
        const channel = channelIn(to);
        const size = await readAll(files[1]);
        await channel.send(size);
        channel.close();
        return { size, back: files[0] };
      });
      const [near, far] = caller.createChannel();
      const value = { files: [patterned(), patterned()], to: far };
      const answer = await caller.request<{ size: number; back: unknown }>(subject("inside"), value);
      assert.equal(answer.size, ALL);
      assert.equal(await next(near), ALL);
      assert.equal((await near.receive()).done, true);
      assert.equal(await readAll(answer.back), ALL, "a stream that came may be sent on");
    },
  },
  {
    name: "opens a channel: values both ways in order, each half closed on its own",
    needs: [],
    async run({ caller, worker, subject, write, read }) {
      const over = later<void>();
      await worker.serve(subject("chat"), async (_value, context) => {
        const channel = context.accept();
        let sum = 0;
        for await (const value of channel) {
          sum += read(value).n;
          await channel.send(value);
        }
        await channel.send(write(sum)); // the caller has closed its half
        channel.close();
        await channel.closed;
        over.resolve();
      });
      const channel = await caller.open(subject("chat"), write(1));
      const numbers = Array.from({ length: MANY }, (_, n) => n);
      const sent = Promise.all(numbers.map((n) => channel.send(write(n)))).then(() => channel.close());
      const got: number[] = [];
      for await (const value of channel) got.push(read(value).n);
      await sent;
      assert.deepEqual(got, [...numbers, (MANY * (MANY - 1)) / 2]);
      await channel.closed;
      await over.promise;
    },
  },
  {
    name: "carries channels through channels, three deep",
    needs: [],
    async run({ caller, worker, subject, write, read }) {
      await worker.serve(subject("deep"), async (_value, context) => {
        const first = context.accept();
        const second = channelIn(await next(first));
        const third = channelIn(await next(second));
        for await (const value of third) await third.send(value);
        third.close();
      });
      const first = await caller.open(subject("deep"));
      const [second, itsFarEnd] = caller.createChannel();
      const [third, thirdFarEnd] = caller.createChannel();
      await first.send(itsFarEnd);
      await second.send(thirdFarEnd);
      await third.send(write(3));
      assert.equal(read(await next(third)).n, 3);
      third.close();
      assert.equal((await third.receive()).done, true);
    },
  },
  {
    name: "lets a worker offer itself over a channel, which is handed on to whoever asks",
    needs: [],
    async run({ caller, worker, subject, write, read }) {
      const offered: Channel[] = [];
      await worker.serve(subject("offer"), (_value, context) => {
        offered.push(context.accept());
        return new Promise((resolve) => context.signal.addEventListener("abort", resolve));
      });
      await worker.serve(subject("hire"), () => offered.shift());
      const hired = await caller.open(subject("offer"));
      const employer = channelIn(await caller.request(subject("hire")));
      await employer.send(write(6));
      const job = await next(hired);
      await hired.send(write(read(job).n * 7));
      assert.equal(read(await next(employer)).n, 42);
      employer.close();
      hired.close();
      await Promise.all([employer.closed, hired.closed]);
    },
  },
  {
    name: "tells the other end of a channel of an abort, from either side",
    needs: [],
    async run({ caller, worker, subject, write }) {
      const signals: AbortSignal[] = [];
      const heard: Promise<LintelError>[] = [];
      await worker.serve(subject("listens"), async (_value, context) => {
        signals.push(context.signal);
        const channel = context.accept();
        const received = failureOf(channel.receive());
        heard.push(received);
        await received;
      });
      await worker.serve(subject("throws"), async (_value, context) => {
        await context.accept().receive();
        throw new LintelError("data_loss", "the tape is torn");
      });
      const aborted = await caller.open(subject("listens"));
      aborted.abort(new LintelError("out_of_range", "enough"));
      assert.equal((await failureOf(aborted.send(write(1)))).reason, "OUT_OF_RANGE");
      while (heard.length === 0) await new Promise((resolve) => setImmediate(resolve));
      const told = await heard[0]!;
      assert.deepEqual([told.code, told.reason, told.message], ["out_of_range", "OUT_OF_RANGE", "enough"]);
      assert.equal((await firedWith(signals[0]!)).reason, "OUT_OF_RANGE");

      const torn = await caller.open(subject("throws"));
      const closed = failureOf(torn.closed);
      await torn.send(write(1));
      assert.equal((await failureOf(torn.receive())).reason, "DATA_LOSS");
      assert.equal((await closed).code, "data_loss");
    },
  },
  {
    name: "ends a source that nobody reads any more, and tells readers of a source that fails",
    needs: [],
    async run({ caller, worker, errors, subject }) {
      const canceled = later<unknown>();
      await worker.serve(subject("endless"), () => patterned(canceled.resolve));
      const stream = await caller.request<ReadableStream<Uint8Array>>(subject("endless"));
      const reader = stream.getReader();
      await reader.read();
      await reader.cancel();
      const why = await canceled.promise;
      assert.ok(why instanceof LintelError);
      assert.equal(why.code, "canceled");

      async function* failing(): AsyncGenerator<Uint8Array> {
        yield new Uint8Array(5);
        throw new Error("a secret");
      }
      await worker.serve(subject("fails"), () => ReadableStream.from(failing()));
      const broken = await caller.request<ReadableStream<Uint8Array>>(subject("fails"));
      const error = await failureOf(readToEnd(broken));
      assert.deepEqual([error.code, error.reason], ["aborted", "SOURCE_FAILED"]);
      assert.doesNotMatch(error.message, /secret/);
      assert.deepEqual(
        errors.map((one) => (one as Error).message),
        ["a secret"],
      );
    },
  },
  {
    name: "ends the streams of a request that nobody takes, that fails, or whose caller leaves",
    needs: [],
    async run({ caller, worker, subject, write }) {
      const refused = later<unknown>();
      const nobody = await failureOf(caller.request(subject("nobody"), patterned(refused.resolve)));
      assert.equal(nobody.reason, "NO_RESPONDERS");
      assert.ok((await refused.promise) instanceof LintelError);

      await worker.serve(subject("failing"), async () => {
        await Promise.resolve();
        throw new LintelError("not_found", "no");
      });
      const failed = later<unknown>();
      await failureOf(caller.request(subject("failing"), patterned(failed.resolve)));
      assert.ok((await failed.promise) instanceof LintelError);

      const started = later<AbortSignal>();
      const late = later<unknown>();
      await worker.serve(subject("late"), async (_value, { signal }) => {
        started.resolve(signal);
        await firedWith(signal);
        return patterned(late.resolve); // nobody is there any more
      });
      const controller = new AbortController();
      const left = underWay(caller.request(subject("late"), write(1), { signal: controller.signal }));
      await started.promise;
      controller.abort();
      assert.equal((await failureOf(left)).reason, "CALLER_GONE");
      assert.ok((await late.promise) instanceof LintelError, "its source is ended");
    },
  },
  {
    name: "tells who opens a channel that the handler has answered instead",
    needs: [],
    async run({ caller, worker, subject, write }) {
      const canceled = later<unknown>();
      await worker.serve(subject("answers"), () => patterned(canceled.resolve));
      assert.equal((await failureOf(caller.open(subject("answers")))).reason, "NOT_ACCEPTED");
      await canceled.promise;
      await worker.serve(subject("requests"), (_value, context) => context.accept());
      const wrong = await failureOf(caller.request(subject("requests"), write(1)));
      assert.equal(wrong.code, "failed_precondition");
    },
  },
  {
    name: "does not let a sender run ahead of a reader that stands still",
    needs: [],
    async run({ caller, worker, subject, write, read }) {
      let sent = 0;
      await worker.serve(subject("eager"), async (_value, context) => {
        const channel = context.accept();
        const large = write(1, "x".repeat(10_000));
        for (;;) {
          await channel.send(large);
          sent++;
        }
      });
      const channel = await caller.open(subject("eager"));
      await next(channel);
      for (let before = -1; before !== sent;) {
        before = sent;
        for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setTimeout(resolve, 1));
      }
      assert.ok(sent > 1 && sent * 10_000 <= 1_048_576 + 3 * 20_000, `${sent} values of 10 kB`);
      for (let count = 0; count < 100; count++) assert.equal(read(await next(channel)).n, 1);
      channel.abort();
    },
  },
  {
    name: "ends the streams of a connection that is lost",
    needs: [TRAVELS, WORKER_DIALS],
    alone: true,
    async run({ caller, worker, workerLink, subject, write, read }) {
      const canceled = later<unknown>();
      await worker.serve(subject("down"), () => patterned(canceled.resolve));
      await worker.serve(subject("chat"), async (_value, context) => {
        const channel = context.accept();
        for await (const value of channel) await channel.send(value);
      });
      const channel = await caller.open(subject("chat"));
      await channel.send(write(2));
      assert.equal(read(await next(channel)).n, 2);
      const stream = await caller.request<ReadableStream<Uint8Array>>(subject("down"));
      void workerLink?.cut();
      assert.equal((await failureOf(channel.receive())).reason, "CONNECTION_LOST");
      assert.equal((await failureOf(readToEnd(stream))).reason, "CONNECTION_LOST");
      assert.equal(((await canceled.promise) as LintelError).reason, "CONNECTION_LOST");
    },
  },
];

async function readToEnd(stream: ReadableStream<Uint8Array>): Promise<void> {
  const reader = stream.getReader();
  while (!(await reader.read()).done);
}
