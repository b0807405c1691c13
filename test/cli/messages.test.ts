import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { createHub, LintelError, type Context, type Hub } from "../../src/index.ts";
import { defer, lintel, start, type Outcome } from "./cli-process.ts";

let hub: Hub;
const env: Record<string, string> = {};
const endlessEnded = defer<string>();
const breaking = defer<string>();

before(async () => {
  hub = await createHub({ http: false, listen: ["tcp://127.0.0.1:0"] });
  env["LINTEL_HUB"] = hub.urls[0] ?? "";
  await hub.serve("greet", (value) => ({ hello: (value as { name: string }).name }));
  await hub.serve("kind", (value) => (value instanceof Uint8Array ? "bytes" : typeof value));
  await hub.serve("echo", (_value, { body }) => body);
  await hub.serve("header", (_value, { headers }) => headers.getAll("x-one").join("|"));
  await hub.serve(
    "slow",
    (_value, { signal }) => new Promise((resolve) => signal.addEventListener("abort", resolve)),
  );
  await hub.serve("bytes", () => new Blob(["x".repeat(3_000_000)]).stream());
  await hub.serve("values", async function* () {
    yield { n: 1 };
    yield "two";
    await Promise.resolve();
  });
  await hub.serve("endless", async function* (_value: unknown, { signal }: Context) {
    signal.addEventListener("abort", () => endlessEnded.resolve((signal.reason as LintelError).code));
    for (let n = 0; ; n++) {
      yield n;
      await sleep(5, undefined, { signal });
    }
  });
  await hub.serve("nested", () => ({ file: new Blob(["x"]).stream() }));
  await hub.serve("length", async (value) => {
    let length = 0;
    for await (const chunk of value as ReadableStream<Uint8Array>) length += chunk.length;
    return length;
  });
  await hub.serve("breaks", async function* () {
    yield 1;
    await breaking.promise;
    throw new LintelError("not_found", "no more", { reason: "NO_MORE" });
  });
  await hub.serve("fail", () => {
    throw new LintelError("not_found", "no such order", { reason: "NO_ORDER" });
  });
});
after(() => hub.close());

function run(args: readonly string[], stdin?: string): Promise<Outcome> {
  return lintel(args, stdin === undefined ? { env } : { env, stdin });
}

test("request prints the answer's bytes and nothing else", async () => {
  assert.deepEqual(await run(["request", "greet", '{"name":"Ada"}']), {
    exit: 0,
    stdout: '{"hello":"Ada"}',
    stderr: "",
  });
});

test("a body is JSON where it looks like it, else text, and bytes from stdin", async () => {
  const kinds: [args: string[], stdin: string | undefined, kind: string][] = [
    [['{"a":1}'], undefined, "object"],
    [[" [1] "], undefined, "object"],
    [["{no json"], undefined, "string"],
    [["42"], undefined, "string"],
    [["42", "--json"], undefined, "number"],
    [["-", "--json"], "true", "boolean"],
    [["-"], '\n{"a":1}', "object"],
    [["-"], "plain", "bytes"],
    [['{"a":1}', "-H", "Content-Type: text/plain"], undefined, "string"],
    [[], undefined, "undefined"],
  ];
  const outcomes = await Promise.all(kinds.map(([args, stdin]) => run(["request", "kind", ...args], stdin)));
  assert.deepEqual(
    outcomes.map(({ stdout }) => stdout),
    kinds.map(([, , kind]) => kind),
  );
});

test("bytes pass through unchanged", async () => {
  const bytes = Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte)).join("");
  const running = start(["request", "echo", "-"], { env });
  running.child.stdin.end(Buffer.from(bytes, "latin1"));
  assert.equal((await running.ended).stdout, bytes);
});

test("an answer that is a stream is printed as it comes", async () => {
  await using breaks = start(["request", "breaks"], { env });
  const [bytes, values, nested] = await Promise.all(
    ["bytes", "values", "nested"].map((subject) => run(["request", subject])),
  );
  assert.deepEqual([bytes?.exit, bytes?.stdout === "x".repeat(3_000_000)], [0, true]);
  assert.deepEqual(values, { exit: 0, stdout: '{"n":1}\n"two"\n', stderr: "" });
  assert.equal(nested?.exit, 1);
  assert.match(nested.stderr, /^lintel: BAD_ANSWER: /);
  await breaks.prints(/^1\n$/);
  breaking.resolve("now");
  assert.deepEqual(await breaks.ended, { exit: 1, stdout: "1\n", stderr: "lintel: NO_MORE: no more\n" });
});

test("a stream that is interrupted is canceled", async () => {
  await using running = start(["request", "endless", "--timeout", "0.5"], { env });
  await running.prints(/^(?:\d+\n){150}/); // goes on past the timeout
  assert.equal((await running.stop("SIGINT")).exit, 130);
  assert.equal(await endlessEnded.promise, "canceled");
});

