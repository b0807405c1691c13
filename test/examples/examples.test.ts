/** The programs that people read and run first, run as they are, on free ports. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";
import { createHub } from "../../src/index.ts";
import { Running, start } from "../cli/cli-process.ts";
import { Postgres, client } from "../gateway/tunnel/postgres.ts";
import { pathOf } from "../house/provide.ts";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

function example(name: string, ...args: string[]): Running {
  return new Running(process.execPath, [`examples/${name}`, ...args], { cwd: ROOT });
}

/** Where the hub of start.js takes HTTP requests. */
async function httpOf(running: Running): Promise<string> {
  await running.prints(/\[worker\] serving "greet" at tcp:/);
  const [, url = ""] = await running.prints(
    /^ {2}curl -d '\{"name":"Ada"\}' (http:\/\/127\.0\.0\.1:\d+)\/greet$/m,
  );
  return url;
}

/** What `curl -d` sends. */
async function greet(url: string, name: string): Promise<string> {
  const headers = { "content-type": "application/x-www-form-urlencoded" };
  const response = await fetch(`${url}/greet`, { method: "POST", headers, body: JSON.stringify({ name }) });
  assert.equal(response.status, 200);
  return response.text();
}

test("npm start: what it says to try gives what it says", async () => {
  await using running = example("start.js", "0", "0");
  const url = await httpOf(running);
  await running.prints(
    /^\[hub\] every program of this machine may do everything; other machines .* nothing/m,
  );
  assert.equal(await greet(url, "Ada"), '{"hello":"Ada"}');
  await running.prints(/^\[worker\] greeting Ada$/m);
  await running.prints(/^\[hub\] POST \/greet 200 in [\d.]+ ms$/m);
  const { exit, stderr } = await running.stop("SIGINT");
  assert.equal(exit, 0);
  assert.equal(stderr, "");
});

test("npm start: a worker that dies is replaced", async () => {
  await using running = example("start.js", "0", "0");
  const url = await httpOf(running);
  const [, pid = ""] = await running.prints(/\[hub\] the worker is process (\d+)/);
  process.kill(Number(pid), "SIGKILL");
  await running.prints(/\[hub\] the worker ended \(SIGKILL\); starting another one/);
  await running.prints(/(\[worker\] serving [^]*){2}/);
  assert.equal(await greet(url, "Bob"), '{"hello":"Bob"}');
  assert.equal((await running.stop("SIGTERM")).exit, 0);
});

test("npm start: a port that is taken is explained", async () => {
  await using hub = await createHub({ http: { port: 0 }, listen: [] });
  const { port } = new URL(hub.httpUrl ?? "");
  const { exit, stderr } = await example("start.js", port, "0").ended;
  assert.equal(exit, 1);
  assert.match(stderr, new RegExp(`^\\[hub\\] 127\\.0\\.0\\.1:${port} is taken: does a hub run already\\?`));
});

test("tunnel.js: the command it gives reaches the database", async () => {
  pathOf("psql");
  await using postgres = await Postgres.start();
  await using running = example("tunnel.js", `127.0.0.1:${postgres.port}`);
  const [, port] = await running.prints(
    /try it: psql -h 127\.0\.0\.1 -p (\d+) -U postgres -c 'select version\(\)'$/m,
  );
  assert.match(await client("psql", Number(port), ["-c", "select version()"]), /PostgreSQL \d+/);
  const { exit, stderr } = await running.stop("SIGINT");
  assert.deepEqual([exit, stderr], [0, ""]);
});

test("tokens-worker.js: curl sees each word when it is there, and leaving stops the worker", async () => {
  await using hub = await createHub({ http: { port: 0 }, listen: ["tcp://127.0.0.1:0"] });
  await using worker = example("tokens-worker.js", hub.urls[0]!);
  await worker.prints(/^\[tokens\] serving "chat" at tcp:/m);
  const ask = (): Running => new Running("curl", ["-sN", "-d", '{"prompt":"Why?"}', `${hub.httpUrl}/chat`]);
  await using curl = ask();
  const [early = ""] = await curl.prints(/^id: 0\ndata: \{"token":"You"\}\n\n/);
  assert.ok(early.length > 0 && !curl.stdout.includes("done"));
  const { exit, stdout } = await curl.ended;
  assert.equal(exit, 0);
  const said = [...stdout.matchAll(/^id: \d+\ndata: (.*)$/gm)].map(([, data = ""]) => data);
  const words = said.map((data) => (JSON.parse(data) as { token: string }).token).join(" ");
  assert.equal(words, 'You asked: "Why?" I think about it, and I say it word by word.');
  assert.match(stdout, /\n\nevent: done\ndata: \{"tokens":14\}\n\n$/);
  await worker.prints(/^\[tokens\] done$/m);
  await using leaving = ask();
  await leaving.prints(/"token":"asked:"/);
  await leaving.stop("SIGINT");
  await worker.prints(/^\[tokens\] the caller left$/m);
  assert.equal((await worker.stop("SIGTERM")).exit, 0);
});

test("gzip-worker.js: a file larger than any message goes through as a stream", async () => {
  await using hub = await createHub({ http: { port: 0 }, listen: ["tcp://127.0.0.1:0"] });
  await using worker = example("gzip-worker.js", hub.urls[0]!);
  await worker.prints(/^\[gzip\] serving "gzip" at tcp:/m);
  const line = "all work and no play makes Jack a dull boy\n";
  const file = line.repeat(200_000);
  await using request = start(["request", "gzip", "-", "--stream", "--hub", hub.urls[0]!]);
  request.child.stdin.end(file);
  const { exit, stdout, stderr } = await request.ended;
  assert.deepEqual([exit, stderr], [0, ""]);
  assert.equal(gunzipSync(Buffer.from(stdout, "latin1")).toString(), file);
  await using curl = new Running("curl", [
    ...["-s", "--data-binary", line, "-H", "Content-Type: text/plain"],
    `${hub.httpUrl}/gzip`,
  ]);
  assert.equal(gunzipSync(Buffer.from((await curl.ended).stdout, "latin1")).toString(), line);
  assert.equal((await worker.stop("SIGTERM")).exit, 0);
});

test("npm run demo: every step goes as told", async () => {
  const { exit, stdout, stderr } = await example("demo.js").ended;
  assert.equal(stderr, "");
  assert.equal(exit, 0);
  assert.equal(stdout.match(/^ {2}ok: /gm)?.length, 7);
  assert.match(stdout, /all went as told\n$/);
});

test("chat.js: everybody in the room hears what is said, in order", async () => {
  const { exit, stdout, stderr } = await example("chat.js").ended;
  assert.equal(stderr, "");
  assert.equal(exit, 0);
  assert.deepEqual(stdout.trim().split("\n"), [
    "Ada is here",
    "Bob is here",
    "Bob: hello",
    "Bob: bye",
    "Bob has left",
  ]);
});
