/** `lintel/client` in Node, by the name under which programs import it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createKey, sha256Of } from "../../src/access/keys/key.ts";
import { createHub } from "../../src/hub/hub.ts";
import * as index from "../../src/index.ts";
import * as page from "../../src/client/browser.ts";
import * as node from "../../src/client/node.ts";
import { refusalOf } from "../house/refusal.ts";

const NAME = "lintel/client";

test("Node gets the client that has Node's WebSocket", async () => {
  const found = (await import(NAME)) as typeof node;
  assert.match(import.meta.resolve(NAME), /\/dist\/client\/node\.js$/);
  assert.deepEqual(Object.keys(found), Object.keys(page));
});

test("it asks, serves and says why it was refused", async () => {
  await using hub = await createHub({ http: false, listen: ["ws://127.0.0.1:0/lintel"] });
  await using peer = await node.connect(hub.urls[0]!, { codec: await node.msgpack() });
  await using asking = await index.connect(hub.urls[0]!, { codecs: [await node.msgpack()] });
  await peer.serve("double", (value: number) => value * 2);
  assert.equal(await asking.request("double", 21), 42);
  const elsewhere = hub.urls[0]!.replace("lintel", "other");
  const { reason, message } = await refusalOf((timeoutMs) => node.connect(elsewhere, { timeoutMs }));
  assert.equal(reason, "NOT_CONNECTED");
  assert.match(message, /answered 404/);
});

test("it shows a key, or a token, and asks for it before each attempt to connect", async () => {
  const key = createKey();
  const access = { keys: [{ name: "page", role: "service", sha256: sha256Of(key) }] } as const;
  await using hub = await createHub({ http: false, listen: ["ws://127.0.0.1:0"], access });
  const [url] = hub.urls;
  for (const options of [{ key }, { key: () => key }, { token: () => Promise.resolve(key) }]) {
    await using peer = await node.connect(url!, options);
    await peer.publish("a", 1);
  }
  await assert.rejects(node.connect(url!), { code: "unauthenticated" });
  await assert.rejects(node.connect(url!, { key, token: key }), { code: "invalid_argument" });
  await assert.rejects(node.connect(url!, { key: `${key} ` }), (error: Error) => {
    assert.match(error.message, /key or token must be one string/);
    assert.ok(!error.message.includes(key));
    return true;
  });
});

test("a URL that is no WebSocket's is refused at once, in Node as in a browser", async () => {
  for (const { connect } of [page, node]) {
    await assert.rejects(connect("tcp://127.0.0.1:4500"), {
      name: "TypeError",
      message: '"tcp://127.0.0.1:4500" is not of the form ws://HOST:PORT/PATH or wss://HOST:PORT/PATH',
    });
    await assert.rejects(connect("ws://user@127.0.0.1"), TypeError);
  }
});

const platform = (globalThis as { WebSocket?: unknown }).WebSocket;
test(
  "the client of browsers serves in a Node that has a WebSocket",
  { skip: platform === undefined && "this Node has none" },
  async () => {
    await using hub = await createHub({ http: false, listen: ["ws://127.0.0.1:0/lintel"] });
    await using peer = await page.connect(hub.urls[0]!);
    await peer.serve("double", (value: number) => value * 2);
    assert.equal(await hub.request("double", 21), 42);
  },
);