test("--stream sends stdin as a stream", async () => {
  const { exit, stdout } = await run(["request", "length", "-", "--stream"], "x".repeat(5_000_000));
  assert.deepEqual([exit, stdout], [0, "5000000"]);
  assert.equal((await run(["request", "length", "body", "--stream"])).exit, 2);
  assert.equal((await run(["request", "length", "-", "--stream", "--json"])).exit, 2);
});

test("headers go along, repeated ones too", async () => {
  const { stdout } = await run(["request", "header", "-H", "X-One: 1", "--header", "x-one: 2"]);
  assert.equal(stdout, "1|2");
});

test("failures name the reason, and their exit code tells a deadline from the rest", async () => {
  const [none, own, late] = await Promise.all([
    run(["request", "nobody", "x"]),
    run(["request", "fail"]),
    run(["request", "slow", "--timeout", "0.1"]),
  ]);
  assert.equal(none.exit, 1);
  assert.match(none.stderr, /^lintel: NO_RESPONDERS: nobody serves this subject\n {2}start a worker for it/);
  assert.deepEqual(own, { exit: 1, stdout: "", stderr: "lintel: NO_ORDER: no such order\n" });
  assert.equal(late.exit, 124);
  assert.match(late.stderr, /^lintel: DEADLINE: /);
});

test("a request that is interrupted is canceled and exits as the signal says", async () => {
  const reached = defer<AbortSignal>();
  const service = await hub.serve("hold", (_value, { signal }) => {
    reached.resolve(signal);
    return new Promise((resolve) => signal.addEventListener("abort", resolve));
  });
  const running = start(["request", "hold"], { env });
  const signal = await reached.promise;
  const aborted = new Promise((resolve) => signal.addEventListener("abort", resolve));
  assert.deepEqual(await running.stop("SIGINT"), { exit: 130, stdout: "", stderr: "" });
  await aborted;
  await service.close();
});

test("publish reaches subscribers and prints nothing", async () => {
  const got = defer<unknown>();
  const subscription = await hub.subscribe("orders.created", got.resolve);
  assert.deepEqual(await run(["publish", "orders.created", '{"id":7}']), { exit: 0, stdout: "", stderr: "" });
  assert.deepEqual(await got.promise, { id: 7 });
  await subscription.close();
});

test("publish --lines sends every line as a message, all of them", async () => {
  const lines = Array.from({ length: 5_000 }, (_, index) => `line ${index}`);
  const got: unknown[] = [];
  const done = defer<void>();
  const subscription = await hub.subscribe("log.web", (line) => {
    if (got.push(line) === lines.length) done.resolve();
  });
  const { exit } = await run(["publish", "log.web", "--lines"], lines.join("\n"));
  assert.equal(exit, 0);
  await done.promise;
  assert.deepEqual(got, lines);
  await subscription.close();
});

test("publish --lines sends a line that is no text as the bytes it is", async () => {
  const next = defer<unknown>();
  const subscription = await hub.subscribe("log.bytes", next.resolve);
  await using publisher = start(["publish", "log.bytes", "--lines"], { env });
  publisher.child.stdin.end(Buffer.from([0x63, 0x61, 0x66, 0xe9, 0x0a]));
  assert.deepEqual(await next.promise, new Uint8Array([0x63, 0x61, 0x66, 0xe9]));
  assert.equal((await publisher.ended).exit, 0);
  await subscription.close();
});

test("subscribe prints messages as they come and ends after --count", async () => {
  const raw = start(["subscribe", "ticks.*", "--count", "2"], { env });
  const json = start(["subscribe", "ticks.>", "--count", "3", "--format", "json"], { env });
  await Promise.all([raw.prints(/listening to/, "stderr"), json.prints(/listening to/, "stderr")]);
  await hub.publish("ticks.a", { n: 1 }, { headers: { "x-k": "v" } });
  await hub.publish("ticks.b", "two");
  await hub.publish("ticks.c.d", new Uint8Array([0, 255]));
  const [first, second] = await Promise.all([raw.ended, json.ended]);
  assert.equal(first.exit, 0);
  assert.equal(first.stdout, '{"n":1}\ntwo\n');
  assert.equal(second.exit, 0);
  assert.deepEqual(
    second.stdout
      .trimEnd()
      .split("\n")
      .map((line): unknown => JSON.parse(line)),
    [
      { subject: "ticks.a", headers: { "x-k": "v" }, value: { n: 1 } },
      { subject: "ticks.b", headers: {}, value: "two" },
      { subject: "ticks.c.d", headers: {}, base64: "AP8=" },
    ],
  );
});

test("subscribe ends cleanly on SIGINT, and when its reader leaves", async () => {
  const interrupted = start(["subscribe", "x"], { env });
  const unread = start(["subscribe", "x"], { env });
  await Promise.all([interrupted.prints(/listening/, "stderr"), unread.prints(/listening/, "stderr")]);
  assert.equal((await interrupted.stop("SIGINT")).exit, 0);
  unread.child.stdout.destroy();
  const ticking = setInterval(() => void hub.publish("x", "tick"), 10);
  const { exit, stderr } = await unread.ended;
  clearInterval(ticking);
  assert.equal(exit, 0);
  assert.match(stderr, /^lintel: listening to x at \S+\n$/);
});
