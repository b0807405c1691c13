/** The chat of examples/chat, as its configuration says, with people in Chromium. */
import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, describe, test } from "node:test";
import type { Browser, Page } from "playwright-core";
import { parseConfig } from "../../src/config/config.ts";
import { createHub, type Hub } from "../../src/index.ts";
import { connectText } from "../../src/text/node.ts";
import type * as textClient from "../../src/text/browser.ts";
import { Notes, PageServer, launchChromium } from "../client/pages.ts";
import { blocksOf, readDocument } from "../docs/markdown.ts";
import { provide } from "../house/provide.ts";
import { root } from "../house/root.ts";
import { freePorts } from "../proxy/proxy-process.ts";

// What functions given to `evaluate` see in the page.
declare const lintel: typeof textClient;

const folder = join(root, "examples/chat");
/** What `lintel up` makes for each run. */
const SERVICE_KEY = "the-key-of-this-run";

describe("the chat", { timeout: 120_000 }, () => {
  const running: ChildProcess[] = [];
  let hub: Hub;
  let browser: Browser;
  let address: string;
  let pagePort: number;

  before(async () => {
    provide("curl", "jq", "python3");
    pagePort = (await freePorts(1))[0]!;
    hub = await chatHub(pagePort);
    const textUrl = hub.textUrl!;
    const [chromium, served] = await Promise.all([
      launchChromium(),
      start(process.execPath, "page-server.js", `127.0.0.1:${pagePort}`, textUrl),
      start("python3", "auth.py", textUrl),
      start(process.execPath, "build/chat.js", textUrl),
      start("bash", "echo.sh", hub.httpUrl!),
    ]);
    browser = chromium;
    address = /http:\S+/.exec(served)![0];
  });

  after(async () => {
    await browser?.close();
    for (const { pid, exitCode, signalCode } of running)
      if (exitCode === null && signalCode === null) process.kill(-pid!, "SIGKILL");
    await hub?.close();
  });

  /** Starts a program as `lintel up` does, and waits for its first line. */
  async function start(program: string, ...args: string[]): Promise<string> {
    const environment = {
      LINTEL_KEY: SERVICE_KEY,
      PYTHONPATH: join(root, "interop/python"),
      PYTHONUNBUFFERED: "1",
    };
    const child = spawn(program, args, {
      cwd: folder,
      detached: true, // a shell has children
      env: { ...process.env, ...environment },
      stdio: ["ignore", "pipe", "ignore"],
    });
    running.push(child);
    const [line] = await once(createInterface({ input: child.stdout }), "line");
    return String(line);
  }

  async function open(): Promise<Page> {
    const page = await (await browser.newContext()).newPage();
    page.setDefaultTimeout(20_000);
    await page.goto(address);
    await page.waitForSelector("#state.connected");
    return page;
  }

  async function signIn(name: string, room: string, action = "Register"): Promise<Page> {
    const page = await open();
    await page.fill("[name=name]", name);
    await page.fill("[name=password]", `the password of ${name}`);
    await page.fill("[name=room]", room);
    await page.click(`button[value=${action}]`);
    return page;
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
    assert.ok(readFileSync(join(folder, "lintel.yaml"), "utf8").includes(`\n${shown!.text}\n`));
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
    const watcher = await connectText(hub.textUrl!, { key: SERVICE_KEY });
    const heard = new Notes();
    watcher.subscribe("Room: kitchen", ({ body }) => heard.add(body));
    await watcher.request("Echo", "as the subscription is there by now");
    const page = await open();
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
    await page.evaluate(`new WebSocket(${JSON.stringify(hub.textUrl)}); undefined`);
    await refusal;
    await page.close();
  });

  test("after the hub was away, a page is in its room again", async () => {
    const page = await signIn("Fay", "attic");
    await isInRoom(page);
    await say(page, "before");
    await lineOf(page, "before");
    const [http, text] = [hub.httpUrl!, hub.textUrl!].map((url) => Number(new URL(url).port));
    await hub.close();
    await page.waitForSelector("#state.connecting");
    hub = await chatHub(pagePort, http, text);
    await page.waitForSelector("#state.connected");
    await say(page, "after");
    await lineOf(page, "after");
    assert.equal(await page.locator("#lines li").count(), 2);
  });
});

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

/** The hub of examples/chat/lintel.yaml, on these ports or free ones. */
async function chatHub(pagePort: number, http = 0, text = 0): Promise<Hub> {
  const path = join(folder, "lintel.yaml");
  const source = readFileSync(path, "utf8")
    .replaceAll("http://127.0.0.1:8080", `http://127.0.0.1:${pagePort}`)
    .replace("http: 127.0.0.1:8500", `http: 127.0.0.1:${http}`)
    .replace("listen: 127.0.0.1:8764", `listen: 127.0.0.1:${text}`);
  const { services: _, access, ...config } = await parseConfig(source, path);
  const sha256 = createHash("sha256").update(SERVICE_KEY).digest("hex");
  const keys = [...(access?.keys ?? []), { name: "services", role: "service" as const, sha256 }];
  return createHub({ ...config, listen: [], access: { ...access, keys } });
}
