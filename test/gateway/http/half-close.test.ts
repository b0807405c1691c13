/** Callers that end their side of the connection after their request: they are answered. Those that close it are gone. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { connect as connectTls } from "node:tls";
import { createHub, type Hub } from "../../../src/index.ts";
import { FakeClock } from "../../../src/testing/fake-clock.ts";
import { AUTHORITY, pair } from "../../transport/certificates.ts";
import { RawCaller, openGateway, text } from "./harness.ts";

const HEAD = "HTTP/1.1\r\nHost: localhost\r\n";
const post = (path: string, body: string, head = HEAD): string =>
  `POST ${path} ${head}Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;

/** What is sent, and what the bodies of the answers are, chunks and all. */
const REQUESTS: readonly { readonly name: string; readonly sent: string; readonly got: RegExp }[] = [
  { name: "an answer that is there at once", sent: post("/echo", "[1]"), got: /^HTTP\/1\.1 200 .*\[1\]$/s },
  { name: "a problem", sent: `GET /nobody ${HEAD}\r\n`, got: /^HTTP\/1\.1 503 .*NO_RESPONDERS.*\}$/s },
  { name: "an answer that takes its time", sent: post("/slow", "100"), got: /^HTTP\/1\.1 200 .*slow$/s },
  {
    name: "two requests, one behind the other",
    sent: post("/slow", "100") + post("/slow", "20"),
    got: /^HTTP\/1\.1 200 [^\0]*?slowHTTP\/1\.1 200 [^\0]*Connection: close[^\0]*slow$/,
  },
  {
    name: "HTTP/1.0",
    sent: post("/slow", "100", "HTTP/1.0\r\n"),
    got: /^HTTP\/1\.1 200 .*slow$/s,
  },
  {
    name: "a body in chunks",
    sent: `POST /slow ${HEAD}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n80\r\n0\r\n\r\n`,
    got: /^HTTP\/1\.1 200 .*slow$/s,
  },
  {
    name: "a stream with pauses",
    sent: post("/steps", "[]"),
    got: /^HTTP\/1\.1 200 .*\r\n\r\n9\r\ndata: 0\n\n\r\n0*9\r\ndata: 1\n\n\r\n0+\r\n\r\n$/s,
  },
  {
    name: "a poll that gets no job",
    sent: `GET /service/none/jobs?wait=100ms ${HEAD}\r\n`,
    got: /^HTTP\/1\.1 204 [^\0]*\r\n\r\n$/,
  },
];

async function start(secure: boolean): Promise<Hub> {
  const hub = await createHub({
    http: { host: "localhost", port: 0 },
    listen: [],
    ...(secure ? { tls: pair("server") } : {}),
    jobs: { services: { none: {}, held: {} } },
  });
  await hub.serve("echo", (value) => value);
  await hub.serve("slow", (ms: number) => delay(ms, "slow"));
  await hub.serve("steps", async function* () {
    yield 0;
    await delay(80);
    yield 1;
  });
  return hub;
}

/** Sends, ends its side, and resolves with all that comes. */
async function halfClosed(hub: Hub, sent: string): Promise<string> {
  const { protocol, port } = new URL(hub.httpUrl!);
  const to = { port: Number(port), host: "localhost", allowHalfOpen: true };
  const socket = protocol === "https:" ? connectTls({ ...to, ca: AUTHORITY }) : connect(to);
  let got = "";
  socket.on("data", (piece: Buffer) => (got += piece.toString("latin1")));
  await once(socket, protocol === "https:" ? "secureConnect" : "connect");
  socket.end(sent);
  await once(socket, "end");
  socket.destroy();
  return got;
}

for (const secure of [false, true])
  test(`callers that have ended their side get their answers${secure ? ", over TLS" : ""}`, async (context) => {
    await using hub = await start(secure);
    for (const { name, sent, got } of REQUESTS)
      await context.test(name, async () => assert.match(await halfClosed(hub, sent), got));
  });

test("a worker that has ended its side gets its job, once it is clear that it has not left", async () => {
  await using hub = await start(false);
  const asked = hub.request("held", "x");
  const got = await halfClosed(hub, `GET /service/held/jobs?wait=10s ${HEAD}\r\n`);
  const { id, attempts } = JSON.parse(got.slice(got.indexOf("{"))) as { id: string; attempts: number };
  assert.equal(attempts, 1);
  const answer = await fetch(`${hub.httpUrl}/jobs/${id}`, { method: "POST", body: "y" });
  assert.equal(answer.status, 200);
  assert.equal(await asked, "y");
});

test("a caller that leaves after it has ended its side cancels what it waited for", async (context) => {
  const clock = new FakeClock();
  const gateway = await openGateway(context, { clock });
  const service = gateway.serve("x.*", () => undefined);
  const caller = new RawCaller(gateway.port).send(`GET /x/a ${HEAD}\r\n`);
  const { number } = await service.next();
  caller.socket.end();
  while (clock.pending === 0) await delay(1);
  clock.advance(1_000);
  while (!caller.received.startsWith("HTTP")) await delay(1);
  assert.equal(gateway.engine.inFlight, 1, "it may be waiting");
  caller.close();
  for (let round = 0; round < 3; round++) {
    await delay(5); // for the system
    clock.advance(60_000);
  }
  assert.equal(await service.canceled(), number);
  assert.equal(clock.pending, 0);
});

test("what was sent to find out is a part of the answer, however long it takes", async (context) => {
  const clock = new FakeClock();
  const gateway = await openGateway(context, { clock });
  const service = gateway.serve("x.*", () => undefined);
  const caller = new RawCaller(gateway.port).send(`GET /x/a ${HEAD}\r\nGET /x/b ${HEAD}\r\n`);
  const jobs = [await service.next(), await service.next()];
  caller.socket.end();
  while (clock.pending === 0) await delay(1);
  clock.advance(200_000);
  while (caller.received !== "HTTP/1.1 ") await delay(1);
  for (const job of jobs.toReversed()) service.registration.reply(job.number, text(job.subject));
  assert.equal((await caller.response())?.body, "x.a");
  assert.equal((await caller.response())?.body, "x.b");
  assert.equal(await caller.end(), "");
  assert.equal(clock.pending, 0);
  caller.close();
});

test("half a request is no request", async (context) => {
  const gateway = await openGateway(context);
  const { jobs } = gateway.serve("x", () => text("ok"));
  for (const sent of [`GET /x ${HEAD}`, `POST /x ${HEAD}Content-Length: 10\r\n\r\nabc`, ""]) {
    const caller = new RawCaller(gateway.port).send(sent);
    caller.socket.end();
    const response = await caller.response();
    assert.equal(response?.status, sent === "" ? undefined : 400, sent);
    caller.close();
  }
  assert.equal(jobs.length, 0);
});
