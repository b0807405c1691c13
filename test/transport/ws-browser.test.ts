/** The transport of browsers, here on the interface of the platform's WebSocket as `ws` has it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { WebSocket } from "ws";
import { ByteEnd } from "../../src/testing/byte-end.ts";
import { createBrowserTransport } from "../../src/transport/ws-browser.ts";
import { MAX_MESSAGE } from "../../src/transport/ws-limits.ts";
import type { Transport } from "../../src/transport/transport.ts";
import { ws } from "../../src/transport/ws/transport.ts";

const page: Transport = createBrowserTransport("ws", WebSocket);

async function withPair(
  run: (dialed: ByteEnd, accepted: ByteEnd) => Promise<void>,
  transport: Transport = page,
): Promise<void> {
  let accepted: ByteEnd | undefined;
  const listener = await ws.listen("ws://127.0.0.1:0", (connection) => {
    accepted = new ByteEnd(connection);
  });
  const dialed = new ByteEnd(await transport.dial(listener.url));
  try {
    await run(dialed, accepted!);
  } finally {
    accepted!.connection.abort();
    await listener.close();
  }
}

test("bytes go both ways, longer ones than a message too, and the buffer may be reused", async () => {
  await withPair(async (dialed, accepted) => {
    const buffer = Buffer.alloc(1_000);
    for (let index = 0; index < 100; index++) {
      buffer.fill(index);
      if (!dialed.connection.send(buffer)) await dialed.drain();
    }
    await accepted.until(() => accepted.length === 100_000);
    for (let index = 0; index < 100; index++) assert.equal(accepted.bytes()[index * 1_000 + 500], index);
    const long = Buffer.alloc(MAX_MESSAGE + 1, 7);
    if (!dialed.connection.send(long)) await dialed.drain();
    await accepted.until(() => accepted.length === 100_000 + long.length);
    if (!accepted.connection.send(long)) await accepted.drain();
    await dialed.until(() => dialed.length === long.length);
  });
});

/** A WebSocket of which a test says how much is under way. */
class Slow extends WebSocket {
  static underWay = 0;

  constructor(url: string, protocols: string[]) {
    super(url, protocols);
    Object.defineProperty(this, "bufferedAmount", { get: () => Slow.underWay });
  }
}

test("`send` says false while much is under way, and `drained` follows when it is gone", async () => {
  await withPair(
    async (dialed) => {
      assert.equal(dialed.connection.send(Buffer.alloc(10)), true);
      Slow.underWay = 1_000_000;
      assert.equal(dialed.connection.send(Buffer.alloc(10)), false);
      assert.equal(dialed.drainedCount, 0);
      Slow.underWay = 0;
      await dialed.drain();
      assert.deepEqual([dialed.drainedCount, dialed.closedCount], [1, 0]);
    },
    createBrowserTransport("ws", Slow),
  );
});

test("a page whose timers stand still learns from what arrives that it may go on", async (t) => {
  await withPair(
    async (dialed, accepted) => {
      t.mock.timers.enable({ apis: ["setTimeout"] });
      Slow.underWay = 1_000_000;
      assert.equal(dialed.connection.send(Buffer.alloc(10)), false);
      accepted.connection.send(Buffer.from("a"));
      await dialed.until(() => dialed.length === 1);
      assert.equal(dialed.drainedCount, 0);
      Slow.underWay = 0;
      accepted.connection.send(Buffer.from("b"));
      await dialed.until(() => dialed.length === 2);
      t.mock.timers.reset();
      assert.equal(dialed.drainedCount, 1);
    },
    createBrowserTransport("ws", Slow),
  );
});

test("either end may close; both hear of it once, and later sends go nowhere", async () => {
  for (const end of ["dialed", "accepted"] as const) {
    await withPair(async (dialed, accepted) => {
      const { connection } = end === "dialed" ? dialed : accepted;
      connection.send(Buffer.from("bye"));
      connection.close();
      connection.close();
      await Promise.all([dialed.over(), accepted.over()]);
      assert.equal((end === "dialed" ? accepted : dialed).bytes().toString(), "bye");
      assert.equal(dialed.connection.send(Buffer.alloc(10)), true);
      assert.deepEqual([dialed.closedCount, accepted.closedCount, dialed.error], [1, 1, undefined]);
    });
  }
});

test("`abort` ends this end at once, whatever the other does", async () => {
  await withPair(async (dialed, accepted) => {
    dialed.connection.abort();
    await dialed.over();
    await accepted.over();
    assert.equal(dialed.closedCount, 1);
  });
});

test("an end that breaks off is an error", async () => {
  await withPair(async (dialed, accepted) => {
    accepted.connection.abort();
    await dialed.over();
    assert.match(String(dialed.error), /without a WebSocket close/);
  });
});

test("what cannot be dialed rejects", async () => {
  const listener = await ws.listen("ws://127.0.0.1:0/lintel", (connection) => void new ByteEnd(connection));
  await assert.rejects(page.dial(listener.url.replace("lintel", "other")), /no WebSocket to ws:/);
  await assert.rejects(page.dial(listener.url, { signal: AbortSignal.abort() }), /aborted/);
  await assert.rejects(page.dial("wss://h"), TypeError);
  await assert.rejects(page.dial(listener.url, { tls: {} }), /does not support the option "tls"/);
  await assert.rejects(
    page.listen("ws://127.0.0.1:0", () => undefined),
    /in a browser/,
  );
  await listener.close();
});

const platform = (globalThis as { WebSocket?: unknown }).WebSocket;
test(
  "the platform's own WebSocket will do",
  { skip: platform === undefined && "this Node has none" },
  async () => {
    await withPair(async (dialed, accepted) => {
      dialed.connection.send(Buffer.from("hello"));
      await accepted.until(() => accepted.length === 5);
      accepted.connection.send(Buffer.from("hello back"));
      await dialed.until(() => dialed.length === 10);
    }, createBrowserTransport("ws"));
  },
);
