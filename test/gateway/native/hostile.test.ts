import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { connect } from "../../../src/peer/connect.ts";
import type { Peer } from "../../../src/peer/peer.ts";
import { FrameType } from "../../../src/wire/frame.ts";
import {
  bindBytes,
  frameBytes,
  helloBytes,
  publishBytes,
  replyBytes,
  requestBytes,
  sayings,
  serveBytes,
  subscribeBytes,
} from "../../wire/frame-bytes.ts";
import { bytesBefore, vectors } from "../../wire/vectors.ts";
import { hubOnTcp, RawClient, type RawHarness } from "./raw-client.ts";

// One hub for all that follows: what one stranger does must not be felt by anybody else.
let harness: RawHarness;
let innocent: Peer;

before(async () => {
  harness = await hubOnTcp({ bindings: 100, registrations: 20, payload: 100_000 });
  innocent = await connect(harness.url);
  await innocent.serve("echo", (value) => value);
});

after(async () => {
  await innocent.close();
  await harness.hub.close();
});

async function othersAreWell(): Promise<void> {
  assert.equal(await innocent.request("echo", "well"), "well");
}

test("malformed frames, cut at every byte: CLOSE names the reason, others are served", async () => {
  const short = vectors.malformed.filter(({ receiver, hex }) => receiver === "acceptor" && hex.length < 200);
  assert.ok(short.length > 30);
  for (const vector of short) {
    const bytes = Buffer.from(vector.hex, "hex");
    const greeting = vector.state === "greeting" ? [] : [helloBytes(), bytesBefore(vector)];
    const cuts = [...bytes.keys()];
    await Promise.all(
      cuts.map(async (cut) => {
        const client = await RawClient.dial(harness.port);
        await client.sendApart(...greeting, bytes.subarray(0, cut), bytes.subarray(cut));
        assert.equal(await client.closeReason(), vector.closes, `${vector.name} cut at ${cut}`);
      }),
    );
  }
  await othersAreWell();
});

test("other protocols at the gateway are shown out", async () => {
  const greetings = [
    "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "SSH-2.0-OpenSSH_9.2\r\n",
    "\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc\u0003\u0003abcdefgh",
    "*1\r\n$4\r\nPING\r\n**********",
    "CONNECT {}\r\nPING\r\n****",
  ];
  for (const greeting of greetings) {
    const client = await RawClient.dial(harness.port);
    client.send(Buffer.from(greeting, "latin1"));
    assert.equal(await client.closeReason(), "BAD_FRAME", greeting);
  }
  await othersAreWell();
});

test("P-40: a request number that is in flight already", async () => {
  await innocent.serve("slow", () => new Promise(() => undefined));
  const client = await RawClient.greeted(harness.port);
  client.send(bindBytes(1, "slow"), requestBytes(1, 9), requestBytes(1, 9));
  assert.equal(await client.closeReason(), "BAD_FRAME");
  await othersAreWell();
});

test("P-53: a registration number that is in use", async () => {
  for (const second of [serveBytes(7, "b"), subscribeBytes(7, "b")]) {
    const client = await RawClient.greeted(harness.port);
    client.send(serveBytes(7, "a"), second);
    assert.equal(await client.closeReason(), "BAD_FRAME");
  }
});

test("P-43: answers to jobs one does not hold are counted and dropped", async () => {
  const worker = await RawClient.greeted(harness.port);
  const thief = await RawClient.greeted(harness.port);
  worker.send(serveBytes(1, "guarded"));
  thief.send(serveBytes(1, "elsewhere"));
  await Promise.all([worker.next(FrameType.ready), thief.next(FrameType.ready)]);
  const answer = innocent.request("guarded", "q");
  const job = await worker.next(FrameType.request);
  const late = harness.hub.stats().lateReplies;
  // The right number with the thief's registration, with none, with one that is not there; numbers around it.
  thief.send(
    replyBytes(1, job.id, "stolen"),
    replyBytes(0, job.id, "stolen"),
    replyBytes(99, job.id, "stolen"),
  );
  thief.send(frameBytes({ type: FrameType.error, target: 1, id: job.id }));
  for (let id = 1; id < 50; id++) thief.send(replyBytes(1, id, "stolen"));
  thief.send(frameBytes({ type: FrameType.cancel, target: 1, id: job.id, aux: 1 }));
  thief.send(frameBytes({ type: FrameType.ping, id: 1 }));
  await thief.next(FrameType.pong);
  assert.ok(harness.hub.stats().lateReplies > late);
  worker.send(replyBytes(1, job.id, "mine"));
  assert.equal(await answer, "mine");
  // A second answer to the same job.
  worker.send(replyBytes(1, job.id, "again"), frameBytes({ type: FrameType.ping, id: 2 }));
  await worker.next(FrameType.pong);
  assert.equal(worker.ended || thief.ended, false, "late and duplicate answers are nobody's crime");
  worker.socket.destroy();
  thief.socket.destroy();
});

test("P-24: a flood of bindings ends at the limit", async () => {
  const client = await RawClient.greeted(harness.port);
  for (let number = 1; number <= 101; number++) client.send(bindBytes(number, `a.${number}`));
  assert.equal(await client.closeReason(), "TOO_MANY");
  await othersAreWell();
});

