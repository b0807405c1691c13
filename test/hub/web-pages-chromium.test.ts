/** What a web page can do to a hub, tried in a real browser: nothing, unless its origin is listed. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, describe, test } from "node:test";
import { chromium, type Browser, type Page } from "playwright-core";
import { serveHttp } from "../../src/app/index.ts";
import { sha256Of } from "../../src/access/keys/key.ts";
import { createHub, type Hub } from "../../src/index.ts";
import type { Refused } from "../../src/observe/observer.ts";
import { findChromium } from "../client/pages.ts";

const KEY = "key-of-the-page";

/** What every page tries. A try settles with what it has got, and says nothing of what was executed. */
const TRIES: Readonly<Record<string, (hub: string) => Promise<unknown>>> = {
  "POST of text": (hub) => fetch(`${hub}/spy/text`, { method: "POST", body: "a", mode: "no-cors" }),
  "POST of a form": (hub) =>
    fetch(`${hub}/spy/form`, { method: "POST", body: new URLSearchParams({ a: "b" }), mode: "no-cors" }),
  "GET without CORS": (hub) => fetch(`${hub}/spy/get`, { mode: "no-cors" }),
  "GET without a referer": (hub) =>
    fetch(`${hub}/spy/hidden`, { mode: "no-cors", referrerPolicy: "no-referrer" }),
  "GET with CORS": (hub) => fetch(`${hub}/spy/cors`).then((response) => response.text()),
  "PUT of JSON": (hub) =>
    fetch(`${hub}/spy/put`, {
      method: "PUT",
      body: "{}",
      headers: { "content-type": "application/json", "x-a": "b" },
    }).then((response) => response.text()),
  image: (hub) => loaded("img", { src: `${hub}/spy/image` }),
  script: (hub) => loaded("script", { src: `${hub}/spy/script` }),
  frame: (hub) => loaded("iframe", { src: `${hub}/spy/frame` }),
  "image of an app": (hub) => loaded("img", { src: `${hub}/app/image` }),
  "POST to an app": (hub) => fetch(`${hub}/app/post`, { method: "POST", mode: "no-cors" }),
  "submitted form": (hub) => submitted("POST", `${hub}/spy/submitted`),
  "submitted form that asks": (hub) => submitted("GET", `${hub}/spy/asking`),
  beacon: (hub) => Promise.resolve(navigator.sendBeacon(`${hub}/spy/beacon`, "a")),
  events: (hub) => listened(new EventSource(`${hub}/spy/events`), "message", "error"),
  poll: (hub) => fetch(`${hub}/service/work/jobs?wait=0`).then((response) => response.text()),
  answer: (hub) => fetch(`${hub}/jobs/some-id`, { method: "POST", body: "a", mode: "no-cors" }),
  "poll by an image": (hub) => loaded("img", { src: `${hub}/service/work/jobs?wait=0` }),
  session: (hub) => listened(new WebSocket(hub.replace("http", "ws"), "lintel.v1"), "open", "error"),
};

// These are in the page, by PRELUDE.
declare function loaded(tag: string, attributes: Record<string, string>): Promise<string>;
declare function submitted(method: string, action: string): Promise<string>;
declare function listened(target: unknown, ...events: string[]): Promise<string>;
declare const EventSource: new (url: string) => object;
declare const WebSocket: new (url: string, protocol: string) => object;
declare const navigator: { sendBeacon(url: string, body: string): boolean };

const PRELUDE = `
  function listened(target, ...events) {
    return new Promise((resolve) => {
      for (const event of events) target.addEventListener(event, () => { target.close?.(); resolve(event); });
    });
  }
  function loaded(tag, attributes) {
    const element = Object.assign(document.createElement(tag), attributes);
    document.body.append(element);
    return listened(element, "load", "error");
  }
  function submitted(method, action) {
    const frame = Object.assign(document.createElement("iframe"), { name: "to" + Math.random() });
    const form = Object.assign(document.createElement("form"), { method, action, target: frame.name });
    form.append(Object.assign(document.createElement("input"), { name: "a", value: "b" }));
    document.body.append(frame, form);
    const done = listened(frame, "load", "error");
    form.submit();
    return done;
  }`;

