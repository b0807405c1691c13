/** Tunnels that begin at a hub that asks for credentials. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { test } from "node:test";
import { createHub, type Hub } from "../../src/hub/hub.ts";
import type { LintelError } from "../../src/message/failure.ts";
import { TestAccess } from "../../src/testing/test-access.ts";
import { exposeTcp } from "../../src/tunnel/index.ts";
import { until } from "../house/until.ts";

interface Scene {
  readonly hub: Hub;
  readonly reasons: string[];
  /** Connections that the target got. */
  readonly reached: Socket[];
  readonly dial: () => Socket;
}

async function withTunnel(access: TestAccess, run: (scene: Scene) => Promise<void>): Promise<void> {
  const reached: Socket[] = [];
  const reasons: string[] = [];
  const target = createServer((socket) => {
    reached.push(socket);
    socket.on("error", () => undefined);
    socket.pipe(socket);
  });
  target.listen(0, "127.0.0.1");
  await once(target, "listening");
  const hub = await createHub({
    http: false,
    listen: [],
    tunnel: { subject: "db", listen: 0 },
    access,
    onError: (error) => reasons.push((error as LintelError).reason),
  });
  const { port } = target.address() as AddressInfo;
  const exposure = await exposeTcp(hub, "db", { host: "127.0.0.1", port });
  const [url] = hub.gateways.find(({ name }) => name === "tunnel")!.urls;
  const dialed: Socket[] = [];
  try {
    const dial = (): Socket => {
      const socket = connect({ host: "127.0.0.1", port: Number(new URL(url!).port) });
      socket.on("error", () => undefined);
      dialed.push(socket);
      return socket;
    };
    await run({ hub, reasons, reached, dial });
  } finally {
    for (const socket of [...dialed, ...reached]) socket.destroy();
    await exposure.close();
    await hub.close();
    target.close();
  }
}

/** It may be closed by a reset. */
function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.on("close", () => resolve()));
}

async function echo(socket: Socket, text: string): Promise<string> {
  socket.write(text);
  const [bytes] = (await once(socket, "data")) as [Buffer];
  return String(bytes);
}

test("a connection of a tunnel is let in, and a request for its subject", async () => {
  const access = new TestAccess({ allows: () => true });
  await withTunnel(access, async ({ dial }) => {
    const socket = dial();
    assert.equal(await echo(socket, "hello"), "hello");
    assert.deepEqual(access.asked, ["nobody request db"]);
    const [{ gateway, remote, token }] = access.credentials as [(typeof access.credentials)[0]];
    assert.deepEqual([gateway, remote, token], ["tunnel", `127.0.0.1:${socket.localPort}`, undefined]);
    access.revoke();
    await closed(socket);
  });
});

test("one that is not let in, or may not make the request, is cut off, and reaches nobody", async () => {
  for (const [access, reason] of [
    [new TestAccess({ tokens: [] }), "UNAUTHENTICATED"],
    [new TestAccess(), "PERMISSION_DENIED"],
  ] as const) {
    await withTunnel(access, async ({ hub, reasons, reached, dial }) => {
      await closed(dial());
      await until(() => reasons.length > 0, "the report");
      assert.deepEqual([reasons, reached.length, hub.stats().requests], [[reason], 0, 0]);
    });
  }
});

test("one waits until it is known who it is and what it may do, with what it has sent", async () => {
  const access = new TestAccess({ allows: () => true, isSlow: true });
  await withTunnel(access, async ({ reached, dial }) => {
    const socket = dial();
    const answer = echo(socket, "hello");
    await until(() => access.waiting === 1, "the question who it is");
    access.answer();
    access.slowDown();
    await until(() => access.waiting === 1, "the question what it may do");
    assert.equal(reached.length, 0);
    access.answer();
    assert.equal(await answer, "hello");
  });
});
