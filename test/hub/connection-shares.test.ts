/** The connections of one address leave room for those of another. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { connect as connectSocket, type Socket } from "node:net";
import { test } from "node:test";
import { createHub } from "../../src/hub/hub.ts";
import { callFrom } from "../gateway/call-from.ts";
import { Watched } from "../wire/watched.ts";

const MAX = 64;
/** A quarter. */
const SHARE = 16;

/** Connections from 127.0.0.1 that say nothing. */
class Silent extends Watched {
  readonly sockets: Socket[];
  open = 0;

  constructor(url: string, count: number) {
    super();
    const { port } = new URL(url.replace("grpc", "http"));
    this.sockets = Array.from({ length: count }, () => {
      const socket = connectSocket({ port: Number(port), host: "127.0.0.1" });
      socket.on("connect", () => this.open++);
      socket.on("error", () => undefined);
      socket.on("close", () => {
        this.open--;
        this.changed();
      });
      return socket.resume();
    });
  }
}

async function pingFrom(localAddress: string, url: string): Promise<void> {
  const at = new URL(url.replace("grpc", "http"));
  const createConnection = (): Socket =>
    connectSocket({ port: Number(at.port), host: at.hostname, localAddress });
  const client = connectHttp2(at, { createConnection });
  await once(client, "remoteSettings");
  client.close();
}

const DOORS: Readonly<Record<string, (url: string) => Promise<unknown>>> = {
  http: (url) => callFrom("127.0.0.2", `${url}/nobody`),
  grpc: (url) => pingFrom("127.0.0.2", url),
};

for (const [gateway, visit] of Object.entries(DOORS)) {
  test(`${gateway}: past its share the connections of an address are closed unheard`, async (context) => {
    const hub = await createHub({
      listen: [],
      http: { port: 0, maxConnections: MAX },
      grpc: { port: 0, maxConnections: MAX },
    });
    context.after(() => hub.close());
    const url = gateway === "http" ? hub.httpUrl! : hub.grpcUrl!;
    const silent = new Silent(url, SHARE + 3);
    const { sockets } = silent;
    context.after(() => sockets.forEach((socket) => socket.destroy()));
    await Promise.all(sockets.map((socket) => once(socket, "connect")));
    await silent.until(() => silent.open === SHARE);
    await visit(url);
    assert.equal(silent.open, SHARE, "the others stay");
  });
}
