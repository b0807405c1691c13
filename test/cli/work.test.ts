import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { createHub, LintelError, type Hub, type Reply } from "../../src/index.ts";
import { start, type Running } from "./cli-process.ts";

let hub: Hub;
const env: Record<string, string> = {};

before(async () => {
  const routes = [{ path: "/things/{id}", subject: "env" }];
  hub = await createHub({ http: { port: 0, routes }, listen: ["tcp://127.0.0.1:0"] });
  env["LINTEL_HUB"] = hub.urls[0] ?? "";
});
after(() => hub.close());

/** Starts a worker and waits until requests reach it. */
async function worker(args: readonly string[]): Promise<Running> {
  const running = start(["work", ...args], { env });
  await running.prints(/^lintel: serving /m, "stderr");
  return running;
}

async function failureOf(request: Promise<unknown>): Promise<LintelError> {
  const error = await request.then(
    (value) => assert.fail(`answered ${JSON.stringify(value)}`),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof LintelError, String(error));
  return error;
}

function ask(subject: string, value?: unknown): Promise<Reply> {
  return hub.request(subject, value, { full: true });
}

test("any program answers requests: body on stdin, answer on stdout", async () => {
  await using running = await worker(["cat", "--", "cat"]);
  assert.deepEqual(await hub.request("cat", { a: 1 }), { a: 1 });
  assert.deepEqual(await hub.request("cat", new Uint8Array([0, 255])), new Uint8Array([0, 255]));
  assert.equal(await hub.request("cat"), undefined);
  const response = await fetch(`${hub.httpUrl}/cat`, { method: "POST", body: '{"name": "Ada"}' });
  assert.equal(await response.text(), '{"name": "Ada"}');
  const big = "x".repeat(900_000);
  assert.equal(Buffer.from((await ask("cat", big)).body).toString(), big);
  const { exit, stdout, stderr } = await running.stop("SIGINT");
  assert.equal(exit, 0);
  assert.equal(stdout, "");
  assert.match(stderr, /^lintel: serving cat at \S+ with cat, \d+ at a time\nlintel: finishing .*\n$/);
});

test("a program gets every body as it came, whatever its type says", async () => {
  await using _ = await worker(["any", "--", "cat"]);
  await using streaming = await worker(["any.stream", "--stream", "--", "cat"]);
  void streaming;
  const bodies: [type: string, body: Buffer][] = [
    ["text/csv", Buffer.from("caf\u00e9", "latin1")],
    ["text/plain; charset=klingon", Buffer.from([0, 255])],
    ["application/json", Buffer.from('{"a":')],
    ["application/x-www-form-urlencoded", Buffer.from("a=%E9")],
  ];
  for (const [type, body] of bodies) {
    for (const path of ["any", "any/stream"]) {
      const response = await fetch(`${hub.httpUrl}/${path}`, {
        method: "POST",
        body: new Uint8Array(body),
        headers: { "content-type": type },
      });
      assert.deepEqual(Buffer.from(await response.arrayBuffer()), body, `${path} ${type}`);
    }
  }
});

test("half a surrogate pair in a line stays what it is", async () => {
  await using _ = await worker(["half", "--lines", "--", "cat"]);
  const response = await fetch(`${hub.httpUrl}/half`, {
    method: "POST",
    body: '"\\ud800"',
    headers: { "content-type": "application/json" },
  });
  assert.equal(await response.text(), '"\\ud800"');
});

test("a program that reads nothing of a large body answers all the same", async () => {
  await using _ = await worker(["deaf", "--", "sh", "-c", "exec 0<&-; printf heard"]);
  assert.equal(Buffer.from((await ask("deaf", "x".repeat(900_000))).body).toString(), "heard");
});

test("the environment tells of the request", async () => {
  const script =
    'printf "%s|" "$LINTEL_SUBJECT" "$LINTEL_METHOD" "$LINTEL_PATH" "$LINTEL_QUERY" "$LINTEL_PARAM_ID"; printf "$LINTEL_DEADLINE_MS"';
  await using _ = await worker(["env", "--type", "text/plain", "--", "sh", "-c", script]);
  const response = await fetch(`${hub.httpUrl}/things/7?q=a%20b`);
  const [subject, method, path, query, id, deadline] = (await response.text()).split("|");
  assert.deepEqual([subject, method, path, query, id], ["env", "GET", "/things/7", "q=a+b", "7"]);
  assert.ok(Math.abs(Number(deadline) - Date.now() - 30_000) < 10_000, deadline);
  assert.match(response.headers.get("content-type") ?? "", /^text\/plain/);
  const text = await hub.request<string>("env");
  assert.match(text, /^env\|\|\|\|\|\d+$/);
});

