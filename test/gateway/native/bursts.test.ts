/** Large messages in numbers: they are served late, and nobody's session ends (P-62, P-66). */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { RemoteEngine } from "../../../src/engine/remote/remote-engine.ts";
import { NativeGateway } from "../../../src/gateway/native/gateway.ts";
import { createHub, type Hub, type HubConfig } from "../../../src/hub/hub.ts";
import type { Limits } from "../../../src/message/limits.ts";
import { connect } from "../../../src/peer/connect.ts";
import { DEFAULT_LIMITS } from "../../../src/message/limits.ts";
import type { Peer } from "../../../src/peer/peer.ts";
import { TransportRegistry } from "../../../src/transport/registry.ts";
import { tcp } from "../../../src/transport/tcp.ts";
import { LinkLog, outcome } from "../../engine/remote/harness.ts";
import { serveBytes } from "../../wire/frame-bytes.ts";
import { RawClient, SessionLog } from "./raw-client.ts";

interface Harness extends AsyncDisposable {
  readonly hub: Hub;
  readonly worker: Peer;
  readonly caller: Peer;
  /** What anybody was told of errors. */
  readonly errors: unknown[];
  /** How the sessions of worker and caller have fared. */
  readonly states: () => string[];
}

/** With limits that both ends may have. */
type TestConfig = Omit<HubConfig, "limits"> & { readonly limits?: Partial<Limits> };

async function harness(listen: string, config: TestConfig = {}): Promise<Harness> {
  const errors: unknown[] = [];
  const onError = (error: unknown): void => void errors.push(error);
  const transports = new TransportRegistry();
  const sessions = new SessionLog();
  const { onSession } = sessions;
  const hub = await createHub({ http: false, listen: [listen], transports, onError, onSession, ...config });
  const links = [new LinkLog(), new LinkLog()];
  const { limits = {} } = config;
  const [worker, caller] = await Promise.all(
    links.map(({ onState }) => connect(hub.urls[0]!, { transports, onState, onError, limits })),
  );
  return {
    hub,
    worker: worker!,
    caller: caller!,
    errors,
    states: () => [...links.flatMap(({ states }) => states), ...sessions.closed.map((why) => why!.reason)],
    [Symbol.asyncDispose]: async () => {
      await Promise.all([worker!.close(), caller!.close()]);
      await hub.close();
    },
  };
}

function counted(outcomes: readonly unknown[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const one of outcomes) counts[String(one)] = (counts[String(one)] ?? 0) + 1;
  return counts;
}

async function statusOf(url: string): Promise<string> {
  const response = await fetch(url, { method: "POST" });
  const { byteLength } = await response.arrayBuffer();
  return `${response.status} ${byteLength}`;
}

test("64 calls over HTTP for answers of 1,000,000 bytes, and others on the same worker, are all answered", async () => {
  await using one = await harness("tcp://127.0.0.1:0", { http: { port: 0 } });
  const { hub, worker, errors, states } = one;
  await worker.serve("big", () => new Uint8Array(1e6));
  await worker.serve("small", () => "ok");
  const large = Array.from({ length: 64 }, () => statusOf(`${hub.httpUrl}/big`));
  const small = Array.from({ length: 20 }, () => statusOf(`${hub.httpUrl}/small`));
  assert.deepEqual(counted(await Promise.all([...large, ...small])), { "200 1000000": 64, "200 2": 20 });
  assert.deepEqual(states(), ["connected", "connected"]);
  assert.deepEqual(errors, []);
  assert.equal(hub.stats().slowDisconnects, 0);
});

/** So that a burst is many times what a session takes, without taking long. */
const LIMITS = { sessionBuffer: 524_288, sessionBuffers: 1_048_576 };
const SIZE = 100_000;

/** What a peer that asks 64 times with large requests hears, and others meanwhile. */
async function burst({ hub, worker, caller }: Harness, count: number): Promise<Record<string, number>> {
  const payload = new Uint8Array(SIZE);
  const large = Array.from({ length: count }, () =>
    outcome(caller.request<Uint8Array>("echo", payload).then(({ length }) => length)),
  );
  const small = [caller, worker, hub].flatMap((peer) =>
    Array.from({ length: 10 }, () => outcome(peer.request("small"))),
  );
  return counted(await Promise.all([...large, ...small]));
}

