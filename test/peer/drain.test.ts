/** drain() beside streams that are open: those that nobody reads do not hold it up, at whichever place it is called. */
import assert from "node:assert/strict";
import { createServer, connect as connectTcp, type Server, type Socket } from "node:net";
import { Duplex, Readable } from "node:stream";
import { after, before, describe, test } from "node:test";
import type { Attachment } from "../../src/peer/stream/attachment.ts";
import type { Channel } from "../../src/peer/stream/channel.ts";
import { attachment, connect, createHub, type Hub, type Peer } from "../../src/index.ts";

/** How long streams may take to end by themselves: longer than any test. */
const GRACE_MS = 3_600_000;

/** On a bypass the sender does not see how far its reader is. */
const STOPPED = "an answer whose reader has stopped";

interface Endpoints {
  readonly worker: Peer;
  readonly caller: Peer;
  /** What must not be collected meanwhile. */
  readonly kept: unknown[];
}

/** Sends more than every stream begins with, and never ends. */
function endless(): Readable {
  return new Readable({
    read() {
      this.push(Buffer.alloc(4_096, 65));
    },
  });
}

const keeping = ({ kept, worker }: Endpoints): Promise<unknown> =>
  worker.serve("s", (value) => {
    kept.push(value);
    return 1;
  });

let target: Server;

before(async () => {
  target = createServer((socket) => socket.on("error", () => undefined));
  target.listen(0, "127.0.0.1");
  await new Promise((resolve) => target.once("listening", resolve));
});
after(() => void target.close());

const STATES: Readonly<Record<string, (ends: Endpoints) => Promise<unknown>>> = {
  "a request's stream, unread": async (ends) => {
    await keeping(ends);
    await ends.caller.request("s", endless());
  },
  "a request's values, unread": async (ends) => {
    await keeping(ends);
    const values = async function* (): AsyncGenerator<number> {
      for (let n = 0; ; n++) yield await Promise.resolve(n);
    };
    await ends.caller.request("s", { values: values() });
  },
  "an answer, unread": async ({ worker, caller, kept }) => {
    await worker.serve("s", () => endless());
    kept.push(await caller.request("s"));
  },
  "an answer that is full: true, unread": async ({ worker, caller, kept }) => {
    await worker.serve("s", () => ({ stream: endless() }));
    kept.push(await caller.request("s", 1, { full: true }));
  },
  [STOPPED]: async ({ worker, caller, kept }) => {
    await worker.serve("s", () => endless());
    const reader = (await caller.request<ReadableStream<Uint8Array>>("s")).getReader();
    kept.push(reader);
    await reader.read();
  },
  "an answer that was canceled": async ({ worker, caller }) => {
    await worker.serve("s", () => endless());
    await (await caller.request<ReadableStream>("s")).cancel();
  },
  "a stream to write to, to which nobody writes": async (ends) => {
    await keeping(ends);
    await ends.caller.request("s", new WritableStream());
  },
  "a duplex stream that nobody uses": async (ends) => {
    await keeping(ends);
    const duplex = new Duplex({ read: () => undefined, write: (_chunk, _encoding, done) => done() });
    await ends.caller.request("s", duplex);
  },
  "a channel whose handler has returned": async ({ worker, caller, kept }) => {
    await worker.serve("s", (_value, context) => void context.accept());
    kept.push(await caller.open("s"));
  },
  "a channel whose handler has read, and returned": async ({ worker, caller, kept }) => {
    await worker.serve("s", async (_value, context) => void (await context.accept().receive()));
    const channel = await caller.open("s");
    kept.push(channel);
    await channel.send(1);
    await channel.receive();
  },
  "a channel that nobody uses": async ({ worker, caller, kept }) => {
    await worker.serve("s", (_value, context) => {
      kept.push(context.accept());
      return new Promise(() => undefined);
    });
    kept.push(await caller.open("s"));
  },
  "a channel that only one end uses": async ({ worker, caller, kept }) => {
    await worker.serve("s", (_value, context) => {
      kept.push(context.accept());
      return new Promise(() => undefined);
    });
    const channel = await caller.open("s");
    kept.push(channel);
    void channel.send("nobody reads it");
  },
  "a channel in a value": async (ends) => {
    await keeping(ends);
    const [near, far] = ends.caller.createChannel();
    await ends.caller.request("s", { far });
    ends.kept.push(near);
    void near.send("nobody reads it");
  },
  "a channel in a message on a channel": async ({ worker, caller, kept }) => {
    await worker.serve("s", async (_value, context) => {
      const channel = context.accept();
      kept.push(channel, (await channel.receive()).value);
      channel.close();
      await channel.receive();
    });
    const channel = await caller.open("s");
    const [near, far] = caller.createChannel();
    await channel.send([far]);
    kept.push(near);
    channel.close();
    await channel.receive();
  },
  "a channel that went nowhere": async ({ caller, kept }) => {
    const [near, far] = caller.createChannel();
    kept.push(near, far);
    void near.send(1);
    await Promise.resolve();
  },
  "an attachment that nobody takes": async (ends) => {
    await keeping(ends);
    await ends.caller.request("s", attachment(await dialed(), { fallback: "stream" }));
  },
  "an attachment that was taken and is not read": async ({ worker, caller, kept }) => {
    await worker.serve("s", async (value) => {
      const taken = await (value as Attachment).take<Duplex>();
      taken.on("error", () => undefined);
      kept.push(taken);
    });
    await caller.request("s", attachment(await dialed(), { fallback: "stream" }));
  },
  "a stream whose other end has left": async ({ worker, caller, kept }) => {
    await worker.serve("s", () => endless());
    const reader = (await caller.request<ReadableStream<Uint8Array>>("s")).getReader();
    kept.push(reader);
    await reader.read();
    await worker.close();
  },
  "a channel whose other end has left": async ({ worker, caller, kept }) => {
    await worker.serve("s", (_value, context) => {
      kept.push(context.accept());
      return new Promise(() => undefined);
    });
    const channel: Channel = await caller.open("s");
    kept.push(channel);
    void channel.send(1);
    await worker.close();
  },
};