test("a program that fails fails the request with its last words", async () => {
  await using running = await worker([
    "fail",
    "--",
    "sh",
    "-c",
    "echo first >&2; echo no such file >&2; exit 3",
  ]);
  const error = await failureOf(ask("fail"));
  assert.deepEqual([error.code, error.reason, error.message], ["internal", "COMMAND_FAILED", "no such file"]);
  assert.deepEqual(error.details, { code: 3, signal: null });
  await running.prints(/first\nno such file\n/, "stderr");
  await using _ = await worker(["mute", "--", "sh", "-c", "kill -9 $$"]);
  assert.equal((await failureOf(ask("mute"))).message, "the command was ended by SIGKILL");
});

test("a character that two reads cut in the last words is whole", async () => {
  await using _ = await worker([
    "cut",
    "--",
    "sh",
    "-c",
    "printf 'caf\\303' >&2; sleep 0.1; printf '\\251' >&2; exit 1",
  ]);
  assert.equal((await failureOf(ask("cut"))).message, "café");
});

test("a caller that leaves, or a deadline, ends the program", async () => {
  const script =
    "trap 'echo asked to end >&2; exit 1' TERM; echo begun $LINTEL_DEADLINE_MS >&2; while :; do sleep 0.05; done";
  await using running = await worker(["slow", "--concurrency", "1", "--", "sh", "-c", script]);
  const caller = new AbortController();
  const request = failureOf(hub.request("slow", undefined, { signal: caller.signal }));
  await running.prints(/begun \d+\n/, "stderr");
  caller.abort();
  assert.equal((await request).reason, "CALLER_GONE");
  await running.prints(/begun [^]*asked to end\n/, "stderr");
  const error = await failureOf(hub.request("slow", undefined, { timeoutMs: 2_000 }));
  assert.equal(error.reason, "DEADLINE");
  await running.prints(/(begun [^]*asked to end\n){2}/, "stderr");
});

test("a program that ignores SIGTERM is killed with what it started, and holds its place until then", async () => {
  const script = "trap '' TERM; echo begun >&2; while :; do sleep 600; done";
  await using running = await worker(["deaf.slow", "--grace", "0.2", "-n", "1", "--", "sh", "-c", script]);
  const caller = new AbortController();
  const first = failureOf(hub.request("deaf.slow", undefined, { signal: caller.signal }));
  await running.prints(/begun\n/, "stderr");
  const abortedAt = performance.now();
  caller.abort();
  assert.equal((await first).reason, "CALLER_GONE");
  const next = new AbortController();
  const second = failureOf(hub.request("deaf.slow", undefined, { signal: next.signal }));
  await running.prints(/begun\nbegun\n/, "stderr");
  assert.ok(performance.now() - abortedAt >= 200, "two at a time");
  next.abort();
  await second;
  assert.equal((await running.stop("SIGTERM")).exit, 0); // waits for the last program to be killed
});

test("an answer over the limit is refused and its program ended", async () => {
  await using running = await worker(["flood", "--", "sh", "-c", "cat /dev/zero"]);
  const error = await failureOf(ask("flood"));
  assert.deepEqual([error.code, error.reason], ["internal", "BAD_ANSWER"]);
  await running.prints(
    /^lintel: the answer to flood is not sent: the command wrote more than 1048576 bytes$/m,
    "stderr",
  );
});

test("a pattern can be served, in a queue group", async () => {
  await using _ = await worker(["any.*", "--queue", "q", "--", "cat"]);
  assert.deepEqual(await hub.request("any.thing", [1]), [1]);
});

test("a worker that is asked to end finishes what is in hand", async () => {
  // The program waits until its worker has been asked to end, then answers.
  const script = "echo begun >&2; while ! test -e $0; do sleep 0.02; done; printf done";
  const directory = await mkdtemp(join(tmpdir(), "lintel-work-"));
  const gate = join(directory, "gate");
  await using running = await worker(["gated", "--", "sh", "-c", script, gate]);
  const answer = ask("gated");
  await running.prints(/begun/, "stderr");
  const ended = running.stop("SIGTERM");
  await running.prints(/finishing/, "stderr");
  await writeFile(gate, "");
  assert.equal(Buffer.from((await answer).body).toString(), "done");
  assert.equal((await ended).exit, 0);
  await rm(directory, { recursive: true });
});