test("P-22: binding one number again and again costs nothing", async () => {
  const client = await RawClient.greeted(harness.port);
  const many = Buffer.concat(Array.from({ length: 20_000 }, (_, index) => bindBytes(1, `again.${index}`)));
  client.send(many, bindBytes(1, "echo"), requestBytes(1, 1, "still"));
  assert.equal((await client.next(FrameType.reply)).body.toString(), "still");
  client.socket.destroy();
});

test("P-54: a flood of registrations is refused at the limit, and the session goes on", async () => {
  const client = await RawClient.greeted(harness.port);
  for (let number = 1; number <= 40; number++) {
    client.send(
      number % 2 === 0 ? serveBytes(number, `s.${number}`) : subscribeBytes(number, `s.${number}.>`),
    );
  }
  await client.until(() => client.of(FrameType.ready).length + client.of(FrameType.refused).length === 40);
  assert.equal(client.of(FrameType.ready).length, 20);
  assert.equal(sayings(client.of(FrameType.refused)[0]!)["reason"], "TOO_MANY");
  // Room is made by leaving.
  client.send(frameBytes({ type: FrameType.leave, id: 1 }), subscribeBytes(41, "more"));
  await client.until(() => client.of(FrameType.ready).some(({ id }) => id === 41));
  client.socket.destroy();
});

test("P-55: LEAVE of what is not registered is confirmed all the same; READY says what it answers", async () => {
  const client = await RawClient.greeted(harness.port);
  client.send(
    serveBytes(1, "x"),
    frameBytes({ type: FrameType.leave, id: 1 }),
    frameBytes({ type: FrameType.leave, id: 77 }),
  );
  await client.until(() => client.of(FrameType.ready).length === 3);
  const asked = client.of(FrameType.ready).map(({ id, aux }) => [id, aux]);
  assert.deepEqual(
    asked
      .filter(([id]) => id === 1)
      .map(([, aux]) => aux!)
      .toSorted((a, b) => a - b),
    [8, 10],
  );
  assert.deepEqual(
    asked.filter(([id]) => id === 77),
    [[77, 10]],
  );
  client.socket.destroy();
});

test("P-19: a peer that vanishes in the middle of a frame takes its requests and registrations along", async () => {
  const client = await RawClient.greeted(harness.port);
  client.send(serveBytes(1, "vanishing"), bindBytes(1, "echo"));
  await client.next(FrameType.ready);
  const lost = innocent.request("vanishing", "q");
  await client.next(FrameType.request);
  client.send(requestBytes(1, 1, "half").subarray(0, 10));
  client.socket.resetAndDestroy();
  await assert.rejects(lost, { reason: "WORKER_LOST" });
  await assert.rejects(innocent.request("vanishing", "q"), { reason: "NO_RESPONDERS" });
});

test("P-16: a peer that says CLOSE and stays is no worker any more at once, and is cut off", async () => {
  const client = await RawClient.greeted(harness.port);
  client.send(serveBytes(1, "lingering"));
  await client.next(FrameType.ready);
  client.socket.on("end", () => undefined);
  client.send(frameBytes({ type: FrameType.close }));
  const { closed } = harness.sessions;
  const known = closed.length;
  await harness.sessions.until(() => closed.length > known);
  await assert.rejects(innocent.request("lingering", "q"), { reason: "NO_RESPONDERS" });
});

test("P-33: a header block goes through the hub as it is, and lines that cannot be read are skipped", async () => {
  const [sender, receiver] = [await RawClient.greeted(harness.port), await RawClient.greeted(harness.port)];
  receiver.send(subscribeBytes(1, "p33"));
  await receiver.next(FrameType.ready);
  const heard: (string | undefined)[] = [];
  const subscription = await innocent.subscribe("p33", (_value, { headers }) =>
    heard.push(headers.get("x-a")),
  );
  const block = Buffer.from("no colon\n:\nx-a:first\nX Y:\0\u{e4}\nx-a:second\n\xff no end");
  sender.send(bindBytes(1, "p33"));
  sender.send(
    frameBytes({
      type: FrameType.publish,
      flags: 2,
      aux: block.length,
      target: 1,
      body: Buffer.concat([block, Buffer.from("x")]),
    }),
  );
  const { aux, body } = await receiver.next(FrameType.publish);
  assert.deepEqual(body.subarray(0, aux), block);
  await othersAreWell();
  assert.deepEqual(heard, ["first"]);
  await subscription.close();
  sender.socket.destroy();
  receiver.socket.destroy();
});

test("P-3: a huge body that trickles in is not paid for ahead", async () => {
  const clients = await Promise.all(Array.from({ length: 50 }, () => RawClient.greeted(harness.port)));
  const start = process.memoryUsage().arrayBuffers;
  for (const client of clients) client.send(frameBytes({ type: FrameType.ping, length: 132_000, body: "x" }));
  for (let round = 0; round < 20; round++) {
    await Promise.all(clients.map((client) => client.sendApart(Buffer.from("y"))));
  }
  await othersAreWell();
  const grown = process.memoryUsage().arrayBuffers - start;
  assert.ok(grown < 50 * 66_000, `${grown} bytes for 50 frames of which 40 bytes have come`);
  for (const client of clients) client.socket.destroy();
});

test("a publication to a subject nobody has bound harms only its sender", async () => {
  const client = await RawClient.greeted(harness.port);
  const seen: unknown[] = [];
  await innocent.subscribe(">", (value) => seen.push(value));
  client.send(publishBytes(5, "x"));
  assert.equal(await client.closeReason(), "BAD_FRAME");
  await othersAreWell();
  assert.deepEqual(seen, []);
});
