import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";
import { test } from "node:test";
import { ByteEnd } from "../../src/testing/byte-end.ts";
import { TransportRegistry } from "../../src/transport/registry.ts";
import { tcp } from "../../src/transport/tcp.ts";

test("URLs without a host or port are refused with the form they must have", async () => {
  for (const url of ["tcp://127.0.0.1", "tcp://:80", "tcp:", "tcp://a:b", "http://127.0.0.1:1"]) {
    await assert.rejects(tcp.dial(url), /tcp:\/\/HOST:PORT/, url);
    await assert.rejects(
      tcp.listen(url, () => undefined),
      /tcp:\/\/HOST:PORT/,
      url,
    );
  }
});

test("a peer that resets the connection ends it with the error", async () => {
  const server = createServer((socket) => {
    socket.once("data", () => socket.resetAndDestroy());
    socket.on("error", () => undefined);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const end = new ByteEnd(await tcp.dial(`tcp://127.0.0.1:${port}`));
  end.connection.send(Buffer.from("x"));
  await end.over();
  assert.match(String(end.error), /ECONNRESET/);
  server.close();
});

test("a host that cannot be found rejects", async () => {
  await assert.rejects(tcp.dial("tcp://no-such-host.invalid:1", { timeoutMs: 2_000 }));
});

test("the registry lists what it knows when asked for something else", async () => {
  const registry = new TransportRegistry();
  await assert.rejects(registry.for("carrier-pigeon://x"), /memory, tcp, unix/);
  await assert.rejects(registry.for("no scheme"), TypeError);
  assert.equal(await registry.for("tcp://127.0.0.1:0"), tcp);
  registry.add({ ...tcp, scheme: "pigeon" });
  assert.equal((await registry.for("pigeon://x")).scheme, "pigeon");
});
