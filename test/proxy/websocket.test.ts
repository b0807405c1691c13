/** WebSockets through the proxies people put in front: the configurations are those of docs/guides/transports.md. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { connect, createHub, type Hub, type Peer } from "../../src/index.ts";
import type { Failure } from "../../src/message/failure.ts";
import type { Limits } from "../../src/message/limits.ts";
import { ws } from "../../src/transport/ws/transport.ts";
import { findProgram } from "../house/provide.ts";
import { Proxy, PROXIES, type ProxyKind } from "./proxy.ts";

/** The proxies cut what is silent for this long. */
const IDLE_SECONDS = 2;
/** An end that hears nothing for the sum of both has lost the other, so silence is shorter than that. */
const LIVELY: Partial<Limits> = { heartbeat: 300, heartbeatTimeout: 600 };

interface Scene {
  readonly hub: Hub;
  readonly peers: readonly [caller: Peer, worker: Peer];
  /** Resolves with the reason when a session ends. */
  readonly cut: Promise<Failure | undefined>;
}

async function through(
  kind: ProxyKind,
  limits: Partial<Limits>,
  run: (scene: Scene) => Promise<void>,
): Promise<void> {
  let ended: (why: Failure | undefined) => void = () => undefined;
  const cut = new Promise<Failure | undefined>((resolve) => {
    ended = resolve;
  });
  const onSession = (event: string, _remote: string, why?: Failure): void => {
    if (event === "closed") ended(why);
  };
  const hub = await createHub({ http: false, listen: ["ws://127.0.0.1:0/lintel"], limits, onSession });
  const proxy = await Proxy.start(kind, Number(new URL(hub.urls[0]!).port), IDLE_SECONDS);
  const url = `ws://127.0.0.1:${proxy.port}/lintel`;
  const peers = [await connect(url, { limits }), await connect(url, { limits })] as const;
  try {
    await run({ hub, peers, cut });
  } finally {
    await Promise.all(peers.map((peer) => peer.close()));
    await hub.close();
    await proxy.stop();
  }
}

/** Lets more time pass than the proxy allows for silence; its clock is not ours to move. */
const silence = (): Promise<"quiet"> =>
  new Promise((resolve) => setTimeout(() => resolve("quiet"), IDLE_SECONDS * 2_000));

describe("a WebSocket", { concurrency: true }, () => {
  for (const kind of PROXIES) {
    const skip = findProgram(kind.program) === undefined && `run: node scripts/provide.js ${kind.program}`;

    describe(`behind ${kind.program}`, { skip }, () => {
      test("requests and publications pass, and the heartbeat keeps quiet sessions open", async () => {
        await through(kind, LIVELY, async ({ peers: [caller, worker], cut }) => {
          await worker.serve("echo", (value) => value);
          const large = new Uint8Array(1_000_000).fill(7);
          assert.deepEqual(await caller.request("echo", large), large);
          const heard: unknown[] = [];
          await caller.subscribe("feed", (value) => heard.push(value));
          assert.equal(await Promise.race([silence(), cut]), "quiet");
          await worker.publish("feed", "after the silence");
          assert.equal(await caller.request("echo", "still here"), "still here");
          assert.deepEqual(heard, ["after the silence"]);
        });
      });

      test("a session that says nothing is cut by the proxy, and made again", async () => {
        await through(kind, { heartbeat: 60_000 }, async ({ peers: [caller, worker], cut }) => {
          await worker.serve("echo", (value) => value);
          assert.equal((await cut)?.reason, "CONNECTION_LOST");
          let answer: unknown;
          while (answer === undefined) {
            answer = await caller.request("echo", "again").catch(() => undefined);
            await new Promise((resolve) => setImmediate(resolve));
          }
          assert.equal(answer, "again");
        });
      });

      test("a proxy whose hub is away is said to be one", async () => {
        const proxy = await Proxy.start(kind, 9, IDLE_SECONDS);
        try {
          await assert.rejects(ws.dial(`ws://127.0.0.1:${proxy.port}/lintel`), /answered 50[23]/);
        } finally {
          await proxy.stop();
        }
      });
    });
  }
});
