/** What one caller may have of what is there for all, by each way in. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { createHub, type Hub } from "../../src/hub/hub.ts";
import type { LintelError } from "../../src/message/failure.ts";
import type { Limits } from "../../src/message/limits.ts";
import { connect } from "../../src/peer/connect.ts";

/** How a request ended: "answered", or the reason. */
type Ask = (subject: string, bytes: number) => Promise<string>;

async function openHub(context: TestContext, limits: Partial<Limits>): Promise<[hub: Hub, unix: string]> {
  const folder = mkdtempSync(join(tmpdir(), "lintel-shares-"));
  const unix = `unix://${folder}/hub.sock`;
  const hub = await createHub({ http: { port: 0 }, listen: ["tcp://127.0.0.1:0", unix], limits });
  context.after(async () => {
    await hub.close();
    rmSync(folder, { recursive: true });
  });
  return [hub, unix];
}

async function session(context: TestContext, url: string): Promise<Ask> {
  const peer = await connect(url);
  context.after(() => peer.close());
  return (subject, bytes) =>
    peer.request(subject, new Uint8Array(bytes)).then(
      () => "answered",
      (error: LintelError) => error.reason,
    );
}

/** Another address of this machine is another caller. */
function http(url: string, localAddress: string): Ask {
  return (subject, bytes) =>
    new Promise((resolve) => {
      const call = httpRequest(`${url}/${subject}`, { method: "POST", localAddress, agent: false });
      call.setHeader("content-type", "application/octet-stream");
      call.on("error", () => resolve("reset"));
      call.on("response", (response) => {
        const { statusCode, headers } = response;
        let body = "";
        response.on("data", (chunk) => (body += String(chunk)));
        response.on("end", () => {
          if (statusCode! < 300) return resolve("answered");
          assert.deepEqual([statusCode, headers["retry-after"]], [503, "1"], body);
          resolve((JSON.parse(body) as { reason: string }).reason);
        });
      });
      call.end(new Uint8Array(bytes));
    });
}

type Way = (context: TestContext, hub: Hub, unix: string, number: number) => Promise<Ask>;

/** Ways in; each call is another caller. */
const WAYS: Readonly<Record<string, Way>> = {
  tcp: (context, hub) => session(context, hub.urls[0]!),
  unix: (context, _hub, unix) => session(context, unix),
  ws: (context, hub) => session(context, hub.sessionUrl!),
  http1: (context, hub) => session(context, hub.httpUrl!.replace("http", "http1")),
  http: (_context, hub, _unix, number) => Promise.resolve(http(hub.httpUrl!, `127.0.0.${number}`)),
  "the process itself": (_context, hub) =>
    Promise.resolve((subject, bytes) =>
      hub.request(subject, new Uint8Array(bytes)).then(
        () => "answered",
        (error: LintelError) => error.reason,
      ),
    ),
};

const SIZE = 10_000;
const TIMES = 30;

for (const [way, open] of Object.entries(WAYS)) {
  test(`by ${way}: a caller keeps its share of the queue's bytes waiting, and others get in`, async (context) => {
    const limits = { queueBytes: 500_000, callerShare: 20, payload: 50_000, headers: 16_384, concurrency: 1 };
    const [hub, unix] = await openHub(context, limits);
    let free: (() => void) | undefined;
    await hub.serve("busy", () =>
      free === undefined ? new Promise<void>((resolve) => (free = resolve)) : 1,
    );
    const held = hub.request("busy", 1);
    const ask = await open(context, hub, unix, 1);
    const refused = Array.from({ length: TIMES }, () => ask("busy", SIZE));
    const fits = Math.floor(100_000 / (SIZE + 256));
    for (let count = fits; count < TIMES; count++) {
      const pending = refused.map((one, index) => one.then((reason) => ({ reason, index })));
      const { reason, index } = await Promise.race(pending);
      assert.equal(reason, "QUEUE_FULL");
      void refused.splice(index, 1);
    }
    const { keptBytes, queueFull } = hub.stats();
    assert.ok(keptBytes <= 100_000 && keptBytes > (fits - 1) * SIZE, `${keptBytes} bytes are kept`);
    assert.equal(queueFull, TIMES - fits);
    const other = (await open(context, hub, unix, 2))("busy", SIZE);
    const another = way === "tcp" ? WAYS.http! : WAYS.tcp!;
    const elsewhere = (await another(context, hub, unix, 3))("busy", SIZE);
    const all = Promise.all([held, ...refused, ...(way === "the process itself" ? [] : [other]), elsewhere]);
    free!();
    for (const outcome of (await all).slice(1)) assert.equal(outcome, "answered");
    assert.equal(hub.stats().keptBytes, 0);
  });
}
