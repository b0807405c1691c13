/** Unmodified apps behind a real hub, in real processes, held to their own suites; and what they listen on. */
import assert from "node:assert/strict";
import {
  readFileSync,
  readdirSync,
  readlinkSync,
  existsSync,
  writeFileSync,
  mkdtempSync,
  rmSync,
} from "node:fs";
import { createServer, type RequestListener, type Server } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { after, before, describe, test } from "node:test";
import { getRequestListener } from "@hono/node-server";
import { lintel, start, type Running } from "../cli/cli-process.ts";
import { NOTES } from "./notes-suite.ts";
import { SHOP, type Case } from "./shop-suite.ts";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

interface AppUnderTest {
  readonly file: string;
  readonly subject: string;
  readonly suite: Readonly<Record<string, Case>>;
  /** The app as it would be without a hub. */
  readonly alone: (exported: unknown) => RequestListener;
}

const APPS: readonly AppUnderTest[] = [
  { file: "shop-app.js", subject: "shop", suite: SHOP, alone: (app) => app as RequestListener },
  {
    file: "notes-app.js",
    subject: "notes",
    suite: NOTES,
    alone: (app) => getRequestListener((app as { fetch: (request: Request) => Response }).fetch),
  },
];

/** Local addresses of the TCP sockets in state LISTEN that a process holds, by the inodes of its descriptors. */
function listeningSockets(pid: number): string[] {
  const inodes = new Set<string>();
  for (const fd of readdirSync(`/proc/${pid}/fd`)) {
    let target = "";
    try {
      target = readlinkSync(`/proc/${pid}/fd/${fd}`);
    } catch {
      // closed since it was listed
    }
    const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1];
    if (inode !== undefined) inodes.add(inode);
  }
  return ["tcp", "tcp6"].flatMap((table) => {
    if (!existsSync(`/proc/${pid}/net/${table}`)) return [];
    const rows = readFileSync(`/proc/${pid}/net/${table}`, "utf8").trim().split("\n").slice(1);
    return rows.flatMap((row) => {
      const [, local = "", , state, , , , , , inode = ""] = row.trim().split(/\s+/);
      return state === "0A" && inodes.has(inode) ? [local] : [];
    });
  });
}

for (const { file, subject, suite, alone } of APPS) {
  describe(`${file} by itself`, () => {
    let server: Server;
    let url = "";
    before(async () => {
      const module = (await import(pathToFileURL(join(ROOT, "examples/web-apps", file)).href)) as {
        default: unknown;
      };
      server = createServer(alone(module.default)).listen(0, "127.0.0.1");
      await once(server, "listening");
      url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    });
    after(() => {
      server.close();
      server.closeAllConnections();
    });
    for (const [name, run] of Object.entries(suite)) test(name, () => run(url, "").then(() => undefined));
  });

  for (const base of ["", "/shelf/7"]) {
    describe(`${file} behind a hub at ${base === "" ? "/" : base}`, () => {
      const folder = mkdtempSync(join(tmpdir(), "lintel-apps-"));
      let hub: Running;
      let worker: Running;
      let url = "";
      let listen: string[] = [];
      const startWorker = async (): Promise<void> => {
        const args = ["work-app", join("examples/web-apps", file), "-s", subject, "--hub", listen[0]!];
        worker = start(args, { cwd: ROOT });
        await worker.prints(/serving .* with the (Express|Hono) app of examples/, "stderr");
      };
      before(async () => {
        const path = base === "" ? "/" : base;
        const config = { routes: [{ path, subject, mode: "app" }] };
        writeFileSync(join(folder, "lintel.yaml"), JSON.stringify(config));
        const flags = ["--http", "0", "--listen", "tcp://127.0.0.1:0", "--log", "json"];
        hub = start(["serve", "--config", join(folder, "lintel.yaml"), ...flags]);
        const [line] = await hub.prints(/^\{.*"event":"listening".*\}$/m);
        const opened = JSON.parse(line) as { http: string; listen: string[] };
        listen = opened.listen;
        url = `${opened.http}${base}`;
        await startWorker();
      });
      after(async () => {
        await worker[Symbol.asyncDispose]();
        await hub[Symbol.asyncDispose]();
        rmSync(folder, { recursive: true, force: true });
      });
      for (const [name, run] of Object.entries(suite)) test(name, () => run(url, base).then(() => undefined));

      test("its process listens on nothing, while the hub's does", () => {
        assert.deepEqual(listeningSockets(worker.child.pid!), []);
        assert.equal(listeningSockets(hub.child.pid!).length, 2);
      });

      test("killed in the middle of an answer, it is cut off; another process takes its place", async () => {
        const events = await fetch(`${url}/events?count=1000000`);
        const reader = events.body!.getReader();
        await reader.read();
        await worker.stop("SIGKILL");
        await assert.rejects(async () => {
          while (!(await reader.read()).done);
        });
        await startWorker();
        assert.equal((await fetch(`${url}/nothing`)).status, 404);
      });

      test("it ends when it is told to, with 0", async () => {
        assert.equal((await worker.stop()).exit, 0);
        assert.equal((await fetch(url)).status, 503);
      });
    });
  }
}

describe("lintel work-app", () => {
  const folder = mkdtempSync(join(tmpdir(), "lintel-apps-"));
  after(() => rmSync(folder, { recursive: true, force: true }));
  const run = async (source: string, name = "app.mjs"): Promise<{ exit: unknown; stderr: string }> => {
    writeFileSync(join(folder, name), source);
    return lintel(["work-app", join(folder, name), "--subject", "shop", "--hub", "tcp://127.0.0.1:1"]);
  };

  test("says what is there where there is no app", async () => {
    const cases: readonly (readonly [source: string, complaint: RegExp])[] = [
      ["export const other = 1;", /exports no app: it should have an export default/],
      ["export default 7;", /exports as default cannot be served: it is a number, not a web app/],
      ["export default { get: 1, post: 2 };", /it is an object with get, post, not a web app/],
      ["export default () => undefined;", /a function without parameters that returned nothing/],
      [
        "import { createServer } from 'node:http'; export default createServer((q, s) => s.end()).listen(0);" +
          "await new Promise((r) => setTimeout(r, 50)); setTimeout(() => process.exit(), 5000).unref();",
        /listens on a port already; export it without calling listen\(\)/,
      ],
    ];
    for (const [source, complaint] of cases) {
      const { exit, stderr } = await run(source);
      assert.match(stderr, complaint);
      assert.equal(exit, 2, stderr);
    }
  });

  test("an app that throws while it is loaded is told of with its stack", async () => {
    const { exit, stderr } = await run("throw new Error('no database');");
    assert.match(stderr, /no database/);
    assert.match(stderr, /app\.mjs/);
    assert.equal(exit, 1);
  });

  test("a file that is not there, and a subject that is missing, are wrong usage", async () => {
    const none = await lintel(["work-app", join(folder, "none.js"), "--subject", "shop"]);
    assert.match(none.stderr, /there is no file .*none\.js/);
    assert.equal(none.exit, 2);
    assert.equal((await lintel(["work-app", "x.js"])).exit, 2);
  });
});
