/** Callers that read slowly, leave, or stay while the hub shuts down. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { FakeClock } from "../../../src/testing/fake-clock.ts";
import { RawCaller } from "./harness.ts";
import { counted, openHarness } from "./stream-harness.ts";
import { until } from "../../house/until.ts";

const MIB = 1_048_576;
const SIZE = 50_000_000;
const ask = (body: string): string =>
  `POST /bytes HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`;

/** Bytes the system holds for a connection on loopback, at both of its ends. */
async function heldBySystem(hubPort: number, callerPort: number): Promise<number> {
  const hex = (port: number): string => port.toString(16).toUpperCase().padStart(4, "0");
  let held = 0;
  for (const line of (await readFile("/proc/net/tcp", "latin1")).split("\n")) {
    const [, local = "", remote = "", , queues = ""] = line.trim().split(/\s+/);
    const ports = new Set([local.split(":")[1], remote.split(":")[1]]);
    if (!ports.has(hex(hubPort)) || !ports.has(hex(callerPort))) continue;
    for (const queue of queues.split(":")) held += Number.parseInt(queue, 16);
  }
  return held;
}

/** The body of a chunked response. */
function bodyOf(response: Buffer): Buffer {
  const pieces: Buffer[] = [];
  for (let at = response.indexOf("\r\n\r\n") + 4; ;) {
    const line = response.indexOf("\r\n", at);
    const size = Number.parseInt(response.toString("latin1", at, line), 16);
    if (size === 0) return Buffer.concat(pieces);
    pieces.push(response.subarray(line + 2, line + 2 + size));
    at = line + 4 + size;
  }
}

test("a caller that stops reading holds the worker back, with 1 MiB on the way at the most", async (context) => {
  if (process.platform !== "linux") return context.skip("what the system holds is read from /proc");
  const harness = await openHarness(context);
  const socket = connect(harness.port, "127.0.0.1");
  socket.write(ask(`{"size":${SIZE}}`));
  await harness.says(/^produced/);
  const produced = Number((await harness.settled(/^produced/)).split(" ")[1]);
  const held = await heldBySystem(harness.port, socket.localPort!);
  const read = socket.bytesRead;
  assert.ok(held > 0, "the caller holds nothing back");
  assert.ok(produced < SIZE);
  const between = produced - held - read;
  assert.ok(between <= MIB, `${between} bytes are between worker and connection`);
  context.diagnostic(`produced ${produced}, held by the system ${held}, between ${between}`);
  const pieces: Buffer[] = [];
  socket.on("data", (piece: Buffer) => pieces.push(piece));
  await harness.says(new RegExp(`^produced ${SIZE}$`));
  // The end may come by itself.
  await until(() => Buffer.concat(pieces.slice(-2)).toString("latin1").endsWith("\r\n0\r\n\r\n"));
  const body = Buffer.concat(pieces);
  assert.ok(bodyOf(body).equals(counted(SIZE)));
  socket.destroy();
});

test("one slow caller does not slow another down", async (context) => {
  const harness = await openHarness(context);
  const slow = new RawCaller(harness.port);
  slow.socket.pause();
  slow.send(ask(`{"size":${SIZE}}`));
  await harness.says(/^produced/);
  const quick = new RawCaller(harness.port).send(ask(`{"size":${5 * MIB}}`));
  assert.equal((await quick.response())?.raw.length, 5 * MIB);
  slow.close();
  quick.close();
});

for (const leave of ["destroy", "resetAndDestroy"] as const) {
  test(`a caller that leaves (${leave}) stops the handler's source`, async (context) => {
    const harness = await openHarness(context);
    const caller = new RawCaller(harness.port).send("GET /waits HTTP/1.1\r\nHost: a\r\n\r\n");
    await harness.says(/^waiting$/);
    await until(() => caller.received.includes("data: waiting"));
    caller.socket[leave]();
    await harness.says(/^signal CALLER_GONE$/); // nothing else would end it
    assert.deepEqual(
      harness.records.map(({ status, reason }) => [status, reason]),
      [[200, "CALLER_GONE"]],
    );
    caller.close();
  });
}