const PAGE = `<!doctype html><link rel="icon" href="data:,"><body><script>${PRELUDE}</script>`;

async function servePage(): Promise<[Server, origin: string]> {
  const server = createServer((_request, response) => {
    response.setHeader("content-type", "text/html").end(PAGE);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return [server, `http://127.0.0.1:${(server.address() as AddressInfo).port}`];
}

describe("in Chromium", { timeout: 60_000 }, () => {
  let browser: Browser;
  let listed: [Server, string];
  let stranger: [Server, string];
  let hub: Hub;
  let guarded: Hub;
  const executed: string[] = [];
  const refused: Refused[] = [];

  before(async () => {
    listed = await servePage();
    stranger = await servePage();
    hub = await createHub({
      listen: [],
      jobs: { services: { work: {} } },
      http: {
        port: 0,
        origins: [listed[1]],
        routes: [{ path: "/app", subject: "app", mode: "app" }],
      },
      observer: { refused: (event) => void refused.push(event) },
    });
    guarded = await createHub({
      listen: [],
      http: { port: 0, origins: [listed[1]] },
      access: { keys: [{ name: "page", role: "service", sha256: sha256Of(KEY) }] },
    });
    await guarded.serve("spy.*", (_value, { subject }) => {
      executed.push(subject);
      return "done";
    });
    await hub.serve("spy.*", (_value, { subject }) => {
      executed.push(subject);
      return subject === "spy.events" ? ticks() : "done";
    });
    await serveHttp(hub, "app", (request: IncomingMessage, response: ServerResponse) => {
      executed.push(`app ${request.url}`);
      if (request.url === "/form") response.setHeader("referrer-policy", "no-referrer");
      response.setHeader("content-type", "text/html").end(PAGE);
    });
    browser = await chromium.launch({
      executablePath: findChromium(),
      args: ["--host-resolver-rules=MAP *.example 127.0.0.1"],
    });
  });

  after(async () => {
    await browser?.close();
    await hub?.close();
    await guarded?.close();
    for (const [server] of [listed, stranger]) {
      server.close();
      server.closeAllConnections();
    }
  });

  /** Tries everything from a page at this address. `statuses` takes what the hub answers. */
  async function tryAll(
    address: string,
    target: string,
    statuses: number[] = [],
  ): Promise<Record<string, unknown>> {
    executed.length = 0;
    refused.length = 0;
    const page = await browser.newPage();
    await page.goto(address);
    page.on("response", (response) => {
      if (response.url().startsWith(target)) statuses.push(response.status());
    });
    const got: Record<string, unknown> = {};
    for (const [name, run] of Object.entries(TRIES)) got[name] = await tried(page, run, target);
    await page.close();
    return got;
  }

  test("a foreign page executes nothing, on another port of this machine either", async () => {
    for (const host of ["127.0.0.1", "localhost", "foreign.example"]) {
      const statuses: number[] = [];
      const got = await tryAll(stranger[1].replace("127.0.0.1", host), hub.httpUrl!, statuses);
      assert.deepEqual(executed, [], host);
      assert.deepEqual([...new Set(statuses)], [403], host);
      assert.ok(refused.length >= Object.keys(TRIES).length, `${refused.length} refusals`);
      assert.deepEqual([...new Set(refused.map(({ reason }) => reason))], ["FOREIGN_ORIGIN"]);
      assert.equal(got.session, "error");
      assert.equal(got.poll, "failed");
      assert.equal(hub.stats().sessions, 0);
    }
  });

  test("a name that was made to point here executes nothing", async () => {
    const { port } = new URL(hub.httpUrl!);
    const evil = `http://evil.example:${port}`;
    const page = await browser.newPage();
    const response = await page.goto(`${evil}/service/work/jobs?wait=0`);
    assert.equal(response?.status(), 403);
    await page.evaluate(`document.write(${JSON.stringify(PAGE)})`);
    const statuses = new Set<number>();
    page.on("response", (answer) => void statuses.add(answer.status()));
    executed.length = 0;
    refused.length = 0;
    for (const [name, run] of Object.entries(TRIES)) {
      const got = await tried(page, run, evil);
      if (name === "poll")
        assert.match(String(got), /FOREIGN_HOST/, "the page may read its own host's answers");
    }
    assert.deepEqual(executed, []);
    assert.deepEqual([...statuses], [403]);
    assert.ok(refused.length >= Object.keys(TRIES).length, `${refused.length} refusals`);
    assert.deepEqual([...new Set(refused.map(({ reason }) => reason))], ["FOREIGN_HOST"]);
    await page.close();
  });

  test("with access, a page that is listed needs a token, and a token does not help another", async () => {
    executed.length = 0;
    const ask = async (origin: string, key?: string): Promise<unknown> => {
      const page = await browser.newPage();
      await page.goto(origin);
      const got = await page.evaluate(
        ([url, token]) =>
          fetch(url!, {
            method: "POST",
            body: "{}",
            headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
          }).then(
            async (response) =>
              response.ok
                ? response.text()
                : `${response.status} ${response.headers.get("www-authenticate")}`,
            () => "failed",
          ),
        [`${guarded.httpUrl}/spy/token`, key],
      );
      await page.close();
      return got;
    };
    assert.equal(await ask(listed[1], KEY), "done");
    assert.deepEqual(executed.splice(0), ["spy.token"]);
    assert.equal(await ask(listed[1]), "401 Bearer");
    assert.equal(await ask(stranger[1], KEY), "failed");
    assert.deepEqual(executed, []);
  });

  test("a page that is listed can do all of it", async () => {
    const got = await tryAll(listed[1], hub.httpUrl!);
    const expected = ["text", "form", "get", "cors", "put", "image", "script", "frame", "submitted"];
    assert.deepEqual(
      executed.filter((subject) => subject !== "spy.hidden").toSorted(),
      [
        ...[...expected, "asking", "beacon", "events"].map((name) => `spy.${name}`),
        "app /image",
        "app /post",
      ].toSorted(),
      JSON.stringify(got),
    );
    assert.equal(got["GET with CORS"], "done");
    assert.equal(got["PUT of JSON"], "done");
    assert.equal(got.events, "message");
    assert.equal(got.session, "open");
    assert.equal(got.poll, "", "no job was there");
  });

  test("pages of an app behind the hub can do all of it, and links of other sites lead there", async () => {
    const app = `${hub.httpUrl}/app`;
    const got = await tryAll(`${app}/form`, hub.httpUrl!);
    assert.ok(executed.length >= Object.keys(TRIES).length - 3, JSON.stringify(got));
    assert.ok(executed.includes("spy.submitted") && executed.includes("app /post"));
    assert.equal(got.session, "open");
    const page = await browser.newPage();
    await page.goto(stranger[1]);
    await page.evaluate(`document.body.innerHTML = '<a href="${app}/linked">a link</a>'`);
    await Promise.all([page.waitForURL(/linked/), page.click("a")]);
    assert.ok(executed.includes("app /linked"));
    await page.close();
  });
});

function ticks(): ReadableStream | AsyncIterable<string> {
  return (async function* () {
    yield "tick";
  })();
}

async function tried(page: Page, run: (hub: string) => Promise<unknown>, target: string): Promise<unknown> {
  const source = `(${run.toString()})(${JSON.stringify(target)})`;
  return page.evaluate(`${source}.then((got) => typeof got === "string" ? got : "sent", () => "failed")`);
}
