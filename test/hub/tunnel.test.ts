/** Tunnels that begin at a hub: ports of its own that lead to whoever exposes a subject. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectSocket, createServer, type AddressInfo, type Socket } from "node:net";
import { test, type TestContext } from "node:test";
import { connect, createHub, type HubConfig } from "../../src/index.ts";
import { exposeTcp } from "../../src/tunnel/index.ts";

const CLOSED = { http: false, listen: ["memory:tunnels-of-a-hub"] } as const;

/** A target that says what it hears, in capitals. */
async function target(context: TestContext): Promise<{ host: string; port: number }> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.setEncoding("latin1").on("data", (text: string) => socket.write(text.toUpperCase()));
    socket.on("end", () => socket.end());
    socket.on("error", () => undefined);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  context.after(() => server.close());
  return { host: "127.0.0.1", port: (server.address() as AddressInfo).port };
}

function dial(url: string): Socket {
  const socket = connectSocket(Number(new URL(url).port), "127.0.0.1");
  return socket.setEncoding("latin1");
}

async function heard(socket: Socket): Promise<string> {
  const [text] = (await once(socket, "data")) as [string];
  return text;
}

test("a port of the hub leads to the target, and is announced and counted", async (context) => {
  await using hub = await createHub({
    ...CLOSED,
    tunnel: [
      { listen: 0, subject: "db.main" },
      { listen: "127.0.0.1:0", subject: "db.other" },
    ],
  });
  const { urls = [] } = hub.gateways.find(({ name }) => name === "tunnel") ?? {};
  assert.deepEqual(
    urls.map((url) => /^tcp:\/\/127\.0\.0\.1:\d+$/.test(url)),
    [true, true],
  );
  await using peer = await connect(CLOSED.listen[0]);
  await using _ = await exposeTcp(peer, "db.main", await target(context));
  const socket = dial(urls[0]!);
  socket.write("hello");
  assert.equal(await heard(socket), "HELLO");
  assert.deepEqual(hub.stats().gateways["tunnel"], { connections: 1 });
  socket.end();
  await once(socket, "close");
  const nobody = dial(urls[1]!);
  await once(nobody, "error"); // nobody exposes it
});

test("a drain takes nothing new, and gives connections that are open the time of streams", async (context) => {
  const hub = await createHub({ ...CLOSED, tunnel: { listen: 0, subject: "db.main" } });
  const [url = ""] = hub.gateways.find(({ name }) => name === "tunnel")!.urls;
  const exposure = await exposeTcp(hub, "db.main", await target(context));
  const socket = dial(url);
  socket.write("one");
  assert.equal(await heard(socket), "ONE");
  const drained = hub.drain({ streamGraceMs: 60_000, graceMs: 60_000 });
  await assert.rejects(once(dial(url), "connect"), { code: "ECONNREFUSED" });
  socket.write("two");
  assert.equal(await heard(socket), "TWO");
  socket.end();
  await drained;
  await exposure.close();
});

test("connections that outlast the time of streams are cut off", async (context) => {
  const hub = await createHub({ ...CLOSED, tunnel: { listen: 0, subject: "db.main" } });
  const [url = ""] = hub.gateways.find(({ name }) => name === "tunnel")!.urls;
  const exposure = await exposeTcp(hub, "db.main", await target(context));
  const socket = dial(url).on("error", () => undefined);
  socket.write("one");
  assert.equal(await heard(socket), "ONE");
  const closed = new Promise((resolve) => socket.once("close", resolve));
  await hub.drain({ streamGraceMs: 1 });
  await closed;
  await exposure.close();
});

const WRONG: readonly (readonly [what: string, tunnel: unknown, message: RegExp])[] = [
  ["no map", 5, /tunnel's listen is undefined/],
  ["null", null, /tunnel's listen is undefined/],
  ["no port", { subject: "a", listen: "here" }, /tunnel's listen is "here", it must be/],
  ["no subject", [{ listen: 0 }], /tunnel's subject is undefined, it must be a subject/],
  ["a pattern", { listen: 0, subject: "a.*" }, /tunnel's subject is "a\.\*"/],
  ["no connections", { listen: 0, subject: "a", maxConnections: 0 }, /tunnel option maxConnections is 0/],
  ["no time", { listen: 0, subject: "a", idleTimeout: "soon" }, /tunnel option idleTimeout is "soon"/],
];
for (const [what, tunnel, message] of WRONG) {
  test(`${what} in place of a tunnel is refused`, async () => {
    const config = { ...CLOSED, tunnel } as HubConfig; // as those write who have no compiler
    await assert.rejects(createHub(config), { code: "invalid_argument", message });
  });
}
