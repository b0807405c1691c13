/** Calls that are made without waiting for them: none of them ends the process, whatever has ended before. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { Channel } from "../../src/peer/stream/channel.ts";
import type { Service, Subscription } from "../../src/peer/peer.ts";
import { LintelError, connect, createHub, type Hub, type Peer } from "../../src/index.ts";

const folder = mkdtempSync(join(tmpdir(), "lintel-forget-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const URLS = [
  "tcp://127.0.0.1:0",
  "memory:fire-and-forget",
  "ws://127.0.0.1:0",
  "h2c://127.0.0.1:0/lintel",
  "http1://127.0.0.1:0",
  `unix://${join(folder, "hub.sock")}`,
];

interface Site {
  readonly hub: Hub;
  readonly worker: Peer;
  readonly caller: Peer;
  /** The ends of a channel that is open, at the caller and at the worker. */
  readonly near: Channel;
  readonly far: Channel;
  /** At the worker; the caller has the other end. */
  readonly writable: WritableStream<Uint8Array>;
  readonly service: Service;
  readonly subscription: Subscription;
  readonly errors: string[];
}

async function site(url: string): Promise<Site> {
  const errors: string[] = [];
  const onError = (error: unknown, where: string): void => {
    errors.push(`${where}: ${(error as LintelError).reason}`);
  };
  const hub = await createHub({ http: false, listen: [url], onError });
  const [worker, caller] = [
    await connect(hub.urls[0]!, { onError }),
    await connect(hub.urls[0]!, { onError }),
  ];
  let far: Channel | undefined;
  let writable: WritableStream<Uint8Array> | undefined;
  const service = await worker.serve("channel", (_value, context) => {
    far = context.accept();
    return new Promise(() => undefined);
  });
  await worker.serve("take", (value) => {
    writable = value as WritableStream<Uint8Array>;
  });
  const subscription = await caller.subscribe("news", () => undefined);
  const near = await caller.open("channel");
  await caller.request("take", new WritableStream());
  return { hub, worker, caller, near, far: far!, writable: writable!, service, subscription, errors };
}

async function turns(): Promise<void> {
  for (let turn = 0; turn < 30; turn++) await new Promise((resolve) => setImmediate(resolve));
}

const LARGE = "x".repeat(10_000);

/** What has happened before the call. */
const STATES: Readonly<Record<string, (site: Site) => unknown>> = {
  "all is open": () => undefined,
  "the other end has aborted": ({ far }) => far.abort(),
  "the other end has closed": ({ far }) => far.close(),
  "this end has closed": ({ near }) => near.close(),
  "this end has aborted": ({ near }) => near.abort(),
  "the worker has closed": ({ worker }) => worker.close(),
  "the hub has closed": ({ hub }) => hub.close(),
  "the caller has closed": ({ caller }) => caller.close(),
};

function sendMuch(channel: Channel): void {
  for (let n = 0; n < 20; n++) void channel.send(LARGE); // more than the other end takes without a reader
}

