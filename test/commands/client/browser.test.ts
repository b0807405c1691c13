/** The client of commands in a real browser, with the file that the package brings. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { Browser, Page } from "playwright-core";
import type * as commands from "../../../src/commands/browser.ts";
import type { CommandPeer } from "../../../src/commands/peer.ts";
import { createCommandServer, type CommandServer } from "../../../src/commands/server/server.ts";
import { PageServer, launchChromium, openPage, type Notes, type Tab } from "../../client/pages.ts";

// Functions given to `evaluate` run in the page, where these are.
declare const say: Tab["say"];
declare const lib: typeof commands;
/** The page's own client, for the functions that come after. */
declare const client: commands.CommandClient;

describe("the client of commands in Chromium", { timeout: 120_000 }, () => {
  let browser: Browser;
  let pages: PageServer;
  let server: CommandServer;
  let url: string;
  /** All tests use one page, which takes longer to open than what they do in it. */
  let page: Page;
  let notes: Notes;

  before(async () => {
    [browser, pages] = await Promise.all([launchChromium(), PageServer.start()]);
    ({ server, url } = await serve(0));
    await open();
  });

  after(async () => {
    await browser?.close();
    await server?.close({ timeout: 0 });
    pages?.stop();
  });

  async function serve(port: number): Promise<{ server: CommandServer; url: string }> {
    const started = createCommandServer({
      origins: [pages.origin],
      authenticate: (token, { cache }) => {
        cache.set("user", token);
        return token !== "bad";
      },
    });
    started.on("echo", ({ body }) => body);
    started.on("who", ({ connection }) => connection.cache.get("user"));
    started.on("back", ({ connection, body }) => connection.call("client.ask", body));
    started.on("slow", () => new Promise(() => undefined));
    const { ws } = await started.listen({ ws: `127.0.0.1:${port}` });
    return { server: started, url: ws! };
  }

  /** Opens the page with a client that is connected, under the names that functions in it use. */
  async function open(): Promise<void> {
    ({ page, notes } = await openPage(browser, pages.origin));
    await page.addScriptTag({ type: "module", content: 'globalThis.lib = await import("lintel/commands");' });
    await page.waitForFunction("globalThis.lib !== undefined");
    await page.evaluate(async (where) => {
      const connected = await lib.connectCommands(where, {
        token: () => "Ada",
        handlers: { "client.ask": ({ body }) => ["asked", body] },
        onConnect: () => void say("connected"),
        onDisconnect: () => void say("lost"),
      });
      Object.assign(globalThis, { client: connected });
    }, url);
    await notes.hears("connected");
  }

  test("it calls, is called, and knows who it is and what time it is", async () => {
    const seen = await page.evaluate(async () => {
      const long = "é\u{1f600}".repeat(300_000);
      const failure = (promise: Promise<unknown>): Promise<commands.LintelError> =>
        promise.then(
          () => Promise.reject(new Error("it was answered")),
          (error: commands.LintelError) => error,
        );
      const nope = await failure(client.call("nope"));
      while (client.maxClockError === undefined) await client.call("drs.ping");
      return {
        buffer: typeof (globalThis as { Buffer?: unknown }).Buffer,
        user: await client.call("who"),
        value: await client.call("echo", { list: [0, null, "x"] }),
        back: await client.call("back", 0),
        long: (await client.call("echo", long)) === long,
        big: String(await client.call("echo", 12345678901234567890n)),
        decimal: String(await client.call("echo", new lib.JsonNumber("0.1234567890123456789"))),
        nope: [nope instanceof lib.CommandError, nope.message],
        late: (await failure(client.call("slow", null, { timeout: 30 }))).reason,
        isNear: Math.abs(client.now() - Date.now()) < 1_000,
      };
    });
    assert.deepEqual(seen, {
      buffer: "undefined",
      user: "Ada",
      value: { list: [0, null, "x"] },
      back: ["asked", 0],
      long: true,
      big: "12345678901234567890",
      decimal: "0.1234567890123456789",
      nope: [true, "No handlers for nope"],
      late: "DEADLINE",
      isNear: true,
    });
  });

  test("a flood of large bodies goes both ways, and the bound of what waits is kept", async () => {
    const seen = await page.evaluate(async () => {
      const part = "x".repeat(500_000);
      const outcomes = await Promise.allSettled(
        Array.from({ length: 30 }, (_, index) => client.call("echo", [index, part])),
      );
      const reasons = outcomes.map((outcome, index) => {
        if (outcome.status === "rejected") return (outcome.reason as commands.LintelError).reason;
        return (outcome.value as [number])[0] === index ? "answered" : "wrong answer";
      });
      return [...new Set(reasons)].toSorted((one, other) => one.localeCompare(other));
    });
    assert.deepEqual(seen, ["answered", "SLOW_CONSUMER"]);
  });

  test("it comes back when the server does; calls under way fail at once", async () => {
    await page.evaluate(() => {
      const outcome = client
        .call("slow")
        .catch((error: commands.LintelError) => [error.reason, error.retryable]);
      Object.assign(globalThis, { outcome });
    });
    const port = Number(new URL(url).port);
    await server.close({ timeout: 0 });
    await notes.hears("lost");
    assert.deepEqual(
      await page.evaluate(() => (globalThis as unknown as { outcome: Promise<unknown> }).outcome),
      ["CONNECTION_LOST", false],
    );
    ({ server, url } = await serve(port));
    await notes.hears("connected");
    assert.deepEqual(await page.evaluate(() => client.call("back", 1)), ["asked", 1]);
  });

  test("a token that is refused, and a server that is not there, are told apart", async () => {
    const seen = await page.evaluate(async (where) => {
      const refused = (place: string, options: object): Promise<unknown> =>
        lib.connectCommands(place, options).catch((error: commands.LintelError) => error.reason);
      return [
        await refused(where, { token: "bad" }),
        await refused(where.replace("/socket", "/nothing"), { connectTimeout: 100 }),
      ];
    }, url);
    assert.deepEqual(seen, ["UNAUTHENTICATED", "NOT_CONNECTED"]);
  });

  test("the server loses a tab that is closed", async () => {
    const left = new Promise<CommandPeer>((resolve) => void server.onDisconnect((peer) => resolve(peer)));
    await page.close();
    assert.equal((await left).cache.get("user"), "Ada");
  });
});
