import assert from "node:assert/strict";
import type { Failure } from "../../message/failure.ts";
import type { Message, StreamEnd } from "../../message/message.ts";
import { createStream } from "../../stream/stream-pair.ts";
import { HoldingWorker, Noticeboard, textMessage } from "./actors.ts";
import { lacks, needs, type Declare } from "./scene.ts";

/** E-26 */
export function streams(scene: Declare): void {
  const withStreams = needs("streams");

  scene(
    "E-26: a request's streams reach its worker, and bytes flow both ways",
    async ({ caller, workers }) => {
      const worker = await HoldingWorker.start(workers, "any");
      const { message, near } = withStream();
      const asked = caller.send("any", message);
      await worker.received(1);
      const far = new StreamLog(worker.jobs[0]!.streams[0]!);
      near.end.send(textMessage("there"));
      await far.until(() => far.text === "there");
      worker.reply(worker.jobs[0]!.job);
      assert.equal(await caller.outcome(asked), "answered done");
      far.end.send(textMessage("and back"));
      await near.until(() => near.text === "and back");
      assert.equal(near.why, undefined, "it outlives the request that carried it");
      near.end.reset({ code: "canceled", reason: "CALLER_GONE", message: "", retryable: false });
      await far.until(() => far.why !== undefined);
      assert.equal(far.why, "CALLER_GONE");
    },
    withStreams,
  );

  scene(
    "E-26: the streams of a request that no worker gets end with its reason",
    async ({ caller, callers, workers }) => {
      const expect = async (subject: string, timeoutMs: number, reason: string): Promise<void> => {
        const { message, near } = withStream();
        const asked = caller.send(subject, message, timeoutMs);
        assert.equal(await caller.outcome(asked), reason);
        await near.until(() => near.why !== undefined);
        assert.equal(near.why, reason);
      };
      await expect("nobody", 10_000, "NO_RESPONDERS");
      const worker = await HoldingWorker.start(workers, "any", { concurrency: 1 });
      await expect("any", 0, "DEADLINE");
      const held = caller.request("any");
      await expect("any", 60, "DEADLINE"); // in the queue
      await worker.received(1);
      worker.reply(worker.jobs[0]!.job);
      assert.equal(await caller.outcome(held), "answered done");
      await callers.close();
      await expect("any", 10_000, "CLOSED");
    },
    withStreams,
  );

  scene(
    "E-26: where streams are not supported a request with one fails",
    async ({ caller, workers }) => {
      const worker = await HoldingWorker.start(workers, "any");
      const { message, near } = withStream();
      assert.equal(await caller.outcome(caller.send("any", message)), "STREAMS_UNSUPPORTED");
      await near.until(() => near.why !== undefined);
      assert.deepEqual([near.why, worker.jobs.length], ["STREAMS_UNSUPPORTED", 0]);
    },
    lacks("streams"),
  );
}

/** One end of a byte stream, and what it has heard. */
class StreamLog extends Noticeboard {
  readonly end: StreamEnd;
  text = "";
  /** The reason of its reset. */
  why: string | undefined;

  constructor(end: StreamEnd) {
    super();
    this.end = end;
    end.listen({
      data: (message: Message) => {
        this.text += new TextDecoder().decode(message.payload());
        this.changed();
      },
      ended: () => undefined,
      granted: () => undefined,
      ready: () => true,
      writable: () => undefined,
      reset: (why: Failure) => {
        this.why = why.reason;
        this.changed();
      },
    });
  }
}

/** A message that carries one byte stream, and the end that stays here. */
function withStream(): { message: Message; near: StreamLog } {
  const [near, far] = createStream({ sends: true, receives: true, messages: false });
  const message = textMessage("with a stream");
  message.streams = [far];
  return { message, near: new StreamLog(near) };
}
