/** Chromium, and pages that have the client as the package brings it. */
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { chromium, type Browser, type Page } from "playwright-core";
import type * as client from "../../src/client/browser.ts";
import { findProgram, provide } from "../house/provide.ts";
import { root } from "../house/root.ts";
import { Watched } from "../wire/watched.ts";

/** What the pages' own scripts see, for functions that are run there. */
export interface Tab {
  readonly lintel: typeof client;
  /** Tells the test. */
  readonly say: (what: unknown) => Promise<void>;
}

const NAMES = ["chromium", "chromium-browser", "google-chrome"];

/** Where the Chromium of this machine is, which is installed first if there is none. */
export function findChromium(): string {
  provide("chromium");
  return NAMES.map((name) => findProgram(name)).find((path) => path !== undefined)!;
}

export async function launchChromium(): Promise<Browser> {
  return chromium.launch({ executablePath: findChromium() });
}

const PAGE = `<!doctype html>
<link rel="icon" href="data:,">
<script type="importmap">
  { "imports": { "lintel/client": "/client.js", "lintel/commands": "/commands.js", "lintel/text": "/text.js" } }
</script>
<script type="module">globalThis.lintel = await import("lintel/client");</script>`;

const FILES: ReadonlySet<string> = new Set(["/client.js", "/commands.js", "/text.js", "/msgpack.js"]);

/** Serves an empty page with the client in it. Every server is an origin of its own. */
export class PageServer {
  readonly origin: string;
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
    this.origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  static async start(): Promise<PageServer> {
    const server = createServer((request, response) => {
      const path = request.url ?? "/";
      if (!FILES.has(path)) {
        response.setHeader("content-type", "text/html").end(PAGE);
        return;
      }
      response.setHeader("content-type", "text/javascript");
      readFile(join(root, "dist/browser", path)).then(
        (bytes) => response.end(bytes),
        () => response.writeHead(500).end(),
      );
    });
    await once(server.listen(0, "127.0.0.1"), "listening");
    return new PageServer(server);
  }

  stop(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}

/** What a page has said, in order. */
export class Notes extends Watched {
  readonly said: unknown[] = [];

  add(what: unknown): void {
    this.said.push(what);
    this.changed();
  }

  /** Waits until the page has said this as its next word after those asked for before. */
  async hears(...words: unknown[]): Promise<void> {
    const missing = (): unknown[] => words.filter((word) => !this.said.includes(word));
    await this.until(() => missing().length === 0);
    for (const word of words) this.said.splice(this.said.indexOf(word), 1);
  }
}

/** Opens a page with the client. `prepare` runs before any script of the page. */
export async function openPage(
  browser: Browser,
  url: string,
  prepare?: () => void,
): Promise<{ page: Page; notes: Notes }> {
  const page = await browser.newPage();
  const notes = new Notes();
  page.on("pageerror", (error) => notes.add(`page error: ${error.message}`));
  await page.exposeFunction("say", (what: unknown) => notes.add(what));
  if (prepare !== undefined) await page.addInitScript(prepare);
  await page.goto(url);
  await page.waitForFunction("globalThis.lintel !== undefined");
  return { page, notes };
}
