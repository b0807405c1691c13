/** HTTP/2 and the HTTP/1 fallback through nginx and HAProxy as they are. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { createHub, type Hub } from "../../src/hub/hub.ts";
import { connect } from "../../src/peer/connect.ts";
import type { Peer } from "../../src/peer/peer.ts";
import { TRUSTING } from "../transport/certificates.ts";
import { Watched } from "../wire/watched.ts";
import { TIMEOUT_MS, haproxy, nginx } from "./configurations.ts";
import { Proxy, freePorts } from "./proxy-process.ts";

const CONFIGURATIONS = { haproxy, nginx } as const;
const SCHEMES = ["h2c", "h2", "http1"] as const;

/** From one ping of a quiet session to the next it takes the sum of these: less than the proxy's timeout. */
const LIMITS = { heartbeat: 300, heartbeatTimeout: 1_000 };

/** What has been noted, in order. */
class Notes extends Watched {
  readonly seen: string[] = [];
  readonly note = (word: string): void => {
    this.seen.push(word);
    this.changed();
  };
}

for (const name of ["haproxy", "nginx"] as const) {
  describe(`through ${name}`, () => {
    let hub: Hub;
    let proxy: Proxy;
    let urls: Record<(typeof SCHEMES)[number], string>;
    const peers: Peer[] = [];

    const join = async (scheme: (typeof SCHEMES)[number], states: Notes): Promise<Peer> => {
      const tls = scheme === "h2" ? { tls: TRUSTING } : {};
      const peer = await connect(urls[scheme], { ...tls, limits: LIMITS, onState: states.note });
      peers.push(peer);
      return peer;
    };

    before(async () => {
      hub = await createHub({
        http: false,
        listen: ["h2c://127.0.0.1:0/lintel", "http1://127.0.0.1:0/lintel"],
        limits: LIMITS,
      });
      const [h2c, http1] = hub.urls.map((url) => Number(new URL(url).port)) as [number, number];
      const [first, second, third] = (await freePorts(3)) as [number, number, number];
      const ways = { h2: first, h2c: second, http1: third };
      proxy = new Proxy(name, Object.values(ways), CONFIGURATIONS[name](ways, { h2c, http1 }));
      await proxy.start();
      urls = {
        h2: `h2://127.0.0.1:${ways.h2}/lintel`,
        h2c: `h2c://127.0.0.1:${ways.h2c}/lintel`,
        http1: `http1://127.0.0.1:${ways.http1}/lintel`,
      };
    });

    after(async () => {
      for (const peer of peers) await peer.close();
      await hub.close();
      await proxy[Symbol.asyncDispose]();
    });

    describe("at the same time", { concurrency: SCHEMES.length }, () => {
      for (const scheme of SCHEMES) {
        test(`${scheme}: requests, a subscription, quiet for longer than the proxy waits, requests again`, async () => {
          const states = new Notes();
          const [caller, worker] = [await join(scheme, states), await join(scheme, states)];
          await worker.serve(`${scheme}.echo`, (value: unknown) => value);
          const answers = await Promise.all(
            Array.from({ length: 200 }, (_, n) => caller.request(`${scheme}.echo`, n)),
          );
          assert.deepEqual(
            answers,
            Array.from({ length: 200 }, (_, n) => n),
          );
          const large = "x".repeat(1_000_000);
          for (let n = 0; n < 4; n++) assert.equal(await caller.request(`${scheme}.echo`, large), large);

          // Behind a proxy there are no bypasses: the session carries them.
          await worker.serve(`${scheme}.mirror`, (stream) => stream);
          const there = new Blob([large, large, large]).stream();
          const back = await caller.request<ReadableStream>(`${scheme}.mirror`, there);
          assert.equal(await new Response(back).text(), large.repeat(3));

          const news = new Notes();
          await worker.subscribe(`${scheme}.news`, (value) => news.note(String(value)));
          for (let n = 0; n < 100; n++) await caller.publish(`${scheme}.news`, n);
          await news.until(() => news.seen.length === 100);

          // No event tells that nothing happens: this is the time the proxy gives an idle connection, and half as much more.
          await new Promise((resolve) => setTimeout(resolve, 1.5 * TIMEOUT_MS));
          assert.equal(await caller.request(`${scheme}.echo`, "awake"), "awake");
          await caller.publish(`${scheme}.news`, "late");
          await news.until(() => news.seen.at(-1) === "late");
          assert.deepEqual(
            news.seen.slice(0, 100),
            Array.from({ length: 100 }, (_, n) => String(n)),
          );
          assert.deepEqual(states.seen, ["connected", "connected"], "no connection was lost");
        });
      }
    });

    test("a proxy that goes away and comes back: every peer is lost at once, and back", async () => {
      const all = SCHEMES.map((scheme) => ({ scheme, states: new Notes() }));
      const here: Peer[] = [];
      for (const { scheme, states } of all) {
        const peer = await join(scheme, states);
        await peer.serve(`${scheme}.back`, () => "back");
        here.push(peer);
      }
      await proxy.stop();
      for (const { states } of all) await states.until(() => states.seen.includes("connecting"));
      await proxy.start();
      for (const { states } of all) await states.until(() => states.seen.at(-1) === "connected");
      // Each asks itself, by way of the hub: what it serves has been announced before.
      for (const [index, { scheme }] of all.entries()) {
        assert.equal(await here[index]!.request(`${scheme}.back`, 1), "back");
      }
    });
  });
}
