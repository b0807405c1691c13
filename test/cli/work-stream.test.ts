/** `lintel work --stream`: programs between a stream that comes and one that goes. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { gunzipSync } from "node:zlib";
import { createHub, LintelError, type Hub } from "../../src/index.ts";
import { provide } from "../house/provide.ts";
import { Running, start } from "./cli-process.ts";

let hub: Hub;
const env: Record<string, string> = {};

before(async () => {
  const routes = [{ path: "/gzip", subject: "gzip", body: "stream" as const }];
  hub = await createHub({ http: { port: 0, routes }, listen: ["tcp://127.0.0.1:0"] });
  env["LINTEL_HUB"] = hub.urls[0] ?? "";
});
after(() => hub.close());

/** Starts a worker and waits until requests reach it. */
async function worker(subject: string, args: readonly string[]): Promise<Running> {
  const running = start(["work", subject, "--stream", ...args], { env });
  await running.prints(/^lintel: serving /m, "stderr");
  return running;
}

const ask = (subject: string, value?: unknown, signal?: AbortSignal): Promise<ReadableStream<Uint8Array>> =>
  hub.request(subject, value, signal === undefined ? {} : { signal });

const textOf = (stream: ReadableStream<Uint8Array>): Promise<string> => new Response(stream).text();

async function failureOf(request: Promise<unknown>): Promise<LintelError> {
  const error = await request.then(
    (value) => assert.fail(`answered ${JSON.stringify(value)}`),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof LintelError, String(error));
  return error;
}

/** Zeros without end, as fast as they are taken. */
class Zeros {
  sent = 0;
  isCanceled = false;
  readonly stream: ReadableStream<Uint8Array> = new ReadableStream(
    {
      pull: (controller) => {
        this.sent += 65_536;
        controller.enqueue(new Uint8Array(65_536));
      },
      cancel: () => {
        this.isCanceled = true;
      },
    },
    { highWaterMark: 0 },
  );

  /** Resolves when nothing more of them is taken, for a while. */
  async stalled(): Promise<void> {
    for (let seen = -1; seen < this.sent; await delay(100)) seen = this.sent;
  }
}

const MIB = 1_048_576;

test("a body larger than any message goes through a program, and its answer comes back as a stream", async () => {
  provide("curl");
  await using running = await worker("gzip", ["--type", "application/gzip", "--", "gzip", "-c"]);
  const line = "all work and no play makes Jack a dull boy\n";
  const file = line.repeat(100_000);
  await using curl = new Running("curl", ["-sSi", "-T-", `${hub.httpUrl}/gzip`]);
  curl.child.stdin.end(file);
  const { exit, stdout } = await curl.ended;
  assert.equal(exit, 0);
  const [head = ""] = /^HTTP\/1\.1 200[^]*?\r\n\r\n(?!HTTP)/m.exec(stdout) ?? [];
  assert.match(head, /^content-type: application\/gzip\r$/im);
  const zipped = Buffer.from(stdout.slice(stdout.indexOf(head) + head.length), "latin1");
  assert.equal(gunzipSync(zipped).toString(), file);
  const whole = await ask("gzip", { a: 1 });
  assert.equal(gunzipSync(await new Response(whole).arrayBuffer()).toString(), '{"a":1}');
  assert.equal((await running.stop()).exit, 0);
});

test("who does not read holds back who writes; who leaves ends the program, which keeps its place until then", async () => {
  const args = ["--concurrency", "1", "--", "sh", "-c", "echo begun >&2; exec cat"];
  await using running = await worker("cat", args);
  const zeros = new Zeros();
  const reader = (await ask("cat", zeros.stream)).getReader();
  await zeros.stalled();
  const taken = zeros.sent;
  assert.ok(taken < 8 * MIB, `${taken} bytes taken that nobody reads`);
  for (let read = 0; read < 16 * MIB;) read += (await reader.read()).value!.length;
  assert.ok(zeros.sent > taken + 4 * MIB);
  const leaving = new AbortController();
  const second = failureOf(ask("cat", new ReadableStream(), leaving.signal));
  assert.equal(running.stderr.match(/begun/g)?.length, 1);
  await reader.cancel();
  await running.prints(/(begun\n){2}/, "stderr");
  leaving.abort();
  assert.equal((await second).reason, "CALLER_GONE");
  assert.equal(await textOf(await ask("cat", "third")), "third");
  assert.equal((await running.stop()).exit, 0);
});

