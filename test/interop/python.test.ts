/** The client in interop/python, a second implementation of docs/PROTOCOL.md, against the hub and the peers of this package. */
import assert from "node:assert/strict";
import { fork, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { createHub, type Hub } from "../../src/hub/hub.ts";
import { LintelError } from "../../src/message/failure.ts";
import { connect } from "../../src/peer/connect.ts";
import type { Context } from "../../src/peer/context.ts";
import type { Peer } from "../../src/peer/peer.ts";
import { defer } from "../cli/cli-process.ts";
import { provide } from "../house/provide.ts";
import { root } from "../house/root.ts";
import { PythonPeer, type Said } from "./python-peer.ts";

const MIB = 1_048_576;
const HUB = fileURLToPath(new URL("./hub-process.js", import.meta.url));

const refusal = (code: string, reason: string, retryable = false): object => ({ code, reason, retryable });

/** What the worker in TypeScript does for Python; `python_peer.py` has the same under `py.`. */
async function serve(peer: Peer): Promise<void> {
  await peer.serve("ts.echo", (value, context) => {
    context.reply.headers["x-echo"] = context.headers.get("x-sent") ?? "";
    return value;
  });
  await peer.serve("ts.fail", () => {
    throw new LintelError("not_found", "no order 12", { reason: "NO_SUCH_ORDER", details: { order: 12 } });
  });
  await peer.serve("ts.left", (_, { deadline }) => deadline - Date.now());
  await peer.serve("ts.size", (value) => (value as Uint8Array).length);
}

/** A handler that answers none before it holds as many requests as this. */
function together(count: number): () => Promise<number> {
  const all = defer<number>();
  let held = 0;
  return () => {
    if (++held === count) all.resolve(count);
    return all.promise;
  };
}

before(() => provide("python3"));

describe("byte vectors in Python", () => {
  it("decodes, encodes and refuses what spec/vectors says", () => {
    const folder = join(root, "interop", "python");
    const run = spawnSync("python3", ["-m", "unittest", "test_vectors"], { cwd: folder, encoding: "utf8" });
    assert.match(run.stderr, /Ran [1-9]\d* tests[^]*\nOK\n$/);
  });
});

for (const scheme of ["tcp", "unix"]) {
  describe(`Python over ${scheme}`, () => {
    let folder: string;
    let hub: Hub;
    let peer: Peer;
    let snake: PythonPeer;

    before(async () => {
      folder = await mkdtemp(join(tmpdir(), "lintel-interop-"));
      const url = scheme === "tcp" ? "tcp://127.0.0.1:0" : `unix://${folder}/hub.sock`;
      hub = await createHub({ http: false, listen: [url] });
      peer = await connect(hub.urls[0]!);
      await serve(peer);
      snake = await PythonPeer.start(hub.urls[0]!);
    });

    after(async () => {
      await snake.kill();
      await peer.close();
      await hub.close();
      await rm(folder, { recursive: true });
    });

    it("carries every kind of value to a Python worker and back", async () => {
      for (const value of [undefined, "", "žluťoučký 🐎", 0, -1.5, true, [], { a: [1, null, { b: "ß" }] }])
        assert.deepEqual(await peer.request("py.echo", value), value);
      const bytes = Uint8Array.from({ length: 256 }, (_, index) => index);
      assert.deepEqual(await peer.request("py.size", bytes), 256);
      assert.deepEqual(new Uint8Array(await peer.request<Uint8Array>("py.echo", bytes)), bytes);
    });

    it("carries every kind of value from a Python caller and back", async () => {
      for (const value of [null, "", "žluťoučký 🐎", 0, -1.5, true, [], { a: [1, null, { b: "ß" }] }])
        assert.deepEqual((await snake.does({ do: "request", subject: "ts.echo", value })).value, value);
      const answer = await snake.does({ do: "request", subject: "ts.echo", hex: "00ff80" });
      assert.deepEqual(answer.value, { hex: "00ff80" });
    });

    it("carries headers both ways", async () => {
      const headers = { "x-sent": "Grüße" };
      const reply = await peer.request("py.echo", 1, { headers, full: true });
      assert.equal(reply.headers.get("x-echo"), "Grüße");
      assert.equal((await snake.does({ do: "request", subject: "ts.echo", headers })).echo, "Grüße");
    });

    it("carries failures with their details, and hides what a defect says", async () => {
      const expected = {
        ...refusal("not_found", "NO_SUCH_ORDER"),
        message: "no order 12",
        details: { order: 12 },
      };
      await assert.rejects(peer.request("py.fail"), expected);
      const { error } = await snake.does({ do: "request", subject: "ts.fail" });
      assert.deepEqual(error, expected);
      const nobody = await snake.does({ do: "request", subject: "nobody.here" });
      assert.deepEqual([nobody.error?.reason, nobody.error?.retryable], ["NO_RESPONDERS", true]);
      await assert.rejects(peer.request("py.crash", {}), refusal("internal", "HANDLER_FAILED"));
      await snake.hears(({ text }) => text === "the handler for py.crash failed");
    });

    it("fails a request whose payload Python cannot read", async () => {
      const broken = peer.request("py.echo", "{", { headers: { "content-type": "application/json" } });
      await assert.rejects(broken, refusal("invalid_argument", "BAD_PAYLOAD"));
    });

    it("is sent no streams, and the caller is told so (P-110)", async () => {
      const stream = new ReadableStream<Uint8Array>();
      await assert.rejects(peer.request("py.echo", stream), refusal("unimplemented", "STREAMS_UNSUPPORTED"));
      await peer.serve("ts.stream", () => new ReadableStream<Uint8Array>());
      const { error } = await snake.does({ do: "request", subject: "ts.stream" });
      assert.equal(error?.reason, "STREAMS_UNSUPPORTED");
      assert.equal(await peer.request("py.echo", "well"), "well");
    });

    it("passes on the time that is left, and ends what is late", async () => {
      const left = await peer.request<number>("py.left", undefined, { timeoutMs: 5_000 });
      assert(left > 3_000 && left <= 5_000, `${left} ms left`);
      const other = Number((await snake.does({ do: "request", subject: "ts.left", timeout: 5 })).value);
      assert(other > 3_000 && other <= 5_000, `${other} ms left`);

      const from = snake.said.length;
      await assert.rejects(
        peer.request("py.stuck", "late", { timeoutMs: 200 }),
        refusal("deadline_exceeded", "DEADLINE"),
      );
      const [stopped] = await snake.hears(({ event }) => event === "stopped", 1, from);
      assert.equal(stopped?.why, "DEADLINE");

      const fired = defer<string>();
      const service = await peer.serve("ts.late", (_, { signal }) => untilAborted(signal, fired.resolve));
      const { error } = await snake.does({ do: "request", subject: "ts.late", timeout: 0.2 });
      assert.equal(error?.reason, "DEADLINE");
      assert.equal(await fired.promise, "DEADLINE");
      await service.close();
    });

    it("tells a Python handler that its caller is gone, and a handler here that a Python caller is", async () => {
      const from = snake.said.length;
      const controller = new AbortController();
      const canceled = assert.rejects(
        peer.request("py.stuck", 1, { signal: controller.signal }),
        refusal("canceled", "CALLER_GONE"),
      );
      await snake.hears(({ event }) => event === "stuck", 1, from);
      controller.abort();
      await canceled;
      const [stopped] = await snake.hears(({ event }) => event === "stopped", 1, from);
      assert.equal(stopped?.why, "CALLER_GONE");

      const begun = defer<void>();
      const fired = defer<string>();
      const service = await peer.serve("ts.stuck", (_, { signal }: Context) => {
        begun.resolve();
        return untilAborted(signal, fired.resolve);
      });
      const asked = snake.does({ do: "request", subject: "ts.stuck" });
      await begun.promise;
      await snake.does({ do: "withdraw", of: snake.count });
      assert.equal((await asked).value, "cancelled");
      assert.equal(await fired.promise, "CALLER_GONE");
      await service.close();
    });

    it("publishes to Python in order, once for each pattern that matches", async () => {
      const from = snake.said.length;
      for (let index = 0; index < 500; index++) await peer.publish("py.news.rome", index);
      await peer.publish("py.news.tick", "both");
      await peer.publish("py.weather.tick", "second");
      await peer.publish("py.weather", "none");
      const heard = await snake.hears(({ event }) => event === "heard", 503, from);
      const of = (pattern: string): Said[] => heard.filter((said) => said.pattern === pattern);
      const news = of("py.news.>");
      assert.deepEqual(
        news.map(({ value }) => value),
        [...Array.from({ length: 500 }, (_, index) => index), "both"],
      );
      assert.equal(news[0]?.subject, "py.news.rome");
      assert.deepEqual(
        of("py.*.tick").map(({ subject, value }) => [subject, value]),
        [
          ["py.news.tick", "both"],
          ["py.weather.tick", "second"],
        ],
      );
    });

    it("hears what Python publishes in order, and Python hears itself", async () => {
      const from = snake.said.length;
      const values = Array.from({ length: 500 }, (_, index) => index);
      const heard: unknown[] = [];
      const all = defer<void>();
      const subscription = await peer.subscribe("py.news.*", (value) => {
        if (heard.push(value) === values.length) all.resolve();
      });
      await snake.does({ do: "publish", subject: "py.news.oslo", values });
      await all.promise;
      assert.deepEqual(heard, values);
      await snake.hears(({ event }) => event === "heard", values.length, from);
      await subscription.close();
    });

    it("takes payloads up to the limit and refuses larger ones, in every place", async () => {
      const tooLarge = refusal("resource_exhausted", "TOO_LARGE");
      for (const size of [MIB - 1, MIB]) {
        assert.equal(await peer.request("py.size", new Uint8Array(size)), size);
        assert.equal((await snake.does({ do: "request", subject: "ts.size", size })).value, size);
        assert.equal((await peer.request<Uint8Array>("py.make", size)).length, size);
      }
      await assert.rejects(peer.request("py.size", new Uint8Array(MIB + 1)), tooLarge);
      await assert.rejects(peer.request("py.make", MIB + 1), tooLarge);
      const { error } = await snake.does({ do: "request", subject: "ts.size", size: MIB + 1 });
      assert.equal(error?.reason, "TOO_LARGE");
    });

    it("has 200 requests under way at a time, in both directions", async () => {
      const asked = Array.from({ length: 200 }, (_, index) => peer.request("py.together", index));
      assert.deepEqual(new Set(await Promise.all(asked)), new Set([200]));
      const service = await peer.serve("ts.together", together(200), { concurrency: 200 });
      const { value } = await snake.does({ do: "many", subject: "ts.together", count: 200 });
      assert.deepEqual(value, new Array(200).fill(200));
      await service.close();
    });

    it("fails what a killed Python worker held as WORKER_LOST", async () => {
      await using doomed = await PythonPeer.start(hub.urls[0]!);
      const from = [snake.said.length, doomed.said.length];
      const held = ["a", "b"].map((value) => peer.request("py.stuck", value));
      const outcomes = Promise.allSettled(held);
      // Both serve the subject, and each holds one of the two: the hub gives a request to the least loaded.
      await snake.hears(({ event }) => event === "stuck", 1, from[0]);
      const [stuck] = await doomed.hears(({ event }) => event === "stuck", 1, from[1]);
      await doomed.kill();
      const lost = held[stuck?.value === "a" ? 0 : 1]!;
      await assert.rejects(lost, refusal("unavailable", "WORKER_LOST"));
      await snake.kill();
      await outcomes;
      await assert.rejects(peer.request("py.echo"), refusal("unavailable", "NO_RESPONDERS", true));
      snake = await PythonPeer.start(hub.urls[0]!);
    });
  });
}

describe("a hub that is killed under Python", () => {
  const hubs: ChildProcess[] = [];

  async function startHub(url: string): Promise<string> {
    const hub = fork(HUB, [url]);
    hubs.push(hub);
    const [at] = (await once(hub, "message")) as [string];
    return at;
  }

  async function killHub(): Promise<void> {
    const hub = hubs.pop();
    if (hub === undefined) return;
    hub.kill("SIGKILL");
    await once(hub, "exit");
  }

  after(killHub);

  it("fails what was under way, and both directions work again when it is back", async () => {
    const url = await startHub("tcp://127.0.0.1:0");
    let back = defer<void>();
    const peer = await connect(url, { onState: (state) => state === "connected" && back.resolve() });
    await serve(peer);
    await using snake = await PythonPeer.start(url);
    back = defer<void>();
    const from = snake.said.length;
    const caught = snake.does({ do: "request", subject: "py.stuck" });
    await snake.hears(({ event }) => event === "stuck", 1, from);

    await killHub();
    assert.equal((await caught).error?.reason, "CONNECTION_LOST");
    await snake.hears(({ event, why }) => event === "stopped" && why === "CONNECTION_LOST", 1, from);
    const meanwhile = await snake.does({ do: "request", subject: "ts.echo", value: 1 });
    assert.deepEqual([meanwhile.error?.reason, meanwhile.error?.retryable], ["NOT_CONNECTED", true]);

    await startHub(url);
    const begun = performance.now();
    await Promise.all([back.promise, snake.hears(({ event }) => event === "connected", 1, from)]);
    assert(performance.now() - begun < 2_000, "took too long to be back");
    // A session's frames are acted on in order: who is answered by himself has registered.
    assert.equal(await peer.request("ts.echo", "self"), "self");
    assert.equal((await snake.does({ do: "request", subject: "py.echo", value: "self" })).value, "self");

    assert.equal(await peer.request("py.echo", "over"), "over");
    assert.equal((await snake.does({ do: "request", subject: "ts.echo", value: "back" })).value, "back");
    await peer.publish("py.news.back", "again");
    await snake.hears(({ event, value }) => event === "heard" && value === "again", 1, from);
    await peer.close();
  });
});

describe("Python and the hub", () => {
  it("keeps to the limits of its greeting", async () => {
    const limits = { payload: 1_000, bindings: 4, registrations: 10 };
    await using hub = await createHub({ http: false, listen: ["tcp://127.0.0.1:0"], limits });
    await using snake = await PythonPeer.start(hub.urls[0]!);
    await serve(hub);
    const { error } = await snake.does({ do: "request", subject: "ts.size", size: 1_001 });
    assert.equal(error?.reason, "TOO_LARGE");
    assert.equal((await snake.does({ do: "request", subject: "ts.size", size: 1_000 })).value, 1_000);

    // Ten services and subscriptions are its own: one more is refused, and the session goes on.
    const refused = await snake.does({ do: "serve", subject: "one.more" });
    assert.equal(refused.error?.reason, "TOO_MANY");

    const values = Array.from({ length: 40 }, (_, index) => index % 8);
    const heard: unknown[] = [];
    const all = defer<void>();
    await hub.subscribe("num.*", (value, { subject }) => {
      assert.equal(subject, `num.${String(value)}`);
      if (heard.push(value) === values.length) all.resolve();
    });
    await snake.does({ do: "publish each", subject: "num", values });
    await all.promise;
    assert.deepEqual(heard, values);
    assert.equal(snake.said.filter(({ event }) => event === "connected").length, 1);
  });

  it("is told what it has missed, by subject", async () => {
    await using hub = await createHub({ http: false, listen: ["tcp://127.0.0.1:0"] });
    await using snake = await PythonPeer.start(hub.urls[0]!);
    await hub.publish("py.news.large", new Uint8Array(MIB + 1)); // more than Python takes
    await hub.publish("py.news.large", "small");
    await snake.hears(({ value }) => value === "small");
    assert.equal((await snake.does({ do: "dropped", pattern: "py.news.>" })).value, 1);
    assert.equal((await snake.does({ do: "dropped", pattern: "py.*.tick" })).value, 0);
  });

  it("keeps the newest for a Python that stands still, if it asked for that", async () => {
    const limits = { sessionBuffer: 65_536, heartbeat: 60_000 };
    await using hub = await createHub({ http: false, listen: ["tcp://127.0.0.1:0"], limits });
    await using snake = await PythonPeer.start(hub.urls[0]!);
    await snake.does({ do: "subscribe", pattern: "ticks", overflow: "drop-oldest" });
    snake.child.kill("SIGSTOP");
    let count = 0;
    while (hub.stats().droppedOldest < 10) {
      await hub.publish("ticks", "x".repeat(8_192) + String(++count));
      await new Promise((resolve) => setImmediate(resolve));
    }
    snake.child.kill("SIGCONT");
    const last = (value: unknown): number => Number(String(value).slice(8_192));
    await snake.hears(({ event, value }) => event === "heard" && last(value) === count);
    const values = snake.said.filter(({ event }) => event === "heard").map(({ value }) => last(value));
    assert.deepEqual(
      values,
      values.toSorted((a, b) => a - b),
    );
    const { value: dropped } = await snake.does({ do: "dropped", pattern: "ticks" });
    assert.equal(dropped, hub.stats().droppedOldest);
    assert.equal(values.length + dropped, count);
  });

  it("and its iterations keep to their policies when they fall behind", async () => {
    await using hub = await createHub({ http: false, listen: ["tcp://127.0.0.1:0"] });
    await using snake = await PythonPeer.start(hub.urls[0]!);
    const kept = 65_536;
    const expected = {
      "drop-newest": [0, kept - 1, kept, 10, "read"],
      "drop-oldest": [10, kept + 9, kept, 10, "read"],
      disconnect: [0, kept - 1, kept, 0, "SLOW_CONSUMER"],
    };
    for (const [overflow, values] of Object.entries(expected)) {
      await snake.does({ do: "keep", pattern: overflow, overflow });
      for (let index = 0; index < kept + 10; index++) await hub.publish(overflow, index);
      await hub.publish("py.news.end", overflow);
      await snake.hears(({ event, value }) => event === "heard" && value === overflow);
      const last = overflow === "disconnect" ? null : values[1];
      assert.deepEqual((await snake.does({ do: "read", pattern: overflow, last })).value, values);
    }
  });

  it("when it drains: sends nothing new, and what is under way ends", async () => {
    const hub = await createHub({ http: false, listen: ["tcp://127.0.0.1:0"] });
    await using snake = await PythonPeer.start(hub.urls[0]!);
    const begun = defer<void>();
    const finish = defer<string>();
    await hub.serve("ts.slow", () => {
      begun.resolve();
      return finish.promise;
    });
    const slow = snake.does({ do: "request", subject: "ts.slow" });
    await begun.promise;
    const drained = hub.drain();
    const { error } = await snake.does({ do: "request", subject: "ts.slow" });
    assert.deepEqual([error?.reason, error?.retryable], ["DRAINING", true]);
    finish.resolve("in time");
    assert.equal((await slow).value, "in time");
    await drained;
    await snake.hears(({ event, why }) => event === "connecting" && why === "DRAINING");
  });

  it("and notices its silence, and answers its pings", async () => {
    const limits = { heartbeat: 50, heartbeatTimeout: 2_000 };
    await using busy = await createHub({ http: false, listen: ["tcp://127.0.0.1:0"], limits });
    await using quiet = await PythonPeer.start(busy.urls[0]!, 60);

    const hub = fork(HUB, ["tcp://127.0.0.1:0"]);
    try {
      const [url] = (await once(hub, "message")) as [string];
      await using snake = await PythonPeer.start(url, 0.1);
      hub.kill("SIGSTOP");
      await snake.hears(({ event, why }) => event === "connecting" && why === "HEARTBEAT_LOST");
      const from = snake.said.length;
      hub.kill("SIGCONT");
      await snake.hears(({ event }) => event === "connected", 1, from);
    } finally {
      hub.kill("SIGKILL");
    }
    assert.equal(busy.stats().sessions, 1);
    assert.equal(quiet.said.filter(({ event }) => event === "connecting").length, 0);
  });

  it("when it takes a service back: nobody serves the subject any more", async () => {
    await using hub = await createHub({ http: false, listen: ["tcp://127.0.0.1:0"] });
    await using snake = await PythonPeer.start(hub.urls[0]!);
    assert.equal((await snake.does({ do: "serve", subject: "for.now" })).value, "closed");
    await assert.rejects(hub.request("for.now"), refusal("unavailable", "NO_RESPONDERS", true));
  });
});

/** Says why the signal fired when it does, and ends the handler. */
function untilAborted(signal: AbortSignal, told: (reason: string) => void): Promise<void> {
  return new Promise((resolve) => {
    signal.addEventListener("abort", () => {
      told((signal.reason as LintelError).reason);
      resolve();
    });
  });
}
