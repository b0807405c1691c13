/** The client in interop/python and a hub that has limits, falls silent, drains, or is killed. */
import assert from "node:assert/strict";
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { createHub } from "../../src/hub/hub.ts";
import { connect } from "../../src/peer/connect.ts";
import { defer } from "../cli/cli-process.ts";
import { provide } from "../house/provide.ts";
import { PythonPeer } from "./python-peer.ts";
import { MIB, refusal, serve } from "./typescript-side.ts";

const HUB = fileURLToPath(new URL("./hub-process.js", import.meta.url));

before(() => provide("python3"));

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
    await Promise.all([back.promise, snake.hears(({ event }) => event === "connected", 1, from)]);
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

  it("takes large answers in numbers: they wait in Python until there is room", async () => {
    await using hub = await createHub({ http: false, listen: ["tcp://127.0.0.1:0"] });
    await using snake = await PythonPeer.start(hub.urls[0]!);
    const answers = Array.from({ length: 40 }, () => hub.request<Uint8Array>("py.make", 1_000_000));
    const sizes = new Set((await Promise.all(answers)).map(({ length }) => length));
    assert.deepEqual([...sizes], [1_000_000]);
    assert.equal(snake.said.filter(({ event }) => event === "connecting").length, 0);
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
