/** The client of the text protocol in a real browser, with the file that the package brings. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { Browser, Page } from "playwright-core";
import type { Hub } from "../../src/index.ts";
import type * as text from "../../src/text/browser.ts";
import { PageServer, launchChromium, openPage, type Notes, type Tab } from "../client/pages.ts";
import { CLIENT, SERVICE, textHub } from "../gateway/text/raw-text.ts";

// Functions given to `evaluate` run in the page, where these are.
declare const say: Tab["say"];
declare const lib: typeof text;
/** The page's connections, for the functions that come after. */
declare const service: text.TextPeer;
declare const client: text.TextPeer;

describe("the text client in Chromium", { timeout: 120_000 }, () => {
  let browser: Browser;
  let pages: PageServer;
  let hub: Hub;
  /** All tests use one page, which takes longer to open than what they do in it. */
  let page: Page;
  let notes: Notes;

  before(async () => {
    [browser, pages] = await Promise.all([launchChromium(), PageServer.start()]);
    hub = await start(0);
    ({ page, notes } = await openPage(browser, pages.origin));
    await page.addScriptTag({ type: "module", content: 'globalThis.lib = await import("lintel/text");' });
    await page.waitForFunction("globalThis.lib !== undefined");
    await page.evaluate(
      async ([url, serviceKey, clientKey]) => {
        const onError = (error: unknown): void => void say(`error ${(error as Error).message}`);
        Object.assign(globalThis, {
          service: await lib.connectText(url, { key: serviceKey, onError: () => undefined }),
          client: await lib.connectText(url, {
            key: () => Promise.resolve(clientKey),
            onError,
            onState: (state) => void say(state),
          }),
        });
        service.serve("Echo", ({ body, cid }) => ({ body, headers: { "X-From": cid } }));
        service.serve("Stuck", () => new Promise(() => undefined));
        service.serve("Shop", () => {
          throw new lib.LintelError("not_found", "no milk left", { reason: "SOLD_OUT" });
        });
        service.enablePublish("room 1");
        service.enableSubscribe("room 1");
        await service.request("Echo");
        client.subscribe("room 1", ({ body }) => void say(`heard ${body}`));
      },
      [hub.textUrl!, SERVICE, CLIENT] as const,
    );
    await notes.hears("connected");
  });

  after(async () => {
    await browser?.close();
    await hub?.close();
    pages?.stop();
  });

  const start = (port: number): Promise<Hub> => textHub({ text: { listen: port, origins: [pages.origin] } });

  test("without Buffer, every body comes back as it was, and failures keep their codes", async () => {
    const seen = await page.evaluate(async () => {
      const bodies = ["", ".", "a\nb\r\nc\r", "\r\n.\r\n", "..\n.", "é\u{1f600}\0", "x".repeat(900_000)];
      const answers = await Promise.all(bodies.map((body) => client.request("Echo", body)));
      const failed = (target: string, options?: text.TextRequestOptions): Promise<string> =>
        client.request(target, "", options).then(
          () => "answered",
          (error: text.LintelError) => error.reason,
        );
      const aborting = new AbortController();
      const aborted = failed("Stuck", { signal: aborting.signal });
      aborting.abort(new lib.LintelError("canceled", "left", { reason: "PAGE_LEFT" }));
      return {
        buffer: typeof (globalThis as { Buffer?: unknown }).Buffer,
        bodies: answers.every(({ body }, index) => body === bodies[index]),
        from: answers[0]!.headers.get("x-from") === client.guid,
        reasons: [
          await failed("Shop"),
          await failed("not enabled"),
          await failed("Stuck", { timeout: 50 }),
          await aborted,
        ],
      };
    });
    assert.deepEqual(seen, {
      buffer: "undefined",
      bodies: true,
      from: true,
      reasons: ["SOLD_OUT", "PERMISSION_DENIED", "DEADLINE", "PAGE_LEFT"],
    });
  });

  test("a tab answers workers of other kinds, and hears what others publish", async () => {
    assert.equal(await hub.request("Echo", "native"), "native");
    await page.evaluate(() => client.publish("room 1", "hello"));
    await notes.hears("heard hello");
    await page.evaluate(() => client.publish("room 2", "secret"));
    await notes.hears("error Not trusted PUB room 2");
  });

  test("a refused key says so", async () => {
    const refused = await page.evaluate(
      (url) =>
        lib.connectText(url, { key: "wrong" }).catch((error: unknown) => (error as text.LintelError).reason),
      hub.textUrl!,
    );
    assert.equal(refused, "UNAUTHENTICATED");
  });

  test("the hub goes and comes back: requests end, services and subscriptions return", async () => {
    const port = Number(new URL(hub.textUrl!).port);
    await page.evaluate(() => {
      const outcome = client.request("Stuck").catch((error: text.LintelError) => error.reason);
      Object.assign(globalThis, { outcome });
    });
    await page.evaluate(() => client.request("Echo")); // it has been sent
    await hub.close();
    await notes.hears("connecting");
    const ended = await page.evaluate(async () => [
      await (globalThis as unknown as { outcome: Promise<string> }).outcome,
      await client.request("Echo").catch((error: text.LintelError) => error.reason),
    ]);
    assert.deepEqual(ended, ["CLOSED", "NOT_CONNECTED"]);
    hub = await start(port);
    await notes.hears("connected");
    const answer = await page.evaluate(async () => {
      // The service comes back at a time of its own.
      while (service.state !== "connected") await new Promise((resolve) => setTimeout(resolve, 10));
      await service.request("Echo");
      const { body } = await client.request("Echo", "again");
      // Where the client was back before it, what it has subscribed to was refused, and is asked for again.
      let isHeard = false;
      const listening = client.subscribe("room 1", () => (isHeard = true));
      while (!isHeard) {
        service.publish("room 1", "still there");
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      listening.close();
      return body;
    });
    assert.equal(answer, "again");
  });
});