function dialed(): Promise<Socket> {
  const socket = connectTcp((target.address() as { port: number }).port, "127.0.0.1");
  return new Promise((resolve) => socket.once("connect", () => resolve(socket)));
}

const PLACES = ["caller", "worker", "hub", "a caller in the hub"] as const;

async function drains(
  url: string,
  place: (typeof PLACES)[number],
  state: (ends: Endpoints) => Promise<unknown>,
): Promise<void> {
  const onError = (): void => undefined;
  const hub: Hub = await createHub({ http: false, listen: [url], onError });
  const worker = await connect(hub.urls[0]!, { onError });
  const dialing = await connect(hub.urls[0]!, { onError });
  const caller = place === "a caller in the hub" ? hub : dialing;
  const kept: unknown[] = [];
  await state({ worker, caller, kept });
  await { caller, worker, hub, "a caller in the hub": hub }[place].drain({ streamGraceMs: GRACE_MS });
  await Promise.all([worker.close(), dialing.close()]);
  await hub.close();
  assert.ok(Array.isArray(kept));
}

const WAITS: Readonly<Record<string, (ends: Endpoints) => Promise<() => Promise<unknown>>>> = {
  "an answer that is read, and comes slowly": async ({ worker, caller }) => {
    await worker.serve("s", async function* () {
      for (let n = 0; n < 2; n++) {
        await new Promise((resolve) => setTimeout(resolve, 600));
        yield n;
      }
    });
    const answer = await caller.request<ReadableStream<number>>("s");
    const got: number[] = [];
    const all = (async () => {
      for await (const n of answer) got.push(n);
    })();
    return async () => {
      await all;
      assert.deepEqual(got, [0, 1]);
    };
  },
  "a channel whose caller has ended its half and waits for results": async ({ worker, caller }) => {
    await worker.serve("s", async (_value, context) => {
      const channel = context.accept();
      let sum = 0;
      for await (const n of channel) sum += Number(n);
      await new Promise((resolve) => setTimeout(resolve, 700));
      await channel.send(sum);
    });
    const channel = await caller.open("s");
    for (let n = 1; n <= 3; n++) await channel.send(n);
    channel.close();
    const sum = channel.receive();
    return async () => assert.deepEqual(await sum, { done: false, value: 6 });
  },
  "a stream of a request that is read slowly": async ({ worker, caller }) => {
    let bytes = 0;
    let isRead: () => void;
    const read = new Promise<void>((resolve) => (isRead = resolve));
    await worker.serve("s", (stream) => {
      void (async () => {
        for await (const chunk of stream as ReadableStream<Uint8Array>) {
          bytes += chunk.length;
          await new Promise((resolve) => setTimeout(resolve, 100));
        }
        isRead();
      })();
    });
    const chunks = Array.from({ length: 8 }, () => Buffer.alloc(10_000));
    await caller.request("s", Readable.from(chunks));
    return async () => {
      await read;
      assert.equal(bytes, 80_000);
    };
  },
};

/** Most of the time of these tests is waiting. */
describe("drain()", { concurrency: 8 }, () => {
  for (const url of ["tcp://127.0.0.1:0", "h2c://127.0.0.1:0/lintel"]) {
    for (const [name, state] of Object.entries(STATES)) {
      for (const place of PLACES) {
        const isOther = url.startsWith("h2c");
        if (isOther && (!name.startsWith("an answer") || (name === STOPPED && place === "worker"))) continue;
        test(`over ${url.slice(0, url.indexOf(":"))}, it does not wait for ${name}: ${place}`, () =>
          drains(url, place, state));
      }
    }
  }
  for (const [name, begin] of Object.entries(WAITS)) {
    for (const place of ["caller", "worker", "hub"] as const) {
      test(`it waits for ${name}: ${place}`, async () => {
        const hub = await createHub({ http: false, listen: ["tcp://127.0.0.1:0"] });
        const [worker, caller] = await Promise.all([connect(hub.urls[0]!), connect(hub.urls[0]!)]);
        const ended = await begin({ worker, caller, kept: [] });
        await { caller, worker, hub }[place].drain();
        await ended();
        await Promise.all([worker.close(), caller.close(), hub.close()]);
      });
    }
  }
});
