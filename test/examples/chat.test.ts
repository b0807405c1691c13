/** The chat of examples/chat, started with `lintel up` on free ports, with people in Chromium. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { Browser, Page } from "playwright-core";
import { connectText } from "../../src/text/node.ts";
import type * as textClient from "../../src/text/browser.ts";
import { lintel as runLintel, start, type Running } from "../cli/cli-process.ts";
import { Notes, PageServer, launchChromium } from "../client/pages.ts";
import { blocksOf, readDocument } from "../docs/markdown.ts";
import { provide } from "../house/provide.ts";
import { root } from "../house/root.ts";
import { freePorts } from "../proxy/proxy-process.ts";

// What functions given to `evaluate` see in the page.
declare const lintel: typeof textClient;
declare const sockets: { close(): void }[];
declare let WebSocket: new (url: string) => { close(): void };

const example = join(root, "examples/chat");
const manifest = readFileSync(join(example, "lintel.yaml"), "utf8");
const WATCHER_KEY = "the-key-of-a-service-that-watches";

describe("the chat", { timeout: 120_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), "lintel-chat-"));
  let up: Running;
  let browser: Browser;
  let address: string;
  let textUrl: string;

  before(async () => {
    provide("curl", "jq", "python3");
    const ports = await freePorts(3);
    writeFileSync(join(folder, "lintel.yaml"), localized(ports));
    address = `http://127.0.0.1:${ports[0]}`;
    textUrl = `ws://127.0.0.1:${ports[2]}`;
    up = start(["up"], { cwd: folder });
    const serving = [/the chat is at/, /Auth serves/, /Chat serves/, /Echo serves/];
    const [chromium] = await Promise.all([launchChromium(), ...serving.map((line) => up.prints(line))]);
    browser = chromium;
  });

  after(async () => {
    await browser?.close();
    const ended = await up?.stop("SIGTERM");
    rmSync(folder, { recursive: true });
    assert.equal(ended?.exit, 0, ended?.stderr);
  });

  /** Everybody has a browser of their own. */
  const newPage = async (): Promise<Page> => (await browser.newContext()).newPage();

  async function signIn(name: string, room: string, action = "Register"): Promise<Page> {
    const page = await newPage();
    await signInOn(page, name, room, action);
    return page;
  }

  async function signInOn(page: Page, name: string, room: string, action = "Register"): Promise<void> {
    await page.goto(address);
    await page.waitForSelector("#state.connected");
    await page.fill("[name=name]", name);
    await page.fill("[name=password]", `the password of ${name}`);
    await page.fill("[name=room]", room);
    await page.click(`button[value=${action}]`);
  }

  const lineOf = (page: Page, text: string): Promise<unknown> =>
    page.waitForSelector(`#lines li:has-text("${text}")`);
  const say = async (page: Page, text: string): Promise<void> => {
    await page.fill("[name=text]", text);
    await page.press("[name=text]", "Enter");
  };
  const isInRoom = (page: Page): Promise<unknown> => page.waitForSelector("#room:not([hidden])");

  test("the guide shows the configuration as it is", () => {
    const shown = blocksOf(readDocument("docs/guides/chat.md")).find(
      ({ mark }) => mark === "part of: examples/chat/lintel.yaml",
    );
    assert.ok(manifest.includes(`\n${shown!.text}\n`));
  });

  test("what is said in a room is read there, and nowhere else", async () => {
    const [ada, bob, eve] = await Promise.all([
      signIn("Ada", "kitchen"),
      signIn("Bob", "kitchen"),
      signIn("Eve", "cellar"),
    ]);
    await Promise.all([ada, bob, eve].map(isInRoom));
    await say(ada, "tea is ready");
    await lineOf(bob, "tea is ready");
    await say(eve, "it is dark here");
    await lineOf(eve, "it is dark here");
    await say(bob, "<b>coming</b>"); // which stays text
    await lineOf(ada, "<b>coming</b>");
    assert.deepEqual(await eve.locator("#lines li").allTextContents(), ["Eveit is dark here"]);
    assert.deepEqual(await ada.locator("#lines .from").allTextContents(), ["Ada", "Bob"]);

    const late = await signIn("Ada", "kitchen", "Verify");
    await lineOf(late, "coming");
    await say(late, "/echo hello from a shell");
    await lineOf(late, "hello from a shell");
    assert.deepEqual(await late.locator("#lines .from").allTextContents(), ["Ada", "Bob", "Echo"]);
    assert.equal(await bob.locator("#lines li").count(), 2);
  });

  test("a name is not somebody else's to use", async () => {
    const page = await signIn("Ada", "kitchen");
    await page.waitForSelector("#error:has-text('taken')");
    await page.fill("[name=password]", "a guess");
    await page.click("button[value=Verify]");
    await page.waitForSelector("#error:has-text('wrong')");
    assert.equal(await page.locator("#room").isHidden(), true);
  });

  test("a page cannot say something past the service, nor before it has signed in", async () => {
    const watcher = await connectText(textUrl, { key: WATCHER_KEY });
    const heard = new Notes();
    watcher.subscribe("Room: kitchen", ({ body }) => heard.add(body));
    await watcher.request("Echo", "as the subscription is there by now");
    const page = await newPage();
    await page.goto(address);
    const content = 'globalThis.lintel = await import("lintel/text");';
    await page.addScriptTag({ type: "module", content });
    await page.waitForFunction("globalThis.lintel !== undefined");
    const outcome = await page.evaluate(forge, "Room: kitchen");
    assert.deepEqual(outcome, {
      asked: "unauthenticated: sign in first",
      refused: ["permission_denied: Not trusted PUB Room: kitchen"],
    });
    watcher.publish("Room: kitchen", "the next line");
    await heard.until(() => heard.said.length > 0);
    assert.deepEqual(heard.said, ["the next line"]);
    watcher.close();
  });

  test("a page of another origin is not let in", async (context) => {
    const stranger = await PageServer.start();
    context.after(() => stranger.stop());
    const page = await browser.newPage();
    await page.goto(stranger.origin);
    const refusal = page.waitForEvent("console", (line) => line.text().includes("response code: 403"));
    await page.evaluate(`new WebSocket(${JSON.stringify(textUrl)}); undefined`);
    await refusal;
    await page.close();
  });

  test("when its connection was lost, a page is in its room again", async () => {
    const page = await newPage();
    await page.addInitScript(keepSockets);
    await signInOn(page, "Fay", "attic");
    await isInRoom(page);
    await say(page, "before");
    await lineOf(page, "before");
    await page.evaluate(() => sockets.at(-1)?.close());
    await page.waitForSelector("#state.connecting");
    await page.waitForSelector("#state.connected");
    await say(page, "after");
    await lineOf(page, "after");
    assert.deepEqual(await page.locator("#lines li").allTextContents(), ["Faybefore", "Fayafter"]);
  });

  test("when Chat was started again, what is said opens the room again", async () => {
    const page = await signIn("Gil", "garden");
    await isInRoom(page);
    const restarted = await runLintel(["restart", "chat"], { cwd: folder });
    assert.equal(restarted.exit, 0, restarted.stderr);
    await up.prints(/(Chat serves[^]*){2}/);
    await say(page, "who is here?");
    await lineOf(page, "who is here?");
  });
});

