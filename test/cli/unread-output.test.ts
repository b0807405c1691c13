/** Output that nobody reads: it has a bound, what is missing is counted, and the process ends all the same. */
import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { Writable } from "node:stream";
import { test, type TestContext } from "node:test";
import { dropUnread } from "../../src/cli/unread-output.ts";
import { MAIN } from "./cli-process.ts";

/** A stream whose reader stands still until it is told to read. */
class Stalled extends Writable {
  readonly read: string[] = [];
  #held: (() => void)[] = [];
  #isReading = false;

  constructor() {
    super({ decodeStrings: false });
  }

  go(): void {
    this.#isReading = true;
    for (const done of this.#held.splice(0)) done();
  }

  override _write(chunk: string | Buffer, _encoding: string, done: () => void): void {
    this.read.push(chunk.toString());
    if (this.#isReading) done();
    else this.#held.push(done);
  }
}

const LINE = `${"x".repeat(1_023)}\n`;
const told = (lines: number): string => `${lines} missing\n`;

test("what is over the bound is dropped and counted, and said where it is missing", async () => {
  const stream = new Stalled();
  dropUnread(stream, told);
  for (let at = 0; at < 1_500; at++) stream.write(LINE);
  for (const piece of ["a\nb\n", Buffer.from("c\n"), "no end"]) stream.write(piece);
  assert.ok(stream.writableLength <= 1_048_576 + LINE.length, String(stream.writableLength));
  stream.go();
  await new Promise(setImmediate);
  stream.write("later\n");
  const [kept, rest] = [
    stream.read.filter((text) => text === LINE),
    stream.read.filter((text) => text !== LINE),
  ];
  assert.ok(kept.length > 1_000);
  assert.equal(rest.join(""), `${1_500 - kept.length + 4} missing\nlater\n`);
});

test("a write that is dropped is done, and asks to wait", async () => {
  const stream = new Stalled();
  dropUnread(stream, told);
  for (let at = 0; at < 1_100; at++) stream.write(LINE);
  const done = new Promise<void>((resolve) => {
    assert.equal(
      stream.write("dropped\n", () => resolve()),
      false,
    );
  });
  await done;
});

test("one write that is larger than the bound goes to a reader that keeps up", () => {
  const stream = new Stalled();
  stream.go();
  dropUnread(stream, told);
  stream.write(LINE.repeat(3_000));
  assert.equal(stream.read.join("").length, 3_000 * LINE.length);
});

for (const dropping of [false, true]) {
  test(`a reader that leaves ${dropping ? "while lines are dropped" : "in time"} is no error`, async () => {
    const stream = new Stalled();
    stream.on("error", () => undefined);
    dropUnread(stream, told);
    for (let at = 0; at < (dropping ? 1_500 : 10); at++) stream.write(LINE);
    stream.destroy(Object.assign(new Error("write EPIPE"), { code: "EPIPE" }));
    await new Promise((resolve) => stream.on("close", resolve));
    await new Promise<void>((resolve) => void stream.write("more\n", () => resolve()));
  });
}

/** A command whose output is read only where the test does so. */
function start(context: TestContext, ...args: string[]): ChildProcess {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  context.after(() => child.kill("SIGKILL"));
  return child;
}

/** The first text of a stream, which is not read any further. */
async function first(child: ChildProcess): Promise<string> {
  const [chunk] = (await once(child.stdout!, "data")) as [Buffer];
  child.stdout!.pause();
  return chunk.toString();
}

/** Requests on one connection, each of which leaves a line of two kilobytes in the log; resolves when all are answered. */
async function requests(url: string, count: number): Promise<void> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  const request = `GET /${"p".repeat(2_000)} HTTP/1.1\r\nHost: ${hostname}:${port}\r\n\r\n`;
  let answers = "";
  socket.setEncoding("latin1").on("data", (text: string) => (answers += text));
  socket.write(request.repeat(count));
  while (answers.split("HTTP/1.1 ").length - 1 < count) await once(socket, "data");
  socket.destroy();
}

const HUB = ["--http", "127.0.0.1:0", "--listen", "tcp://127.0.0.1:0"];

test("a hub whose log nobody reads serves on, counts what it drops, and ends", async (context) => {
  const child = start(context, "serve", ...HUB, "--log", "json");
  const { http } = JSON.parse(await first(child)) as { http: string };
  await requests(http, 1_500);
  let text = "";
  child.stdout!.setEncoding("utf8").on("data", (more: string) => (text += more));
  child.stdout!.resume();
  while (!text.includes('"event":"dropped"')) await once(child.stdout!, "data");
  child.stdout!.pause();
  const lines = text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as { event: string; lines?: number });
  const missing = lines.find(({ event }) => event === "dropped")!.lines!;
  assert.equal(lines.length - 1 + missing, 1_500);
  await requests(http, 1_500);
  child.kill("SIGTERM");
  assert.deepEqual(await once(child, "exit"), [0, null]);
});

test("a hub whose log has lost its reader serves on", async (context) => {
  const child = start(context, "serve", ...HUB, "--log", "json");
  const { http } = JSON.parse(await first(child)) as { http: string };
  child.stdout!.destroy();
  child.stderr!.destroy();
  for (let round = 0; round < 3; round++) await requests(http, 5);
  child.kill("SIGTERM");
  assert.deepEqual(await once(child, "exit"), [0, null]);
});

test("lintel subscribe ends, though nobody reads what it prints", async (context) => {
  const hub = start(context, "serve", ...HUB, "--log", "json");
  const { listen } = JSON.parse(await first(hub)) as { listen: string[] };
  const child = start(context, "subscribe", "x", "--hub", listen[0]!);
  await once(child.stderr!, "data"); // listening
  const { connect: join } = await import("../../src/index.ts");
  const peer = await join(listen[0]!);
  for (let at = 0; at < 20; at++) await peer.publish("x", "y".repeat(100_000));
  await peer.drain();
  child.kill("SIGINT");
  assert.deepEqual(await once(child, "exit"), [0, null]);
});
