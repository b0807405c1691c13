/** Hub and peers over HTTP/2 and over the HTTP/1 fallback: what a session promises holds there too. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, test } from "node:test";
import { createHub, type Hub } from "../../src/hub/hub.ts";
import { connect, type ConnectOptions } from "../../src/peer/connect.ts";
import type { Peer } from "../../src/peer/peer.ts";
import { TransportRegistry } from "../../src/transport/registry.ts";
import { bindBytes, helloBytes, publishBytes, subscribeBytes } from "../wire/frame-bytes.ts";
import { TRUSTING, pair } from "./certificates.ts";

const SCHEMES = [
  { scheme: "h2c", server: {}, client: {} },
  { scheme: "h2", server: { tls: pair("server") }, client: { tls: TRUSTING } },
  { scheme: "http1", server: {}, client: {} },
  { scheme: "http1s", server: { tls: pair("server") }, client: { tls: TRUSTING } },
] as const;

for (const { scheme, server, client } of SCHEMES) {
  const start = (url = `${scheme}://127.0.0.1:0/lintel`): Promise<Hub> =>
    createHub({ http: false, listen: [{ url, ...server }] });
  const join = (hub: Hub, options: ConnectOptions = {}): Promise<Peer> =>
    connect(hub.urls[0]!, { ...client, ...options });

  describe(`sessions over ${scheme}`, () => {
    test("requests are answered, small ones by the hundred and large ones", async () => {
      const hub = await start();
      const [caller, worker] = [await join(hub), await join(hub)];
      await worker.serve("echo", (value: unknown) => value);
      const answers = await Promise.all(Array.from({ length: 300 }, (_, n) => caller.request("echo", { n })));
      assert.deepEqual(
        answers,
        Array.from({ length: 300 }, (_, n) => ({ n })),
      );
      const large = "x".repeat(1_000_000);
      assert.equal(await caller.request("echo", large), large);
      await end(caller, worker, hub);
    });

    test("publications arrive in order", async () => {
      const hub = await start();
      const [publisher, subscriber] = [await join(hub), await join(hub)];
      const seen: unknown[] = [];
      let finish: () => void = () => undefined;
      const done = new Promise<void>((resolve) => {
        finish = resolve;
      });
      await subscriber.subscribe("news.*", (value) => {
        if (seen.push(value) === 1_000) finish();
      });
      for (let n = 0; n < 1_000; n++) await publisher.publish("news.day", n);
      await done;
      assert.deepEqual(
        seen,
        Array.from({ length: 1_000 }, (_, n) => n),
      );
      await end(publisher, subscriber, hub);
    });

    test("a worker that goes away while it has a request: the caller hears WORKER_LOST", async () => {
      const hub = await start();
      const [caller, worker] = [await join(hub), await join(hub)];
      let started: () => void = () => undefined;
      const begun = new Promise<void>((resolve) => {
        started = resolve;
      });
      await worker.serve("slow", async (_value, { signal }) => {
        started();
        await once(signal, "abort");
      });
      const call = assert.rejects(caller.request("slow", 1), { reason: "WORKER_LOST" });
      await begun;
      await worker.close();
      await call;
      await end(caller, hub);
    });

    test("a hub that comes back at the same place has its services back", async () => {
      const hub = await start();
      const url = hub.urls[0]!;
      let connected = 0;
      let returned: () => void = () => undefined;
      const back = new Promise<void>((resolve) => {
        returned = resolve;
      });
      const onState = (state: string): void => {
        if (state === "connected" && ++connected === 3) returned();
      };
      const worker = await join(hub, { onState });
      const other = await join(hub);
      await worker.serve("ping", () => "pong");
      await hub.close();
      connected = 2;
      const next = await start(url);
      assert.equal(next.urls[0], url);
      await back;
      // It asks itself, by way of the hub: what it serves has been announced before.
      assert.equal(await worker.request("ping", 1), "pong");
      await end(other, worker, next);
    });

    test("a peer that never reads: memory stays within its bound, and others do not notice", async () => {
      const hub = await start();
      const [caller, worker] = [await join(hub), await join(hub)];
      await worker.serve("echo", (value: unknown) => value);
      const url = hub.urls[0]!;
      const deaf = await (await new TransportRegistry().for(url)).dial(url, client);
      let listening: () => void = () => undefined;
      const ready = new Promise<void>((resolve) => {
        listening = resolve;
      });
      await hub.subscribe("ready", () => listening());
      deaf.send(
        Buffer.concat([helloBytes(), subscribeBytes(1, "flood"), bindBytes(1, "ready"), publishBytes(1)]),
      );
      await ready;
      const memory = process.memoryUsage().rss;
      const block = Buffer.alloc(65_000);
      for (let n = 0; n < 2_000; n++) {
        await hub.publish("flood", block);
        if (n % 100 === 0) assert.equal(await caller.request("echo", n), n);
      }
      const grown = process.memoryUsage().rss - memory;
      assert.ok(grown < 80_000_000, `130 MB were published to it, and memory grew by ${grown} bytes`);
      deaf.abort();
      await end(caller, worker, hub);
    });

    test("a hub that drains answers what is under way", async () => {
      const hub = await start();
      const [caller, worker] = [await join(hub), await join(hub)];
      let started: () => void = () => undefined;
      let release: (value: string) => void = () => undefined;
      const begun = new Promise<void>((resolve) => {
        started = resolve;
      });
      await worker.serve("late", () => {
        started();
        return new Promise((resolve) => {
          release = resolve;
        });
      });
      const call = caller.request("late", 1);
      await begun;
      const drained = hub.drain();
      release("done");
      assert.equal(await call, "done");
      await drained;
      await end(caller, worker);
    });
  });
}

async function end(...peers: Peer[]): Promise<void> {
  for (const peer of peers) await peer.close();
}
