/** Callers that ask for large answers and read none of them. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { test } from "node:test";
import { Format, Message } from "../../../src/message/message.ts";
import { SharedBound } from "../../../src/collections/shared-bound.ts";
import { openGateway } from "./harness.ts";

const MEGABYTE = 1_000_000;
const REQUEST = "GET /large HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";

function large(): Message {
  return Message.ofBytes(new Uint8Array(MEGABYTE), "", Format.bytes);
}

/** Sends so many requests in one piece. */
function pipeline(port: number, count: number, from = "127.0.0.1"): Socket {
  const socket = connect({ port, host: "127.0.0.1", localAddress: from });
  socket.on("error", () => undefined);
  socket.write(REQUEST.repeat(count));
  return socket;
}

async function received(socket: Socket): Promise<number> {
  let bytes = 0;
  for await (const chunk of socket) bytes += (chunk as Buffer).length;
  return bytes;
}

test("a caller whose answers pile up unread is cut off, and its bytes come back", async (context) => {
  const answers = new SharedBound(100 * MEGABYTE, 20 * MEGABYTE);
  const gateway = await openGateway(context, {}, { answers });
  gateway.serve("large", large);
  const deaf = pipeline(gateway.port, 60);
  deaf.pause();
  while (!gateway.records.some(({ reason }) => reason === "SLOW_CONSUMER")) {
    assert.ok(answers.taken <= 20 * MEGABYTE);
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.equal(answers.takenBy("127.0.0.1"), 0);
  deaf.destroy();
  assert.deepEqual(gateway.faults, []);
});

test("another caller has its own share meanwhile", async (context) => {
  const answers = new SharedBound(100 * MEGABYTE, 20 * MEGABYTE);
  const gateway = await openGateway(context, {}, { answers });
  gateway.serve("large", large);
  const deaf = pipeline(gateway.port, 15);
  deaf.pause();
  while (answers.takenBy("127.0.0.1") < 5 * MEGABYTE) await new Promise((resolve) => setImmediate(resolve));
  const reads = pipeline(gateway.port, 15, "127.0.0.2");
  reads.end();
  assert.ok((await received(reads)) > 15 * MEGABYTE);
  assert.equal(answers.takenBy("127.0.0.2"), 0);
  deaf.destroy();
  await once(deaf, "close");
  while (answers.taken > 0) await new Promise((resolve) => setImmediate(resolve));
});

test("a caller that reads gets whatever it asks for, though it is more than its share in all", async (context) => {
  const answers = new SharedBound(100 * MEGABYTE, 20 * MEGABYTE);
  const gateway = await openGateway(context, { maxPipelined: 4 }, { answers });
  gateway.serve("large", large);
  const socket = pipeline(gateway.port, 50);
  socket.end();
  assert.ok((await received(socket)) > 50 * MEGABYTE);
  assert.equal(answers.taken, 0);
});