test("a caller that leaves in the middle of bytes it does not read stops their source", async (context) => {
  const harness = await openHarness(context);
  const caller = new RawCaller(harness.port);
  caller.socket.pause();
  caller.send(ask(`{"size":${SIZE}}`));
  await harness.settled(/^produced/);
  caller.close();
  await harness.says(/^canceled CALLER_GONE$/);
});

test("a curl that is ended stops the source", async (context) => {
  const harness = await openHarness(context);
  await using curl = harness.curl("/waits");
  await curl.prints(/^data: waiting\n\n$/);
  await curl.stop("SIGINT");
  await harness.says(/^signal CALLER_GONE$/);
});

test("a caller that reads nothing at all for a while is disconnected", async (context) => {
  const harness = await openHarness(context, { stallMs: 300 });
  const caller = new RawCaller(harness.port);
  caller.socket.pause();
  caller.send(ask(`{"size":${SIZE}}`));
  await harness.says(/^canceled CALLER_GONE$/);
  caller.close();
});

test("a quiet stream is not taken for a caller that reads nothing", async (context) => {
  const harness = await openHarness(context, { stallMs: 100 });
  await using curl = harness.curl("/ticks");
  await curl.prints(/^data: 0\n\n$/);
  await harness.settled(/^nothing/);
  harness.tell("tick");
  await curl.prints(/^data: 0\n\ndata: 1\n\n$/);
});

test("garbage behind a request does not keep a stream from ending with its caller", async (context) => {
  const harness = await openHarness(context);
  const caller = new RawCaller(harness.port).send("GET /waits HTTP/1.1\r\nHost: a\r\n\r\n");
  await harness.says(/^waiting$/);
  caller.send("no HTTP\r\n\r\n");
  await until(() => harness.records.length > 0);
  caller.close();
  await harness.says(/^signal CALLER_GONE$/);
});

test("drain lets streams end by themselves, and ends those that do not when their time is over", async (context) => {
  const clock = new FakeClock();
  const harness = await openHarness(context, { streamGraceMs: 400, clock });
  await using finishing = harness.curl("/steps");
  await using events = harness.curl("/ticks");
  await using bytes = harness.curl("/breaks", "--data", '{"after":3}');
  await finishing.prints(/^first $/);
  await events.prints(/^data: 0\n\n$/);
  await bytes.prints(/^xxx$/);
  let isDrained = false;
  const drained = harness.hub.drain().then(() => (isDrained = true));
  clock.advance(399);
  harness.tell("tick");
  await events.prints(/^data: 0\n\ndata: 1\n\n$/);
  for (let step = 0; step < 3; step++) harness.tell("go");
  assert.equal((await finishing.ended).stdout, "first second third");
  assert.equal(isDrained, false);
  clock.advance(1);
  const { exit, stdout } = await events.ended;
  assert.equal(exit, 0);
  assert.match(stdout, /^data: 0\n\ndata: 1\n\nevent: error\ndata: \{[^\n]*"reason":"DRAINING"[^\n]*\}\n\n$/);
  assert.equal((await bytes.ended).exit, 18);
  await drained;
});

test("drain closes the connection of a stream that has ended, though its head said keep-alive", async (context) => {
  const harness = await openHarness(context, { streamGraceMs: 60_000 });
  const caller = new RawCaller(harness.port).send("GET /steps HTTP/1.1\r\nHost: a\r\n\r\n");
  await until(() => caller.received.includes("first "));
  const drained = harness.hub.drain();
  for (const seen of ["second ", "third", "0\r\n\r\n"]) {
    harness.tell("go");
    await until(() => caller.received.includes(seen));
  }
  await caller.end();
  await drained;
  caller.close();
});

test("close ends streams at once", async (context) => {
  const harness = await openHarness(context);
  await using curl = harness.curl("/ticks");
  await curl.prints(/^data: 0\n\n$/);
  await harness.hub.close();
  assert.equal((await curl.ended).exit, 18);
});

test("a stream goes on past the timeout of its request, which is for the head", async (context) => {
  const harness = await openHarness(context, { timeoutMs: 1_000 });
  const caller = new RawCaller(harness.port).send("GET /ticks HTTP/1.1\r\nHost: a\r\n\r\n");
  await until(() => caller.received.includes("data: 0"));
  await harness.settled(/^nothing/, 1_100);
  harness.tell("tick");
  await until(() => caller.received.includes("data: 1"));
  caller.close();
  await once(caller.socket, "close");
});
