/** Every engine tells an observer of each outcome once. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { LocalEngine } from "../../src/engine/local/local-engine.ts";
import { RemoteEngine } from "../../src/engine/remote/remote-engine.ts";
import { TransportRegistry } from "../../src/index.ts";
import type { Observer, SettledRequest } from "../../src/observe/observer.ts";
import type { EnginePair } from "../../src/testing/index.ts";
import { HoldingWorker, RecordingCaller } from "../../src/testing/engine/actors.ts";
import { startHub } from "./remote/harness.ts";

const KINDS: readonly [kind: string, open: (observer: Observer) => Promise<EnginePair>][] = [
  ["local", (observer) => Promise.resolve(pairOf(new LocalEngine({ observer })))],
  ["remote", openRemote],
];

function pairOf(engine: LocalEngine): EnginePair {
  return { callers: engine, workers: engine, close: () => engine.close() };
}

async function openRemote(observer: Observer): Promise<EnginePair> {
  const hub = await startHub("tcp://127.0.0.1:0");
  const url = hub.urls[0]!;
  const transport = await new TransportRegistry().for(url);
  const [callers, workers] = [
    new RemoteEngine(transport, url, { observer }),
    new RemoteEngine(transport, url),
  ];
  await Promise.all([callers.connected(), workers.connected()]);
  const close = async (): Promise<void> => {
    await Promise.all([callers.close(), workers.close()]);
    await hub.close();
  };
  return { callers, workers, close };
}

for (const [kind, open] of KINDS) {
  test(`${kind}: however a request ends, it is told of once`, async () => {
    const settled: SettledRequest[] = [];
    const pair = await open({ settled: (request) => void settled.push(request) });
    const caller = new RecordingCaller(pair.callers);
    const worker = await HoldingWorker.start(pair.workers, "a");
    let received = 0;
    const held = async (timeoutMs?: number): Promise<{ tag: number; handle: number }> => {
      const asked = caller.request("a", "", timeoutMs);
      await worker.received(++received);
      return asked;
    };
    const answered = await held();
    worker.reply(worker.jobs[0]!.job);
    await caller.outcome(answered);
    const failed = await held();
    worker.fail(worker.jobs[1]!.job);
    await caller.outcome(failed);
    await caller.ask("nobody");
    await caller.ask("a", "", 0);
    await caller.outcome(await held(30));
    pair.callers.cancel((await held()).handle);
    const last = await held();
    await pair.close();
    await caller.outcome(last);
    await caller.ask("a");
    assert.deepEqual(
      settled.map(({ subject, gateway, code, reason }) => [subject, gateway, reason ?? code].join(" ")),
      [
        "a process ok",
        "a process SOURCE_FAILED",
        "nobody process NO_RESPONDERS",
        "a process DEADLINE",
        "a process DEADLINE",
        "a process CALLER_GONE",
        "a process CLOSED",
        "a process CLOSED",
      ],
    );
    for (const { timeoutMs, workerMs, queuedMs } of settled)
      assert.ok(workerMs + queuedMs <= timeoutMs + 2_000);
    assert.deepEqual(
      settled.map(({ worker: one }) => one?.gateway),
      kind === "local"
        ? ["process", "process", undefined, undefined, "process", "process", "process", undefined]
        : ["hub", "hub", "hub", undefined, "hub", "hub", "hub", undefined],
    );
  });
}
