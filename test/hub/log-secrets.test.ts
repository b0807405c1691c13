/** What logs and error texts must not have: ids that are all one needs, queries, passwords in URLs. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, test, type TestContext } from "node:test";
import type { RequestRecord } from "../../src/observe/observer.ts";
import { connect, createHub, type Hub } from "../../src/index.ts";
import { RawCaller } from "../gateway/http/harness.ts";
import { lintel } from "../cli/cli-process.ts";

const ANSWER = "KjgSxkcpjOPL4GSH5P7blk2S";
const JOB = "7f2c1a52-5d0e-4d64-8a35-08c9a0f2c0de";
const SESSION = "AbCdEfGhIjKlMnOpQrStUv";
const KEY = "hunter2";
const SECRETS = [ANSWER, JOB, SESSION, KEY];

const HOST = "Host: localhost\r\n";
const LONG = `X: ${"a".repeat(50_000)}\r\n`;

/** Requests that name something secret, and the path that a log may show. */
const REQUESTS: readonly (readonly [line: string, more: string, shown: string])[] = [
  [`GET /.lintel/answers/${ANSWER}`, HOST, "/.lintel/answers/*"],
  [`DELETE /.lintel/answers/${ANSWER}`, HOST, "/.lintel/answers/*"],
  [`PUT /.lintel/answers/${ANSWER}`, HOST, "/.lintel/answers/*"],
  [`GET /.lintel/answers/${ANSWER}/more?key=${KEY}`, HOST, "/.lintel/answers/*"],
  [`GET /.lintel/answers/${ANSWER}`, `${HOST}Origin: https://evil.example\r\n`, "/.lintel/answers/*"],
  [`GET /.lintel/answers/${ANSWER}`, "Host: evil.example\r\n", "/.lintel/answers/*"],
  [`GET /.lintel/answers/${ANSWER}?key=${KEY}`, HOST + LONG, "/.lintel/answers/*"],
  [`GET /.lintel/answers/${ANSWER}`, `${HOST}Content-Length: 9000000\r\n`, "/.lintel/answers/*"],
  [`GET /%2elintel/answers/${ANSWER}`, HOST, "/.lintel/answers/*"],
  [`GET /.lintel/answers%2f${ANSWER}`, HOST, "/.lintel/answers/*"],
  [`GET //.lintel/answers/${ANSWER}`, HOST, "//.lintel/answers/*"],
  [`GET /api/.lintel/answers/${ANSWER}`, HOST, "/api/.lintel/answers/*"],
  [`GET http://localhost/.lintel/answers/${ANSWER}`, HOST, "/.lintel/answers/*"],
  [`POST /.lintel/session/${SESSION}/0`, HOST, "/.lintel/session/*"],
  [`DELETE /.lintel/session/${SESSION}`, HOST, "/.lintel/session/*"],
  [`POST /jobs/${JOB}`, HOST, "/jobs/*"],
  [`DELETE /jobs/${JOB}`, HOST, "/jobs/*"],
  [`PUT /jobs/${JOB}`, HOST, "/jobs/*"],
  [`POST /jobs/${JOB}/response`, HOST, "/jobs/*/response"],
  [`POST /jobs/${JOB}/other`, HOST, "/jobs/*"],
  [`POST /jobs/${JOB}/a/b`, HOST, "/jobs/*"],
  [`POST /jobs/x/${JOB}`, HOST, "/jobs/*"],
  [`POST /jobs//${JOB}`, HOST, "/jobs/*"],
  [`POST /jobs%2f${JOB}`, HOST, "/jobs/*"],
  [`POST /jobs/${JOB}?status=200&key=${KEY}`, HOST + LONG, "/jobs/*"],
  [`POST /jobs/${JOB}`, `${HOST}Content-Length: 9000000\r\n`, "/jobs/*"],
  [`POST /jobs/${JOB}`, `${HOST}Sec-Fetch-Site: cross-site\r\n`, "/jobs/*"],
  [`POST /jobs/${JOB}`, `${HOST}Transfer-Encoding: gzip\r\n`, "/jobs/*"],
  [`GET /greet?key=${KEY}`, HOST, "/greet"],
  [`GET /a%20b?key=${KEY}`, HOST, "/a%20b"],
  [`GET /?key=${KEY}`, HOST, "/"],
  [`GET /greet?key=${KEY}`, HOST + LONG, "/greet"],
  [`GET /greet#${KEY}`, HOST, "/greet"],
  [`GET /greet?key=${KEY}`, "", "/greet"],
  [`GET /greet?${"a".repeat(9_000)}${KEY}`, HOST, "/greet"],
  [`GET http://me:${KEY}@localhost/greet`, HOST, "/greet"],
  [`GET http://me:${KEY}@other.example/greet?x`, HOST, "/greet"],
];

