/** A gateway that drains: no caller sees a reset, and no answer is cut. */
import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { once } from "node:events";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { createHub, type Hub } from "../../../src/index.ts";
import { FakeClock } from "../../../src/testing/fake-clock.ts";
import { until } from "../../house/until.ts";
import { RawCaller, openGateway, reasonOf, text, type RawResponse } from "./harness.ts";

const HEAD = "HTTP/1.1\r\nHost: localhost\r\n";
const GET = `GET /x ${HEAD}\r\n`;

/** Errors of a caller's connection. */
function errorsOf(caller: RawCaller): string[] {
  const errors: string[] = [];
  caller.socket.on("error", (error: NodeJS.ErrnoException) => errors.push(error.code ?? ""));
  return errors;
}

test("callers that keep their connections are answered, or closed in good order, 20 times", async (context) => {
  for (let round = 0; round < 20; round++) {
    const gateway = await openGateway(context);
    gateway.serve("x", () => text("ok"));
    const errors: string[] = [];
    let started = 0;
    const loop = async (): Promise<void> => {
      const caller = new RawCaller(gateway.port);
      caller.socket.on("error", ({ message }) => errors.push(message));
      let last: RawResponse | undefined;
      do {
        last = await caller.send(GET).response();
        assert.equal(last?.status, 200, "a request that was sent on a kept connection is answered");
        started++;
      } while (last.headers.get("connection") !== "close");
      assert.equal(await caller.end(), "");
      caller.close();
    };
    const loops = Promise.all(Array.from({ length: 4 }, loop));
    while (started < 20) await delay(1);
    await gateway.listening.drain();
    await loops;
    assert.deepEqual(errors, []);
  }
});

test("an idle connection has a moment for one more request", async (context) => {
  const clock = new FakeClock();
  const gateway = await openGateway(context, { clock });
  gateway.serve("x", () => text("ok"));
  const silent = new RawCaller(gateway.port);
  await once(silent.socket, "connect");
  const used = new RawCaller(gateway.port); // the gateway has taken the one before when it answers this one
  assert.equal((await used.send(GET).response())?.status, 200);
  const drained = gateway.listening.drain();
  clock.advance(250);
  for (const caller of [used, silent]) {
    const last = await caller.send(GET).response();
    assert.deepEqual([last?.body, last?.headers.get("connection")], ["ok", "close"]);
    caller.close();
  }
  await drained;
});

test("what comes behind the last answer does not reset the connection", async (context) => {
  const gateway = await openGateway(context);
  const { jobs } = gateway.serve("x", () => text("y".repeat(300_000)));
  const caller = new RawCaller(gateway.port);
  const errors = errorsOf(caller);
  await caller.send(GET).response();
  const drained = gateway.listening.drain();
  assert.equal((await caller.send(GET).response())?.headers.get("connection"), "close");
  for (let more = 0; more < 5; more++) caller.send(GET);
  assert.equal(await caller.end(), "");
  await delay(20);
  assert.deepEqual(errors, []);
  assert.equal(jobs.length, 2, "and is not executed");
  caller.close();
  await drained;
});

test("an answer that is on its way is not cut", async (context) => {
  const gateway = await openGateway(context);
  const size = 8_000_000;
  const service = gateway.serve("x", () => text("y".repeat(size)));
  const slow = new RawCaller(gateway.port);
  slow.socket.pause();
  slow.send(GET);
  await service.next();
  await delay(20);
  const drained = gateway.listening.drain();
  await delay(20);
  slow.socket.resume();
  assert.equal((await slow.response())?.raw.length, size);
  slow.close();
  await drained;
});

test("an answer that came before the body of its request was broken off arrives", async (context) => {
  const gateway = await openGateway(context);
  const caller = new RawCaller(gateway.port);
  const errors = errorsOf(caller);
  caller.socket.end(`POST / ${HEAD}Content-Length: 5\r\n\r\nab`);
  assert.equal((await caller.response())?.status, 404);
  assert.equal(await caller.end(), "");
  assert.deepEqual(errors, []);
  caller.close();
});

interface Waiting {
  readonly name: string;
  readonly sent: string;
  readonly status: number;
  readonly retryable: boolean;
}

/** Requests that no time ends. */
const WAITING: readonly Waiting[] = [
  {
    name: "at a worker",
    sent: `POST /never ${HEAD}Content-Length: 2\r\n\r\n{}`,
    status: 503,
    retryable: false,
  },
  {
    name: "in a queue",
    sent: `POST /service/held ${HEAD}Content-Length: 2\r\n\r\n{}`,
    status: 503,
    retryable: true,
  },
  {
    name: "in the middle",
    sent: `POST /never ${HEAD}Content-Length: 9\r\n\r\n{}`,
    status: 503,
    retryable: true,
  },
];

/** Resolves with a caller once the gateway has read the head of its request. */
async function begun(port: number, sent: string): Promise<RawCaller> {
  let isBegun = false;
  const listener = (): void => void (isBegun = true);
  subscribe("http.server.request.start", listener);
  const caller = new RawCaller(port).send(sent);
  await until(() => isBegun);
  unsubscribe("http.server.request.start", listener);
  return caller;
}

async function busyHub(): Promise<Hub> {
  const hub = await createHub({ http: { port: 0 }, listen: [], jobs: { services: { held: {} } } });
  await hub.serve("never", () => new Promise(() => undefined));
  await hub.serve("steps", async function* () {
    yield 1;
    await new Promise(() => undefined);
  });
  return hub;
}

for (const { name, sent, status, retryable } of WAITING)
  test(`what is left after the time of grace fails as DRAINING: a request ${name}`, async () => {
    await using hub = await busyHub();
    const caller = await begun(Number(new URL(hub.httpUrl!).port), sent);
    if (name !== "in the middle") await until(() => hub.stats().inFlight === 1);
    const began = performance.now();
    await hub.drain({ graceMs: 100 });
    const took = performance.now() - began;
    assert.ok(took > 90, `it took ${took} ms`);
    const response = await caller.response();
    assert.equal(response?.status, status);
    assert.deepEqual(
      [reasonOf(response.body), (JSON.parse(response.body) as { retryable: boolean }).retryable],
      ["DRAINING", retryable],
    );
    caller.close();
  });

test("what is left after the time of grace fails as DRAINING: a stream, and requests of the hub itself", async () => {
  await using hub = await busyHub();
  const caller = new RawCaller(Number(new URL(hub.httpUrl!).port)).send(`GET /steps ${HEAD}\r\n`);
  const own = hub.request("never");
  own.catch(() => undefined);
  await until(() => caller.received.includes("data: 1"));
  await hub.drain({ graceMs: 100 });
  await assert.rejects(own, { reason: "DRAINING", retryable: false });
  assert.match((await caller.response())?.body ?? "", /data: 1\n\nevent: error\ndata: .*DRAINING/);
  caller.close();
});
