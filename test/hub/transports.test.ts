/** The same program over every transport: requests, publications, a lost worker, and a hub that goes and comes back. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { connect, createHub, type Hub, type Peer } from "../../src/index.ts";
import { createBrowserTransport } from "../../src/transport/ws-browser.ts";
import { TransportRegistry } from "../../src/transport/registry.ts";
import type { Transport } from "../../src/transport/transport.ts";
import { tls } from "../../src/transport/tls.ts";
import { ws, wss } from "../../src/transport/ws/transport.ts";
import { WebSocket } from "ws";
import { AUTHORITY, TRUSTING, pair, withCertificates } from "../transport/certificates.ts";
import { refusalOf } from "../house/refusal.ts";

/** Like a page that dials, in front of a hub that listens with Node. */
const page: Transport = {
  ...ws,
  dial: (url, options) => createBrowserTransport("ws", WebSocket).dial(url, options),
};

const CASES: readonly (readonly [name: string, transport: Transport, url: string])[] = [
  ["tls", withCertificates(tls), "tls://localhost:0"],
  ["ws", ws, "ws://127.0.0.1:0/lintel"],
  ["ws from a page", page, "ws://127.0.0.1:0/lintel"],
  ["wss", withCertificates(wss), "wss://localhost:0/lintel"],
];

function registryOf(transport: Transport): TransportRegistry {
  const transports = new TransportRegistry();
  transports.add(transport);
  return transports;
}

for (const [name, transport, url] of CASES) {
  const transports = registryOf(transport);
  const start = (at: string): Promise<Hub> => createHub({ http: false, listen: [at], transports });
  const join = (hub: Hub): Promise<Peer> => connect(hub.urls[0]!, { transports });

  describe(`a hub over ${name}`, () => {
    test("answers requests and spreads publications, small and large", async () => {
      const hub = await start(url);
      const [caller, worker] = await Promise.all([join(hub), join(hub)]);
      await worker.serve("echo", (value) => value);
      for (const size of [0, 1, 65_536, 1_000_000]) {
        const answer = await caller.request("echo", new Uint8Array(size).fill(size % 251));
        assert.deepEqual(answer, new Uint8Array(size).fill(size % 251));
      }
      const all = Promise.all(Array.from({ length: 500 }, (_, index) => caller.request("echo", index)));
      assert.deepEqual(
        await all,
        Array.from({ length: 500 }, (_, index) => index),
      );
      const heard: unknown[] = [];
      const done = new Promise<void>((resolve) => {
        void worker.subscribe("feed.*", (value) => {
          if (heard.push(value) === 300) resolve();
        });
      });
      await worker.request("echo", "subscribed");
      for (let index = 0; index < 300; index++) await caller.publish("feed.a", index);
      await done;
      assert.deepEqual(
        heard,
        Array.from({ length: 300 }, (_, index) => index),
      );
      await Promise.all([caller.close(), worker.close()]);
      await hub.close();
    });

    test("fails what a worker held when it is lost", async () => {
      const hub = await start(url);
      const [caller, worker] = await Promise.all([join(hub), join(hub)]);
      let entered: () => void = () => undefined;
      const began = new Promise<void>((resolve) => {
        entered = resolve;
      });
      await worker.serve("stuck", () => {
        entered();
        return new Promise(() => undefined);
      });
      const lost = assert.rejects(caller.request("stuck", 1), { reason: "WORKER_LOST" });
      await began;
      await worker.close();
      await lost;
      await caller.close();
      await hub.close();
    });

    test("is found again by its peers when it comes back, services and all", async () => {
      const first = await start(url);
      const [caller, worker] = await Promise.all([join(first), join(first)]);
      await worker.serve("echo", (value) => value);
      const at = first.urls[0]!;
      await first.close();
      const second = await start(at);
      let answer: unknown;
      while (answer === undefined) {
        answer = await caller.request("echo", "again").catch(() => undefined);
        await new Promise((resolve) => setImmediate(resolve));
      }
      assert.equal(answer, "again");
      await Promise.all([caller.close(), worker.close()]);
      await second.close();
    });
  });
}

test("a hub renews its certificates while sessions are open", async () => {
  const hub = await createHub({
    http: false,
    listen: [{ url: "tls://localhost:0", tls: pair("elsewhere") }, "ws://127.0.0.1:0"],
  });
  const [secure, plain] = hub.urls;
  const old = await connect(secure!, { tls: { ...TRUSTING, serverName: "hub.example" } });
  const refusal = await refusalOf((timeoutMs) => connect(secure!, { tls: TRUSTING, timeoutMs }));
  assert.match(refusal.message, /tls\.serverName/);
  hub.reloadTls(secure!, pair("server"));
  const renewed = await connect(secure!, { tls: TRUSTING });
  await old.serve("echo", (value) => value);
  assert.equal(await renewed.request("echo", "both"), "both");
  assert.throws(() => hub.reloadTls(plain!, pair("server")), TypeError);
  assert.throws(() => hub.reloadTls("tls://localhost:1", pair("server")), TypeError);
  await Promise.all([old.close(), renewed.close()]);
  await hub.close();
});

test("a hub lets in only clients with a certificate, and says so to others", async () => {
  const hub = await createHub({
    http: false,
    listen: [
      { url: "tls://localhost:0", tls: { ...pair("server"), ca: AUTHORITY, requireClientCert: true } },
      { url: "wss://localhost:0", tls: { ...pair("server"), ca: AUTHORITY, requireClientCert: true } },
    ],
  });
  for (const url of hub.urls) {
    const peer = await connect(url, { tls: { ...TRUSTING, ...pair("client") } });
    await peer.close();
    const refusal = await refusalOf((timeoutMs) => connect(url, { tls: TRUSTING, timeoutMs }));
    assert.match(refusal.message, /asks for a client certificate/);
  }
  await hub.close();
});

test("a hub that cannot be started keeps no session that came in meanwhile", async () => {
  const sessions: string[] = [];
  const transports = new TransportRegistry();
  let early: Peer | undefined;
  transports.add({
    ...ws,
    scheme: "late",
    listen: async () => {
      early = await connect("memory://early", { transports });
      throw new TypeError("nowhere to listen");
    },
  });
  const options = { listen: ["memory://early", "late://127.0.0.1"], transports };
  const onSession = (event: string): void => void sessions.push(event);
  await assert.rejects(createHub({ http: false, ...options, onSession }), /nowhere to listen/);
  assert.deepEqual(sessions, ["opened", "closed"]);
  await early?.close();
});