/** What LINES answers. */
interface Spoken {
  readonly pid: number;
  readonly value: unknown;
}

/** Answers each line with what it says. */
const LINES = `
  require("node:readline").createInterface({ input: process.stdin }).on("line", (line) => {
    const value = JSON.parse(line);
    if (value === "die") process.exit(4);
    if (value === "hang") return;
    if (value === "two") return console.log("1\\n2");
    if (value === "garbage") return console.log("oh no");
    if (value?.code) return console.log(JSON.stringify({ error: value }));
    console.log(JSON.stringify({ pid: process.pid, value }));
  })`;

test("--lines keeps one program and speaks a line of JSON each way", async () => {
  await using running = await worker(["lines", "--lines", "--", process.execPath, "-e", LINES]);
  const answers = (await Promise.all(
    [{ a: "b\nc" }, "text", undefined, [1]].map((value) => hub.request("lines", value)),
  )) as Spoken[];
  assert.deepEqual(
    answers.map(({ value }) => value),
    [{ a: "b\nc" }, "text", null, [1]],
  );
  assert.equal(new Set(answers.map(({ pid }) => pid)).size, 1);
  assert.equal((await hub.request<Spoken>("lines", Buffer.from("é"))).value, "é");
  const own = await failureOf(
    ask("lines", { code: "not_found", message: "no such order", reason: "NO_ORDER", details: [7] }),
  );
  assert.deepEqual(
    [own.code, own.reason, own.message, own.details],
    ["not_found", "NO_ORDER", "no such order", [7]],
  );
  assert.equal((await failureOf(ask("lines", new Uint8Array([255])))).reason, "BAD_PAYLOAD");
  const { exit, stderr } = await running.stop("SIGTERM");
  assert.equal(exit, 0);
  assert.doesNotMatch(stderr, /started again/);
});

test("--lines: a program that dies fails what it held, and is started again", async () => {
  await using running = await worker([
    "mortal",
    "--lines",
    "--concurrency",
    "2",
    "--",
    process.execPath,
    "-e",
    LINES,
  ]);
  const held = failureOf(ask("mortal", "hang"));
  const error = await failureOf(ask("mortal", "die"));
  for (const one of [error, await held]) {
    assert.deepEqual(
      [one.reason, one.message],
      ["WORKER_LOST", "the command was lost: it ended with code 4"],
    );
  }
  await running.prints(/the command ended with code 4; it is started again in 100 ms/, "stderr");
  assert.equal((await hub.request<Spoken>("mortal", "again")).value, "again");
});

test("--lines: when lines and requests no longer match, nobody gets another's answer", async () => {
  await using running = await worker(["mixed", "--lines", "--", process.execPath, "-e", LINES]);
  const garbage = await failureOf(ask("mixed", "garbage"));
  assert.deepEqual(
    [garbage.reason, garbage.message],
    ["COMMAND_FAILED", "the command answered with no JSON: oh no"],
  );
  assert.equal(await hub.request("mixed", "two"), 1);
  await running.prints(/it wrote a line that answers no request/, "stderr");
  assert.equal((await hub.request<Spoken>("mixed", "next")).value, "next");
});

test("--lines: a canceled request that goes on too long costs the program its life", async () => {
  await using running = await worker([
    "stuck",
    "--lines",
    "--grace",
    "0.1",
    "--",
    process.execPath,
    "-e",
    LINES,
  ]);
  assert.equal((await failureOf(hub.request("stuck", "hang", { timeoutMs: 200 }))).reason, "DEADLINE");
  assert.equal((await hub.request<Spoken>("stuck", "next")).value, "next");
  await running.prints(/it still works on a canceled request/, "stderr");
});

test("a worker outlives its hub, and says so", async () => {
  const first = await createHub({ http: false, listen: ["tcp://127.0.0.1:0"] });
  const [url = ""] = first.urls;
  await using running = start(["work", "cat", "--hub", url, "--", "cat"]);
  await running.prints(/^lintel: serving /m, "stderr");
  await first.close();
  await running.prints(/^lintel: the connection to \S+ is lost \(.+\); trying again$/m, "stderr");
  await using second = await createHub({ http: false, listen: [url] });
  await running.prints(/^lintel: connected to \S+ again$/m, "stderr");
  const unserved = async (): Promise<boolean> =>
    (await second.request("cat", [1]).catch((error: unknown) => error)) instanceof LintelError;
  while (await unserved()) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(await second.request("cat", [1]), [1]);
});
