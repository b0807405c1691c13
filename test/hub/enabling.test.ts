/** Services in processes of their own enable subjects for clients of the gateways, and are killed. */
import assert from "node:assert/strict";
import { fork, type ChildProcess } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { createHub } from "../../src/hub/hub.ts";
import { connect } from "../../src/peer/connect.ts";
import type { Peer } from "../../src/peer/peer.ts";
import { until } from "../house/until.ts";

const KEYS = { service: "the-key-of-the-service", client: "the-key-of-the-client" };
const sha256 = (key: string): string => createHash("sha256").update(key).digest("hex");

interface Scene {
  readonly client: Peer;
  /** Starts a service; resolves when it has enabled what it enables. */
  readonly start: () => Promise<ChildProcess>;
  /** What the client gets by HTTP and by its session. */
  readonly outcomes: () => Promise<unknown[]>;
}

async function withHub(run: (scene: Scene) => Promise<void>): Promise<void> {
  const hub = await createHub({
    http: { port: 0 },
    listen: ["tcp://127.0.0.1:0"],
    access: {
      keys: [
        { name: "service", role: "service", sha256: sha256(KEYS.service) },
        { name: "client", role: "client", sha256: sha256(KEYS.client) },
      ],
    },
  });
  const [url] = hub.urls;
  const [http] = hub.gateways.find(({ name }) => name === "http")!.urls;
  const client = await connect(url!, { token: KEYS.client, onError: () => undefined });
  const children: ChildProcess[] = [];
  try {
    await run({
      client,
      start: async () => {
        const file = fileURLToPath(new URL("enabling-process.js", import.meta.url));
        const child = fork(file, [url!], { env: { ...process.env, TEST_KEY: KEYS.service } });
        children.push(child);
        await once(child, "message");
        return child;
      },
      outcomes: async () => {
        const response = await fetch(`${http}/chat/say`, {
          method: "POST",
          headers: { authorization: `Bearer ${KEYS.client}`, "content-type": "text/plain" },
          body: "hello",
        });
        const text = await response.text();
        const requested = client.request("chat.say", "hello").catch((why: { reason: string }) => why.reason);
        return [response.status === 200 ? text : response.status, await requested];
      },
    });
  } finally {
    for (const child of children) child.kill("SIGKILL");
    await client.close();
    await hub.close();
  }
}

const REFUSED = [403, "PERMISSION_DENIED"];
const SAID = ["said hello", "said hello"];

test("P-150, P-151: what a service has enabled is refused again at once when its process is killed", async () => {
  await withHub(async ({ client, start, outcomes }) => {
    assert.deepEqual(await outcomes(), REFUSED);
    const service = await start();
    assert.deepEqual(await outcomes(), SAID);
    const subscription = await client.subscribe("news.*", () => undefined);
    service.kill("SIGKILL");
    await assert.rejects(subscription.closed, { reason: "PERMISSION_DENIED" });
    assert.deepEqual(await outcomes(), REFUSED);
    await assert.rejects(
      client.subscribe("news.*", () => undefined),
      { reason: "PERMISSION_DENIED" },
    );
  });
});

test("P-150: what two services have enabled stays so when one of them is killed", async () => {
  await withHub(async ({ client, start, outcomes }) => {
    const [first, second] = [await start(), await start()];
    const subscription = await client.subscribe("news.*", () => undefined);
    let isOver = false;
    const over = subscription.closed.catch(() => undefined).then(() => (isOver = true));
    first.kill("SIGKILL");
    await once(first, "exit");
    for (let count = 0; count < 20; count++) {
      const [http, requested] = await outcomes();
      // One that the killed service held may be lost with it.
      assert.ok(http === "said hello" || http === 502, String(http));
      assert.ok(requested === "said hello" || requested === "WORKER_LOST", String(requested));
    }
    assert.deepEqual([await outcomes(), isOver], [SAID, false]);
    second.kill("SIGKILL");
    await over;
    await until(async () => (await outcomes())[0] === 403);
  });
});