test("a program that fails fails the request, or the answer that it has begun", async () => {
  const script = "test $LINTEL_SUBJECT = fail.late && echo begun; cat >&2; exit 3";
  await using _ = await worker("fail.*", ["--", "sh", "-c", script]);
  const early = await failureOf(ask("fail.early", "no such file\n"));
  assert.deepEqual([early.code, early.reason, early.message], ["internal", "COMMAND_FAILED", "no such file"]);
  assert.deepEqual(early.details, { code: 3, signal: null });
  const input = new TransformStream<string, string>();
  const reader = (await ask("fail.late", input.readable)).getReader();
  assert.equal(Buffer.from((await reader.read()).value!).toString(), "begun\n");
  const writer = input.writable.getWriter();
  await writer.write("too late\n");
  await writer.close();
  const late = await failureOf(reader.read());
  assert.deepEqual([late.reason, late.message], ["COMMAND_FAILED", "too late"]);
});

test("input that breaks off is not taken for all of it", async () => {
  const script = "trap 'echo asked to end >&2; exit 1' TERM; cat; echo all of it; echo all of it >&2";
  await using running = await worker("half", ["--", "sh", "-c", script]);
  let breakOff: () => void = () => undefined;
  const source = new ReadableStream<Uint8Array>({
    start: (controller) => {
      controller.enqueue(Buffer.from("half"));
      breakOff = () => controller.error(LintelError.of("WORKER_LOST", "the source is gone"));
    },
  });
  const reader = (await ask("half", source)).getReader();
  assert.equal(Buffer.from((await reader.read()).value!).toString(), "half");
  breakOff();
  assert.equal((await failureOf(reader.read())).message, "the source is gone");
  await running.prints(/asked to end/, "stderr");
  assert.doesNotMatch(running.stderr, /all of it/);
});

test("a program may read less than there is, write nothing, and take values without streams alone", async () => {
  await using running = await worker("head", ["--", "head", "-c", "3"]);
  const zeros = new Zeros();
  assert.equal(await textOf(await ask("head", zeros.stream)), "\0\0\0");
  while (!zeros.isCanceled) await delay(10);
  assert.equal(await textOf(await ask("head", [1, 2])), "[1,");
  assert.equal(await ask("head"), undefined);
  assert.equal(await ask("head", ""), undefined);
  const numbers = async function* (): AsyncGenerator<number> {
    yield* [1, 22];
  };
  assert.equal(await textOf(await ask("head", numbers())), "1\n2");
  const inside = await failureOf(ask("head", { file: new Zeros().stream }));
  assert.equal(inside.reason, "BAD_PAYLOAD");
  assert.equal((await running.stop()).exit, 0);
});

test("a deadline that passes before the program has written ends it; later it counts for nothing", async () => {
  const script =
    "trap 'echo asked to end >&2; exit 1' TERM; test $1 || echo begun; while read line; do echo $line; done";
  await using running = await worker("slow", ["--", "sh", "-c", script, "sh", "mute"]);
  await using other = await worker("begins", ["--", "sh", "-c", script]);
  const never = new ReadableStream<Uint8Array>();
  assert.equal((await failureOf(hub.request("slow", never, { timeoutMs: 300 }))).reason, "DEADLINE");
  await running.prints(/asked to end/, "stderr");
  let send: (line: string) => void = () => undefined;
  const lines = new ReadableStream<string>({
    start: (controller) => void (send = (line) => controller.enqueue(line)),
  });
  const timeoutMs = 1_500;
  const reader = (await hub.request<ReadableStream<Uint8Array>>("begins", lines, { timeoutMs })).getReader();
  assert.equal(Buffer.from((await reader.read()).value!).toString(), "begun\n");
  await delay(timeoutMs + 100);
  send("late\n");
  assert.equal(Buffer.from((await reader.read()).value!).toString(), "late\n");
  await reader.cancel();
  await other.prints(/asked to end/, "stderr");
});