const CALLS: Readonly<Record<string, (site: Site) => unknown>> = {
  "send()": ({ near, far }) => {
    sendMuch(near);
    sendMuch(far);
  },
  "send(), then the other end aborts": ({ near, far }) => {
    sendMuch(near);
    far.abort();
  },
  "send(), then the caller closes": ({ near, caller }) => {
    sendMuch(near);
    void caller.close();
  },
  "send(), then the worker closes": ({ near, worker }) => {
    sendMuch(near);
    void worker.close();
  },
  "send() of what cannot be sent": ({ near }) => {
    void near.send(1n);
    void near.send("text", { headers: { "no name": "value" } });
    void near.send("x".repeat(2_000_000));
  },
  "receive()": ({ near, far }) => {
    void near.receive();
    void near.receive();
    void far.receive();
  },
  "close() and abort()": ({ near, far }) => {
    near.close();
    near.close();
    near.abort();
    near.abort();
    far.close();
    void near.send("after");
    void far.send("after");
  },
  "closed, of everything": ({ near, far, service, subscription }) => {
    void Promise.resolve([near.closed, far.closed, service.closed, subscription.closed]);
  },
  "await using": ({ near, service, subscription, caller }) => {
    void near[Symbol.asyncDispose]();
    void service[Symbol.asyncDispose]();
    void subscription[Symbol.asyncDispose]();
    void caller[Symbol.asyncDispose]();
  },
  "publish()": ({ caller }) => {
    try {
      for (let n = 0; n < 100; n++) void caller.publish("news", "x".repeat(100_000));
    } catch (error) {
      assert.ok(error instanceof LintelError); // it says at once that it was not sent
    }
  },
  "close() of peers and of the hub": ({ caller, worker, hub }) => {
    for (const peer of [caller, worker, hub, caller]) void peer.close();
  },
  "drain() of peers and of the hub": ({ caller, worker, hub }) => {
    for (const peer of [caller, worker, hub, caller]) void peer.drain({ streamGraceMs: 5 });
  },
  "close() of a service and of a subscription": ({ service, subscription }) => {
    for (const one of [service, subscription, service]) void one.close();
  },
  "write() and close() of a writer": ({ writable }) => {
    const writer = writable.getWriter();
    for (let n = 0; n < 3; n++) void writer.write(new Uint8Array(100_000));
    void writer.close();
    void writer.close();
  },
  "write() and abort() of a writer": ({ writable }) => {
    const writer = writable.getWriter();
    void writer.write(new Uint8Array(100_000));
    void writer.abort();
  },
};

for (const url of URLS) {
  const scheme = url.slice(0, url.indexOf(":"));
  test(`${scheme}: calls that nobody waits for do not end the process`, async (context) => {
    const unhandled: unknown[] = [];
    const note = (error: unknown): void => void unhandled.push(error);
    process.on("unhandledRejection", note);
    context.after(() => process.off("unhandledRejection", note));
    for (const [state, into] of Object.entries(STATES)) {
      for (const [name, call] of Object.entries(CALLS)) {
        const isShort = url !== URLS[0];
        if (isShort && (!state.startsWith("the ") || !/^(send\(\)|write)/.test(name))) continue;
        const one = await site(url);
        await into(one);
        await turns();
        call(one);
        await turns();
        await Promise.all([one.worker.close(), one.caller.close()]);
        await one.hub.close();
        await turns();
        assert.deepEqual(unhandled, [], `${name}, when ${state}`);
      }
    }
  });
}

test("whoever waits for a call that fails is told, and then nobody else", async () => {
  const one = await site(URLS[0]!);
  await assert.rejects(one.near.send(1n), { reason: "BAD_PAYLOAD" });
  await assert.rejects(one.near.send("text", { headers: { "no name": "value" } }), { reason: "BAD_HEADER" });
  await one.near.send(1n).catch(() => undefined);
  await Promise.allSettled([one.near.send(1n)]);
  assert.equal(await one.near.send("good"), undefined);
  assert.deepEqual(await one.far.receive(), { done: false, value: "good" });
  one.far.abort(new LintelError("aborted", "enough", { reason: "ENOUGH" }));
  await assert.rejects(one.near.receive(), { reason: "ENOUGH" });
  await assert.rejects(one.near.closed, { reason: "ENOUGH" });
  await assert.rejects(one.near.send("late"), { reason: "ENOUGH" });
  assert.deepEqual(one.errors, []);
  await Promise.all([one.worker.close(), one.caller.close(), one.hub.close()]);
});

test("onError is told of values that were not sent, when nobody waits for them", async () => {
  const one = await site(URLS[0]!);
  void one.near.send(1n);
  const sends = Array.from({ length: 1_100 }, () => void one.near.send(LARGE)).length;
  await turns();
  assert.equal(sends, 1_100);
  assert.equal(one.errors[0], "send() on a channel: BAD_PAYLOAD");
  assert.ok(one.errors.slice(1).every((text) => text === "send() on a channel: SLOW_CONSUMER"));
  assert.ok(one.errors.length > 50, `${one.errors.length} were told of`);
  one.errors.length = 0;
  one.far.abort();
  await turns();
  void one.near.send("after");
  await turns();
  assert.deepEqual(one.errors, []); // `closed` says it
  await Promise.all([one.worker.close(), one.caller.close(), one.hub.close()]);
});
