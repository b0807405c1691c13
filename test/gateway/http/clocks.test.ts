/** Clocks that tick together: what they come to is decided by what has happened, not by which of them is first. */
import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { Socket } from "node:net";
import { test, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { LocalEngine } from "../../../src/engine/local/local-engine.ts";
import { FakeClock } from "../../../src/testing/fake-clock.ts";
import { harnessOn, type Harness } from "../jobs/harness.ts";
import { RawCaller, serveOn } from "./harness.ts";

const SAME_MS = 2_000;

/** The gateway's end of connections, in the order they came. */
function serverSockets(context: TestContext): Socket[] {
  const sockets: Socket[] = [];
  const listener = (message: unknown): void => void sockets.push((message as { socket: Socket }).socket);
  subscribe("net.server.socket", listener);
  context.after(() => unsubscribe("net.server.socket", listener));
  return sockets;
}

interface Ticking {
  readonly harness: Harness;
  readonly clock: FakeClock;
  readonly sockets: readonly Socket[];
  readonly caller: RawCaller;
}

/** A caller that waits for what only the clock can bring. */
async function waitingFor(context: TestContext, request: string): Promise<Ticking> {
  const sockets = serverSockets(context);
  const clock = new FakeClock();
  const engine = new LocalEngine({ clock });
  const harness = await harnessOn(context, engine, engine, {
    jobs: { services: { held: {} }, waitMs: SAME_MS },
    http: { clock, timeoutMs: SAME_MS },
  });
  serveOn(engine, "slow", () => undefined);
  const caller = new RawCaller(harness.port).send(request);
  while (harness.gateway.stats().polls + engine.inFlight === 0) await delay(1);
  return { harness, clock, sockets, caller };
}

const HEAD = "HTTP/1.1\r\nHost: x\r\n";
const ENDINGS: readonly { readonly name: string; readonly request: string; readonly status: number }[] = [
  { name: "a poll that gets no job", request: `GET /service/a/jobs ${HEAD}\r\n`, status: 204 },
  {
    name: "a call to a worker",
    request: `POST /slow ${HEAD}Content-Length: 2\r\n\r\n{}`,
    status: 504,
  },
  {
    name: "a call in a queue",
    request: `POST /service/held ${HEAD}Content-Length: 2\r\n\r\n{}`,
    status: 504,
  },
  {
    name: "a call that waits as it likes to",
    request: `GET /slow ${HEAD}Prefer: wait=2\r\n\r\n`,
    status: 504,
  },
  {
    name: "a call that is told where the answer will be",
    request: `GET /slow ${HEAD}Prefer: respond-async, wait=1\r\n\r\n`,
    status: 202,
  },
];

for (const { name, request, status } of ENDINGS)
  for (const first of ["its deadline", "the clock of quiet connections"] as const)
    test(`${name}: ${status}, when ${first} is the first of two in one tick`, async (context) => {
      const { clock, sockets, caller } = await waitingFor(context, request);
      const quiet = (): unknown => sockets[0]!.emit("timeout");
      if (first !== "its deadline") quiet();
      clock.advance(SAME_MS);
      if (first === "its deadline") quiet();
      assert.equal((await caller.response())?.status, status);
      caller.close();
    });

test("a request that comes as its idle connection times out is answered", async (context) => {
  const { harness, clock, sockets, caller } = await waitingFor(context, `GET /service/a/jobs ${HEAD}\r\n`);
  clock.advance(SAME_MS);
  assert.equal((await caller.response())?.status, 204);
  // Timers fire before anything is read: when this one does, the request has been sent, and nobody has seen it.
  setTimeout(() => sockets[0]!.emit("timeout"), 1);
  for (const until = performance.now() + 2; performance.now() < until;);
  setImmediate(() => caller.send(`GET /nobody ${HEAD}\r\n`));
  assert.equal((await caller.response())?.status, 503);
  caller.close();
  assert.equal(harness.engine.inFlight, 0);
});

test("with one value for the stall time, the timeout and the wait, every caller hears", async (context) => {
  const engine = new LocalEngine();
  const ms = 60;
  const harness = await harnessOn(context, engine, engine, {
    jobs: { services: { held: {} }, waitMs: ms },
    http: { timeoutMs: ms, stallMs: ms },
  });
  serveOn(engine, "slow", () => undefined);
  const requests = ENDINGS.slice(0, 3);
  const statuses: Promise<(number | undefined)[]>[] = [];
  for (let round = 0; round < 40; round++) {
    const callers = requests.map(({ request }) => new RawCaller(harness.port).send(request));
    statuses.push(
      Promise.all(
        callers.map(async (caller) => {
          const response = await caller.response();
          caller.close();
          return response?.status;
        }),
      ),
    );
    await delay(3);
  }
  for (const round of await Promise.all(statuses)) assert.deepEqual(round, [204, 504, 504]);
});
