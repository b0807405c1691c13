import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { test } from "node:test";
import { ByteEnd } from "../../src/testing/byte-end.ts";
import { SocketConnection } from "../../src/transport/socket-connection.ts";
import { SocketReads, readBuffer, takeOver } from "../../src/transport/socket-reads.ts";

/** A socket as a server that pauses hands it out, and what dialed it. */
async function acceptedSocket(): Promise<{ accepted: Socket; dialed: Socket; server: Server }> {
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const dialed = connect((server.address() as AddressInfo).port, "127.0.0.1");
  const [accepted] = (await once(server, "connection")) as [Socket];
  return { accepted, dialed, server };
}

test("sockets that share a buffer read into it one after the other", async () => {
  const buffer = readBuffer();
  const pairs = [await acceptedSocket(), await acceptedSocket()];
  const ends = pairs.map(({ accepted }) => new ByteEnd(SocketConnection.accepted(accepted, buffer, "test")));
  for (let round = 0; round < 50; round++)
    for (const [index, { dialed }] of pairs.entries()) dialed.write(`${index}.${round};`);
  const expected = [0, 1].map((index) =>
    Array.from({ length: 50 }, (_, round) => `${index}.${round};`).join(""),
  );
  for (const [index, end] of ends.entries()) {
    await end.until(() => end.length === expected[index]!.length);
    assert.equal(end.bytes().toString(), expected[index]);
    end.connection.abort();
  }
  for (const { dialed, server } of pairs) {
    dialed.destroy();
    server.close();
  }
});

test("a socket whose handle was taken over says all that its connection did: addresses, the end, errors", async () => {
  const { accepted, dialed, server } = await acceptedSocket();
  const reads = new SocketReads();
  const reading = takeOver(accepted, reads);
  assert.ok(reading !== undefined, "this Node has a handle that can be taken over");
  assert.equal(reading.remotePort, dialed.localPort);
  const end = new ByteEnd(new SocketConnection(reading, { remote: "test", reads }));
  dialed.resetAndDestroy();
  await end.over();
  assert.match(end.error?.message ?? "", /ECONNRESET/);
  server.close();
});

test("where the handle is not as expected the socket reads as Node does by itself", async () => {
  const { accepted, dialed, server } = await acceptedSocket();
  // oxlint-disable-next-line no-underscore-dangle -- its name in Node
  const handle = (accepted as unknown as { _handle: { useUserBuffer: unknown } })._handle;
  handle.useUserBuffer = undefined;
  assert.equal(takeOver(accepted, new SocketReads()), undefined);
  const end = new ByteEnd(SocketConnection.accepted(accepted, readBuffer(), "test"));
  dialed.end("still read");
  await end.over();
  assert.equal(end.bytes().toString(), "still read");
  server.close();
});