test("64 requests with large payloads and answers are served over every transport", async () => {
  const folder = await mkdtemp(join(tmpdir(), "lintel-"));
  try {
    for (const listen of [
      "tcp://127.0.0.1:0",
      `unix://${join(folder, "hub.sock")}`,
      "ws://127.0.0.1:0",
      "h2c://127.0.0.1:0",
      "http1://127.0.0.1:0",
      "memory:bursts",
    ]) {
      await using one = await harness(listen, { limits: LIMITS });
      const { worker, errors, states } = one;
      await worker.serve("echo", (value) => value);
      await worker.serve("small", () => "ok");
      assert.deepEqual(await burst(one, 64), { [SIZE]: 64, ok: 30 }, listen);
      assert.deepEqual(states(), ["connected", "connected"], listen);
      assert.deepEqual(errors, []);
    }
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("so they are by workers in the hub's process, by handlers that take their time, and by a caller that serves itself", async () => {
  for (const where of ["hub", "worker", "caller"] as const) {
    await using one = await harness("tcp://127.0.0.1:0", { limits: LIMITS });
    const { errors, states } = one;
    await one[where].serve("echo", async (value) => {
      await new Promise((resolve) => setImmediate(resolve));
      return value;
    });
    await one[where].serve("small", () => "ok");
    assert.deepEqual(await burst(one, 256), { [SIZE]: 256, ok: 30 }, where);
    assert.deepEqual(states(), ["connected", "connected"], where);
    assert.deepEqual(errors, []);
  }
});

test("so they are both ways at once, between two peers that call each other", async () => {
  await using one = await harness("tcp://127.0.0.1:0", { limits: LIMITS });
  const { worker, caller, states } = one;
  const payload = new Uint8Array(SIZE);
  const relayed = (other: string, peer: Peer) => async (value: Uint8Array) => {
    const answer = await peer.request<Uint8Array>(other, value);
    return answer.length;
  };
  await worker.serve("echo.worker", (value) => value);
  await caller.serve("echo.caller", (value) => value);
  await worker.serve("there.and.back", relayed("echo.caller", worker));
  await caller.serve("back.and.there", relayed("echo.worker", caller));
  const outcomes = await Promise.all(
    Array.from({ length: 60 }, (_, index) =>
      index % 2 === 0
        ? outcome(caller.request("there.and.back", payload))
        : outcome(worker.request("back.and.there", payload)),
    ),
  );
  assert.deepEqual(counted(outcomes), { [SIZE]: 60 });
  assert.deepEqual(states(), ["connected", "connected"]);
});

test("so they are through a second hub, whose engine is the first", async () => {
  await using one = await harness("tcp://127.0.0.1:0", { limits: LIMITS });
  const { hub, worker: near, states } = one;
  const limits = { ...DEFAULT_LIMITS, ...LIMITS };
  const engine = new RemoteEngine(tcp, hub.urls[0]!, { limits });
  await engine.connected();
  const gateway = new NativeGateway(engine, { limits });
  const listening = await gateway.listen("tcp://127.0.0.1:0");
  const far = await connect(listening.url, { limits });
  for (const [caller, worker, subject] of [
    [near, far, "echo.far"],
    [far, near, "echo.near"],
    [far, far, "echo.self"],
  ] as const) {
    await worker.serve(subject, (value) => value);
    const answers = Array.from({ length: 64 }, () =>
      outcome(caller.request<Uint8Array>(subject, new Uint8Array(SIZE)).then(({ length }) => length)),
    );
    assert.deepEqual(counted(await Promise.all(answers)), { [SIZE]: 64 }, subject);
  }
  assert.deepEqual(states(), ["connected", "connected"]);
  assert.equal(gateway.stats().slowDisconnects, 0);
  await far.close();
  await gateway.close();
  await engine.close();
});

test("a request that a full worker's group has another worker for does not wait for the full one", async () => {
  await using one = await harness("tcp://127.0.0.1:0", { limits: { ...LIMITS, stallTimeout: 60_000 } });
  const { hub, worker, caller } = one;
  const deaf = await RawClient.greeted(Number(new URL(hub.urls[0]!).port));
  deaf.send(serveBytes(1, "echo", "", 1_000));
  await deaf.next(11);
  deaf.socket.pause();
  const held = Array.from({ length: 200 }, () => outcome(hub.request("echo", new Uint8Array(SIZE))));
  await worker.serve("echo", (value) => value);
  assert.deepEqual(
    counted(await Promise.all(Array.from({ length: 20 }, () => outcome(caller.request("echo", "here"))))),
    { here: 20 },
  );
  deaf.socket.destroy();
  const { WORKER_LOST: lost = 0, ...others } = counted(
    (await Promise.all(held)).map((answer) => (answer instanceof Uint8Array ? answer.length : answer)),
  );
  assert.ok(lost > 0 && lost < 150, `${lost} had been sent to the one that does not read`);
  assert.deepEqual(others, { [SIZE]: 200 - lost });
});
