/** The client in a real browser: a page asks, listens and serves through a hub in another process. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { Browser, Page } from "playwright-core";
import { msgpack } from "../../src/codec/msgpack.ts";
import { createHub } from "../../src/hub/hub.ts";
import { connect } from "../../src/peer/connect.ts";
import type { Peer } from "../../src/peer/peer.ts";
import { blocksOf, readDocument } from "../docs/markdown.ts";
import { KillableHub } from "./hub.ts";
import { Notes, PageServer, launchChromium, openPage, type Tab } from "./pages.ts";
import { refusalOf } from "../house/refusal.ts";

// Functions given to `evaluate` run in the page, where these are.
declare const lintel: Tab["lintel"];
declare const say: Tab["say"];
/** The page's own connection, for the functions that come after. */
declare let peer: Peer;
type ListeningClass = new (url: string, protocols: string[]) => EventTarget;
type SendingClass = new () => { send(data: unknown): void };

describe("in Chromium", { timeout: 120_000 }, () => {
  let browser: Browser;
  let pages: PageServer;
  let hub: KillableHub;
  /** A peer of the hub that is no browser. */
  let other: Peer;

  before(async () => {
    [browser, pages] = await Promise.all([launchChromium(), PageServer.start()]);
    hub = await KillableHub.start([pages.origin]);
    other = await join();
  });

  after(async () => {
    await browser?.close();
    await other?.close();
    await hub?.kill();
    pages?.stop();
  });

  async function join(): Promise<Peer> {
    const joined = await connect(hub.session, { codecs: [await msgpack()] });
    await joined.serve("echo", (value) => value);
    return joined;
  }

  /** A page that is connected to the hub. */
  async function connected(prepare?: () => void): Promise<{ page: Page; notes: Notes }> {
    const { page, notes } = await openPage(browser, pages.origin, prepare);
    await page.evaluate(async (url) => {
      Object.assign(globalThis, {
        peer: await lintel.connect(url, { onState: (state) => void say(state) }),
      });
    }, hub.session);
    await notes.hears("connected");
    return { page, notes };
  }

  test("the example of the guide runs as it is printed", async () => {
    const block = blocksOf(readDocument("docs/guides/browser.md")).find(({ mark }) => mark === "in a page");
    const program = block!.text.replace("ws://127.0.0.1:8500", hub.session);
    assert.notEqual(program, block!.text);
    const { page } = await openPage(browser, pages.origin);
    await page.addScriptTag({ type: "module", content: `${program}\nglobalThis.done = true;` });
    await page.waitForFunction("globalThis.done");
    assert.deepEqual(await hub.post("/tab/title", undefined), { status: 200, text: "a tab" });
    await page.close();
  });

  test("there is no Buffer in a page, and text, bytes and values of every kind arrive all the same", async () => {
    const { page } = await connected();
    const seen = await page.evaluate(async () => {
      const long = "é\u{1f600}\ud800 and more, ".repeat(1_000);
      const bytes = Uint8Array.from({ length: 70_000 }, (_, index) => index);
      const echoed = await peer.request<Uint8Array>("echo", bytes);
      return {
        buffer: typeof (globalThis as { Buffer?: unknown }).Buffer,
        nothing: await peer.request("echo"),
        text: (await peer.request("echo", long)) === long.replaceAll("\ud800", "\ufffd"),
        bytes: echoed.length === bytes.length && echoed.every((byte, index) => byte === bytes[index]),
        value: await peer.request("echo", { list: [1, "zwei", null, { drei: true }] }),
      };
    });
    assert.deepEqual(seen, {
      buffer: "undefined",
      nothing: undefined,
      text: true,
      bytes: true,
      value: { list: [1, "zwei", null, { drei: true }] },
    });
    await page.close();
  });

  test("an imitation of Buffer that a page has does no harm", async () => {
    const { page } = await connected(() => {
      class Imitation extends Uint8Array {
        static allocUnsafe = (size: number): Uint8Array => new Uint8Array(size);
        static allocUnsafeSlow = (size: number): Uint8Array => new Uint8Array(size);
      }
      Object.assign(globalThis, { Buffer: Imitation });
    });
    const text = "longer than the texts that are written byte by byte";
    assert.equal(await page.evaluate(async (value) => peer.request("echo", value), text), text);
    await page.close();
  });

  test("msgpack carries dates, bytes and large integers out of the page and back", async () => {
    const { page } = await connected();
    const at = new Date(1_700_000_000_000);
    const got: unknown[] = [];
    await other.serve("later", (value: { at: Date; raw: Uint8Array; big: bigint }) => {
      got.push(value.at, [...value.raw], value.big);
      return { ...value, at: new Date(value.at.getTime() + 1) };
    });
    const answer = await page.evaluate(async () => {
      const codec = await lintel.msgpack();
      const value = { at: new Date(1_700_000_000_000), raw: Uint8Array.of(1, 2, 3), big: 2n ** 60n };
      const back = await peer.request<typeof value>("later", value, { codec });
      return [back.at.toISOString(), [...back.raw], String(back.big)];
    });
    assert.deepEqual(got, [at, [1, 2, 3], 2n ** 60n]);
    assert.deepEqual(answer, [new Date(at.getTime() + 1).toISOString(), [1, 2, 3], String(2n ** 60n)]);
    await page.close();
  });

  test("a tab answers HTTP requests, with a status of its own, and its errors keep their codes", async () => {
    const { page } = await connected();
    await page.evaluate(async () => {
      await peer.serve("greet", ({ name }: { name: string }, { reply }) => {
        if (name === "") throw new lintel.LintelError("not_found", "nobody", { reason: "NOBODY" });
        reply.status = 201;
        return { hello: name };
      });
    });
    const answered = await hub.post("/greet", { name: "Ada" });
    assert.deepEqual(answered, { status: 201, text: '{"hello":"Ada"}' });
    const refused = await hub.post("/greet", { name: "" });
    assert.deepEqual([refused.status, JSON.parse(refused.text).reason], [404, "NOBODY"]);
    await page.close();
  });

  test("what a tab asks for is withdrawn by its signal, and ends at its deadline", async () => {
    const { page } = await connected();
    const ends = new Notes();
    await other.serve("stuck", async (_, { signal }) => {
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      ends.add((signal.reason as { reason: string }).reason);
    });
    const reasons = await page.evaluate(async () => {
      const controller = new AbortController();
      const aborted = peer.request("stuck", undefined, { signal: controller.signal });
      setTimeout(() => controller.abort(), 50);
      const late = peer.request("stuck", undefined, { timeoutMs: 100 });
      const nobody = peer.request("nobody-serves-this");
      const outcomes = await Promise.allSettled([aborted, late, nobody]);
      return outcomes.map((outcome) => outcome.status === "rejected" && outcome.reason.reason);
    });
    assert.deepEqual(reasons, ["CALLER_GONE", "DEADLINE", "NO_RESPONDERS"]);
    await ends.hears("CALLER_GONE", "DEADLINE");
    await page.close();
  });

  test("the signal of a tab's handler fires when its caller hangs up, and when the deadline passes", async () => {
    const { page, notes } = await connected();
    await page.evaluate(async () => {
      await peer.serve("work", async (_, { signal }) => {
        void say("working");
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
        void say((signal.reason as { reason: string }).reason);
      });
    });
    const caller = new AbortController();
    const request = hub.post("/work", undefined, caller.signal);
    await notes.hears("working");
    caller.abort();
    await assert.rejects(request, { name: "AbortError" });
    await notes.hears("CALLER_GONE");
    await assert.rejects(other.request("work", undefined, { timeoutMs: 100 }), { reason: "DEADLINE" });
    await notes.hears("working", "DEADLINE");
    await page.close();
  });

  test("a request that a tab holds when it is closed fails at once", async () => {
    const { page, notes } = await connected();
    await page.evaluate(async () => {
      await peer.serve("hold", () => {
        void say("held");
        return new Promise(() => undefined);
      });
    });
    const request = hub.post("/hold", undefined);
    await notes.hears("held");
    await page.close();
    const { status, text } = await request;
    assert.deepEqual([status, JSON.parse(text).reason], [502, "WORKER_LOST"]);
  });

  test("the hub is killed and started again: the tab's service and subscription come back", async () => {
    const { page, notes } = await connected();
    await page.evaluate(async () => {
      await peer.serve("where", () => "in a tab");
      await peer.subscribe("news.>", (value, { subject }) => void say(`${subject}: ${String(value)}`));
    });
    assert.equal((await hub.post("/where", undefined)).text, "in a tab");
    for (let round = 1; round <= 2; round++) {
      // What was said of connections before this one is not taken for its loss.
      const earlier = notes.said.splice(0).filter((word) => word !== "connecting");
      notes.said.push(...earlier);
      await hub.kill();
      await notes.hears("connecting");
      const reason = await page.evaluate(async () => {
        const failed = await peer.request("where").catch((error: unknown) => error);
        return (failed as { reason: string }).reason;
      });
      assert.equal(reason, "NOT_CONNECTED");
      await hub.startAgain();
      await notes.hears("connected");
      await page.evaluate(() => peer.request("anything").catch(() => undefined)); // what was announced before is registered
      assert.deepEqual(await hub.post("/where", undefined), { status: 200, text: "in a tab" });
      await using sender = await connect(hub.session);
      await sender.publish("news.round", round);
      await notes.hears(`news.round: ${round}`);
    }
    assert.deepEqual(
      notes.said.filter((word) => /error/.test(String(word))),
      [],
    );
    await page.close();
    // The others of this file have a connection that came back too.
    await other.close();
    other = await join();
  });

  test("pages of other origins are refused, also those that look alike", async (context) => {
    const stranger = await PageServer.start();
    context.after(() => stranger.stop());
    const alike = pages.origin.replace("127.0.0.1", "localhost");
    for (const origin of [stranger.origin, alike]) {
      const { page } = await openPage(browser, origin);
      const refusal = page.waitForEvent("console", (line) => line.text().includes("response code: 403"));
      const error = await refusalOf((timeoutMs) =>
        page
          .evaluate(
            async ([url, patience]) => {
              const failed = await lintel
                .connect(url, { timeoutMs: patience })
                .catch((reason: unknown) => reason);
              const { reason, message } = failed as InstanceType<Tab["lintel"]["LintelError"]>;
              return { reason, message };
            },
            [hub.session, timeoutMs] as const,
          )
          .then((told) => Promise.reject(Object.assign(new Error(told.message), told))),
      );
      assert.equal(error.reason, "NOT_CONNECTED");
      assert.match(error.message, /no WebSocket to ws:/);
      assert.match((await refusal).text(), /Unexpected response code: 403/);
      await page.close();
    }
  });

  test("what is sent in one turn of the loop goes out in one message of the WebSocket", async () => {
    const { page } = await connected(() => {
      const Platform = (globalThis as unknown as { WebSocket: SendingClass }).WebSocket;
      class Counting extends Platform {
        override send(data: unknown): void {
          (globalThis as unknown as { sent: number }).sent++;
          super.send(data);
        }
      }
      Object.assign(globalThis, { WebSocket: Counting, sent: 0 });
    });
    const counts = await page.evaluate(async () => {
      const count = globalThis as unknown as { sent: number };
      const ask = async (steps: number): Promise<void> => {
        for (let step = 0; step < steps; step++) await Promise.resolve();
        await peer.request("echo", steps);
      };
      const greeting = count.sent;
      await Promise.all(Array.from({ length: 200 }, (_, index) => ask(index)));
      return count.sent - greeting;
    });
    assert.equal(counts, 1);
    await page.close();
  });

  test("a tab that sends much is asked to wait, and everything arrives in order", async () => {
    const { page } = await connected();
    const sizes: number[] = [];
    const all = new Promise<void>((resolve) => {
      void other.subscribe("large", (bytes: Uint8Array) => {
        if (sizes.push(bytes.length) === 60) resolve();
      });
    });
    await other.request("nobody-serves-this").catch(() => undefined); // the subscription has been announced before it
    const waited = await page.evaluate(async () => {
      let count = 0;
      for (let index = 0; index < 60; index++) {
        const full = peer.publish("large", new Uint8Array(1_000_000 - index));
        if (full === undefined) continue;
        count++;
        await full;
      }
      return count;
    });
    await all;
    assert.deepEqual(
      sizes,
      Array.from({ length: 60 }, (_, index) => 1_000_000 - index),
    );
    assert.ok(waited > 0, "the page never had to wait");
    await page.close();
  });

  test("a tab whose timers stand still goes on serving, and its requests end at their deadlines", async () => {
    const limits = { heartbeat: 100, heartbeatTimeout: 5_000 };
    const listen = [{ url: "ws://127.0.0.1:0/lintel", origins: [pages.origin] }];
    await using lively = await createHub({ http: false, listen, limits });
    const { page, notes } = await openPage(browser, pages.origin, () => {
      const platform = globalThis.setTimeout;
      const held = { timers: false };
      const later = (callback: () => void, delayMs?: number): unknown =>
        platform(() => {
          if (!held.timers) callback();
        }, delayMs);
      Object.assign(globalThis, { held, setTimeout: later });
    });
    await page.evaluate(async (url) => {
      const Platform = (globalThis as unknown as { WebSocket: ListeningClass }).WebSocket;
      let count = 0;
      class Counting extends Platform {
        constructor(address: string, protocols: string[]) {
          super(address, protocols);
          this.addEventListener("message", () => {
            if (++count === 15) void say("15 messages");
          });
        }
      }
      Object.assign(globalThis, { WebSocket: Counting });
      const onState = (state: string): void => void say(state);
      Object.assign(globalThis, { peer: await lintel.connect(url, { onState }) });
      await peer.serve("awake", () => "yes");
      (globalThis as unknown as { held: { timers: boolean } }).held.timers = true;
    }, lively.urls[0]!);
    await notes.hears("connected", "15 messages"); // pings, of which each would have been the last but for an answer
    assert.equal(await lively.request("awake"), "yes");
    await lively.serve("stuck", () => new Promise(() => undefined));
    const reason = await page.evaluate(async () => {
      const failed = await peer
        .request("stuck", undefined, { timeoutMs: 100 })
        .catch((error: unknown) => error);
      return (failed as { reason: string }).reason;
    });
    assert.deepEqual([reason, notes.said], ["DEADLINE", []]);
    await page.close();
  });

  test("it runs in a web worker as well", async () => {
    const { page, notes } = await openPage(browser, pages.origin);
    await page.evaluate((url) => {
      interface PageGlobals {
        Worker: new (url: string, options: { type: "module" }) => EventTarget;
        URL: { createObjectURL(blob: Blob): string };
        location: { origin: string };
      }
      const { Worker, URL, location } = globalThis as unknown as PageGlobals;
      const program = `
        const { connect } = await import("${location.origin}/client.js");
        const peer = await connect("${url}");
        await peer.serve("thread", () => typeof window);
        postMessage("serving");`;
      const thread = new Worker(URL.createObjectURL(new Blob([program], { type: "text/javascript" })), {
        type: "module",
      });
      thread.addEventListener("message", (event) => void say((event as unknown as { data: unknown }).data));
    }, hub.session);
    await notes.hears("serving");
    assert.equal((await hub.post("/thread", undefined)).text, "undefined");
    await page.close();
  });
});