type Start = (
  context: TestContext,
  onRequest: (record: RequestRecord) => void,
  sessions: boolean,
) => Promise<[Hub, number]>;

const HUBS: Readonly<Record<string, Start>> = {
  "a port": async (context, onRequest, sessions) => {
    const hub = await createHub({ listen: [], jobs: true, http: { port: 0, onRequest, sessions } });
    context.after(() => hub.close());
    return [hub, Number(new URL(hub.httpUrl!).port)];
  },
  "a server of somebody else's": async (context, onRequest, sessions) => {
    const hub = await createHub({ listen: [], http: false, jobs: true });
    const { request } = await hub.handler({ jobs: true, onRequest, sessions });
    const server = createServer({ maxHeaderSize: 90_000 }, (asked, response) => request(asked, response));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    context.after(async () => {
      await hub.close();
      server.close();
      server.closeAllConnections();
    });
    return [hub, (server.address() as AddressInfo).port];
  },
};

for (const [name, start] of Object.entries(HUBS)) {
  test(`the log of ${name} has no ids, and paths without a query`, async (context) => {
    const records: RequestRecord[] = [];
    const [hub, port] = await start(context, (record) => void records.push(record), false);
    await hub.serve("greet", () => "hello");
    for (const [line, more, shown] of REQUESTS) {
      if (name !== "a port" && more === "") continue; // such a server refuses it itself
      records.length = 0;
      const caller = new RawCaller(port);
      await caller.send(`${line} HTTP/1.1\r\n${more}\r\n`).response();
      caller.close();
      assert.deepEqual(
        records.map(({ path }) => path),
        [shown],
        line,
      );
      const text = JSON.stringify(records);
      assert.ok(!SECRETS.some((secret) => text.includes(secret)), text);
    }
  });
}

test("an answer that is kept is fetched without its id in the log", async (context) => {
  const records: RequestRecord[] = [];
  const [hub, port] = await HUBS["a port"]!(context, (record) => void records.push(record), true);
  let answer: (value: string) => void = () => undefined;
  await hub.serve("slow", () => new Promise((resolve) => (answer = resolve)));
  const url = `http://127.0.0.1:${port}`;
  const accepted = await fetch(`${url}/slow`, { method: "POST", headers: { prefer: "respond-async" } });
  const location = accepted.headers.get("location")!;
  assert.equal((await fetch(url + location)).status, 202);
  answer("at last");
  assert.equal(await (await fetch(url + location)).text(), "at last");
  assert.equal((await fetch(url + location)).status, 404);
  const id = location.split("/").at(-1)!;
  assert.ok(id.length >= 22);
  assert.ok(!JSON.stringify(records).includes(id), JSON.stringify(records));
  assert.deepEqual(
    records.map(({ method, path, status }) => `${method} ${path} ${status}`),
    [
      "POST /slow 202",
      "GET /.lintel/answers/* 202",
      "GET /.lintel/answers/* 200",
      "GET /.lintel/answers/* 404",
    ],
  );
});

describe("a password or a key in a URL is not passed on", () => {
  const urls = [
    "tcp://me:hunter2@127.0.0.1:1",
    "tls://me:hunter2@127.0.0.1:1",
    "tcp://127.0.0.1:1?key=hunter2",
    "tcp://127.0.0.1:1/#hunter2",
    "ws://me:hunter2@127.0.0.1:1/x",
    "ws://127.0.0.1:1/?key=hunter2",
    "wss://hunter2@127.0.0.1:1",
    "h2c://me:hunter2@127.0.0.1:1",
    "http1://127.0.0.1:1/x?token=hunter2",
    "nats://me:hunter2@127.0.0.1:1",
    "tcp:me:hunter2@127.0.0.1",
  ];
  for (const url of urls) {
    test(url, async () => {
      const refused = async (attempt: Promise<unknown>): Promise<void> => {
        await assert.rejects(attempt, (error: Error) => {
          assert.ok(!`${error.message} ${String(error.cause)}`.includes(KEY), error.message);
          return true;
        });
      };
      await refused(connect(url, { timeoutMs: 50 }));
      await refused(createHub({ listen: [url], http: false }));
    });
  }

  test("nor by a command", async () => {
    const { stderr, exit } = await lintel(["request", "greet", "--hub", "tcp://me:hunter2@127.0.0.1:1"]);
    assert.notEqual(exit, 0);
    assert.match(stderr, /127\.0\.0\.1:1/);
    assert.doesNotMatch(stderr, /hunter2/);
  });
});
