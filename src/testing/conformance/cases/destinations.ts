import assert from "node:assert/strict";
import { LintelError } from "../../../message/failure.ts";
import { firstOf, type Attempt } from "../../../peer/first-of.ts";
import type { Case } from "../case.ts";
import { failureOf, later, stuck, underWay } from "../waiting.ts";

const BYTES = Uint8Array.from({ length: 200_000 }, (_, at) => at * 31 + (at >> 8));

/** A stream of `BYTES`, which counts how often it is read from the start. */
function counted(onStart: () => void): ReadableStream<Uint8Array> {
  let at = -1;
  return new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        if (at < 0) onStart();
        at = Math.max(at, 0);
        if (at === BYTES.length) return controller.close();
        controller.enqueue(BYTES.slice(at, (at += 10_000)));
        return undefined;
      },
    },
    { highWaterMark: 0 },
  );
}

async function isWhole(stream: unknown): Promise<boolean> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream as ReadableStream<Uint8Array>) chunks.push(chunk);
  return Buffer.concat(chunks).equals(BYTES);
}

export const DESTINATIONS: readonly Case[] = [
  {
    name: "tries destinations in order until one takes the request, which gets all of its stream",
    needs: [],
    async run({ caller, worker, subject, write, read }) {
      const { handler, started } = stuck();
      const busy = await worker.serve(subject("busy"), handler, { concurrency: 1 });
      const controller = new AbortController();
      const held = failureOf(caller.request(subject("busy"), write(0), { signal: controller.signal }));
      await started;
      await worker.serve(subject("last"), async (_value, { streams: [stream] }) =>
        write((await isWhole(stream)) ? 1 : 0),
      );
      await worker.serve(subject("spare"), () => assert.fail("the one before has taken it"));
      let starts = 0;
      const subjects = ["nobody", "busy", "last", "spare"].map((name) => subject(name));
      const call = underWay(
        firstOf(subjects.map((one) => ({ peer: caller, subject: one }))).request(write(1), {
          streams: [counted(() => starts++)],
        }),
      );
      // It waits for the worker that is busy, with the first bytes of its stream, until that one leaves.
      await worker.request(subject("nobody"), write(0)).catch(() => undefined);
      void busy.close();
      assert.equal(read(await call).n, 1);
      assert.equal(starts, 1);
      controller.abort();
      await held;
    },
  },
  {
    name: "does not go on to another destination when a worker may have begun",
    needs: [],
    async run({ caller, worker, subject, write }) {
      await worker.serve(subject("fails"), () => {
        throw new LintelError("not_found", "no such thing");
      });
      await worker.serve(subject("reads"), async (_value, { streams: [stream] }) => {
        for await (const chunk of stream as ReadableStream<Uint8Array>) if (chunk.length > 0) break;
        throw new LintelError("unavailable", "try elsewhere", { retryable: true });
      });
      await worker.serve(subject("never"), () => assert.fail("it was sent to two workers"));
      const to = (name: string): { peer: typeof caller; subject: string } => ({
        peer: caller,
        subject: subject(name),
      });
      const failed = await failureOf(firstOf([to("nobody"), to("fails"), to("never")]).request(write(1)));
      assert.equal(failed.message, "no such thing");
      const { attempts } = failed.details as { attempts: Attempt[] };
      assert.deepEqual(
        attempts.map(({ subject: one, code, reason, retryable }) => [one, code, reason, retryable]),
        [
          [subject("nobody"), "unavailable", "NO_RESPONDERS", true],
          [subject("fails"), "not_found", "NOT_FOUND", false],
        ],
      );
      const begun = await failureOf(
        firstOf([to("reads"), to("never")]).request(write(1), { streams: [counted(() => undefined)] }),
      );
      assert.equal(begun.message, "try elsewhere");
    },
  },
  {
    name: "opens a channel to the first destination that accepts, and ends what the others were offered",
    needs: [],
    async run({ caller, worker, subject, write, read }) {
      await worker.serve(subject("chat"), async (_value, context) => {
        const channel = context.accept();
        for await (const value of channel) await channel.send(value);
      });
      const to = (name: string): { peer: typeof caller; subject: string } => ({
        peer: caller,
        subject: subject(name),
      });
      const channel = await firstOf([to("nobody"), to("chat")]).open(write(1));
      await channel.send(write(5));
      assert.equal(read((await channel.receive()).value).n, 5);
      channel.close();
      assert.equal((await channel.receive()).done, true);

      const canceled = later<unknown>();
      const source = new ReadableStream<Uint8Array>({ cancel: canceled.resolve });
      const none = await failureOf(
        firstOf([to("nobody"), to("nothing")]).open(write(1), { streams: [source] }),
      );
      assert.equal(none.reason, "NO_RESPONDERS");
      assert.equal(none.retryable, true);
      assert.equal((none.details as { attempts: Attempt[] }).attempts.length, 2);
      assert.ok((await canceled.promise) instanceof LintelError);
    },
  },
];
