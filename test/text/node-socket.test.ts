/** T-61: a server that is silent is noticed in Node. */
import assert from "node:assert/strict";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { after, test } from "node:test";
import { WebSocket, WebSocketServer } from "ws";
import { FakeClock } from "../../src/testing/fake-clock.ts";
import { NodeSocket } from "../../src/text/node-socket.ts";

const servers: WebSocketServer[] = [];
after(() => {
  for (const server of servers) {
    for (const client of server.clients) client.terminate();
    server.close();
  }
});

async function connected(
  autoPong: boolean,
): Promise<{ clock: FakeClock; socket: NodeSocket; peer: WebSocket; pings: () => Promise<unknown> }> {
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1", autoPong });
  servers.push(server);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const clock = new FakeClock();
  const websocket = new WebSocket(`ws://127.0.0.1:${port}`, { perMessageDeflate: false });
  const socket = new NodeSocket(websocket, clock);
  const [[peer]] = await Promise.all([
    once(server, "connection") as Promise<[WebSocket]>,
    once(websocket, "open"),
  ]);
  return { clock, socket, peer, pings: () => once(peer, "ping") };
}

test("a server that answers no ping is lost, and the close says so", async () => {
  const { clock, socket, pings } = await connected(false);
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    socket.addEventListener("close", resolve);
  });
  const pinged = pings();
  clock.advance(5_000);
  await pinged;
  clock.advance(5_000);
  assert.deepEqual(await closed, { code: 1006, reason: "the server has stopped answering pings" });
  assert.equal(clock.pending, 0);
});

test("one that answers, or says anything, is not", async () => {
  const { clock, socket, peer, pings } = await connected(true);
  const messages: unknown[] = [];
  let onMessage = (): void => undefined;
  socket.addEventListener("message", ({ data }) => {
    messages.push(data);
    onMessage();
  });
  const heard = (): Promise<void> => new Promise((resolve) => (onMessage = resolve));
  for (let round = 0; round < 3; round++) {
    const pinged = pings();
    clock.advance(5_000);
    await pinged;
    const answered = heard();
    peer.send("after the pong");
    await answered;
  }
  clock.advance(4_999);
  assert.deepEqual([socket.readyState, messages.length], [WebSocket.OPEN, 3]);
  socket.close();
  peer.terminate();
});