/** In the page: remembers the connections that it makes. */
function keepSockets(): void {
  const kept: { close(): void }[] = [];
  Object.assign(globalThis, { sockets: kept });
  WebSocket = class extends WebSocket {
    constructor(url: string) {
      super(url);
      kept.push(this);
    }
  };
}

/** In the page: publishes to a room, and asks Chat, without having signed in. */
async function forge(room: string): Promise<{ asked: string; refused: string[] }> {
  const { url, key } = (await (await fetch("hub.json")).json()) as { url: string; key: string };
  const textOf = (error: unknown): string =>
    error instanceof lintel.LintelError ? `${error.code}: ${error.message}` : String(error);
  const refused: string[] = [];
  const peer = await lintel.connectText(url, { key, onError: (error) => refused.push(textOf(error)) });
  peer.publish(room, "forged");
  const headers = { cmd: "Say", room };
  const asked = await peer.request("Chat", "forged", { headers }).then(({ body }) => body, textOf);
  peer.close();
  return { asked, refused }; // the refusal comes before the answer
}

/** The manifest of the example on these ports, with one more key. */
function localized([page, http, text]: readonly number[]): string {
  const sha256 = createHash("sha256").update(WATCHER_KEY).digest("hex");
  return manifest
    .replaceAll(":8080", `:${page}`)
    .replaceAll(":8500", `:${http}`)
    .replaceAll(":8764", `:${text}`)
    .replace("  keys:\n", `  keys:\n    - { name: watcher, role: service, sha256: ${sha256} }\n`)
    .replaceAll("    command:", `    directory: ${JSON.stringify(example)}\n    command:`);
}
