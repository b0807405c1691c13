/** A peer whose hub is written by hand. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "../../../src/peer/connect.ts";
import type { Peer } from "../../../src/peer/peer.ts";
import { TransportRegistry } from "../../../src/transport/registry.ts";
import { FrameType } from "../../../src/wire/frame.ts";
import {
  bindBytes,
  frameBytes,
  publishBytes,
  replyBytes,
  requestBytes,
  sayings,
  serveBytes,
  subscribeBytes,
  welcomeBytes,
} from "../../wire/frame-bytes.ts";
import { RawEnd, settled } from "../../session/stage.ts";
import { later, outcome } from "./stage.ts";

interface Stage {
  readonly peer: Peer;
  readonly hub: RawEnd;
}

async function stage(deaf = false): Promise<Stage> {
  const transports = new TransportRegistry();
  const accepted = later<RawEnd>();
  const url = "memory:raw-hub";
  const memory = await transports.for(url);
  const listener = await memory.listen(url, (connection) => {
    const end = new RawEnd(connection, deaf);
    end.send(welcomeBytes());
    accepted.resolve(end);
  });
  const peer = await connect(url, { transports, onError: () => undefined });
  await listener.close();
  return { peer, hub: await accepted.promise };
}

/** Serves something at the peer and returns the registration's number. */
async function served({ peer, hub }: Stage, handler: (value: unknown) => unknown): Promise<number> {
  const service = peer.serve("a", handler);
  const { id } = await hub.next(FrameType.serve);
  hub.send(frameBytes({ type: FrameType.ready, id, aux: FrameType.serve }));
  await service;
  return id;
}

test("P-26: requests for no registration, or for one that is not there, have no responders", async () => {
  const { peer, hub } = await stage();
  const number = await served({ peer, hub }, () => "answer");
  hub.send(bindBytes(1, "a", 0), bindBytes(2, "a", number + 7), bindBytes(3, "a", number));
  hub.send(requestBytes(1, 1), requestBytes(2, 2), requestBytes(3, 3));
  const reply = await hub.next(FrameType.reply);
  assert.deepEqual([reply.id, reply.target, reply.body.toString()], [3, number, "answer"]);
  const errors = hub.of(FrameType.error);
  assert.deepEqual(
    errors.map(({ id, target }) => [id, target]),
    [
      [1, 0],
      [2, number + 7],
    ],
  );
  assert.ok(errors.every((frame) => sayings(frame)["reason"] === "NO_RESPONDERS"));
  await peer.close();
});

test("P-41: a request whose deadline has passed is not executed", async () => {
  const { peer, hub } = await stage();
  const executed: unknown[] = [];
  const number = await served({ peer, hub }, (value) => executed.push(value));
  hub.send(
    bindBytes(1, "a", number),
    requestBytes(1, 1, "late", 0),
    requestBytes(1, 2, "soon", 4_294_967_295),
  );
  await hub.next(FrameType.reply);
  assert.equal(sayings(hub.of(FrameType.error)[0]!)["reason"], "DEADLINE");
  assert.deepEqual(executed, ["soon"]);
  await peer.close();
});

test("P-40: a hub that uses a number twice is left", async () => {
  const { peer, hub } = await stage();
  const number = await served({ peer, hub }, () => new Promise(() => undefined));
  hub.send(bindBytes(1, "a", number), requestBytes(1, 1), requestBytes(1, 1));
  assert.equal(sayings(await hub.next(FrameType.close))["reason"], "BAD_FRAME");
  await peer.close();
});

test("P-56: a peer takes no registrations", async () => {
  const { peer, hub } = await stage();
  hub.send(serveBytes(1, "x"), subscribeBytes(2, "y"));
  await hub.until(() => hub.of(FrameType.refused).length === 2);
  assert.ok(hub.of(FrameType.refused).every((frame) => sayings(frame)["code"] === "unimplemented"));
  await peer.close();
});

test("P-52, P-55: READY for the SERVE before a LEAVE does not end the service", async () => {
  const { peer, hub } = await stage();
  const serving = peer.serve("a", () => "crossed");
  const { id } = await hub.next(FrameType.serve);
  const draining = peer.drain();
  await hub.next(FrameType.leave);
  // What a hub sent before it read LEAVE.
  hub.send(frameBytes({ type: FrameType.ready, id, aux: FrameType.serve }));
  hub.send(bindBytes(1, "a", id), requestBytes(1, 1));
  assert.equal((await hub.next(FrameType.reply)).body.toString(), "crossed");
  hub.send(frameBytes({ type: FrameType.ready, id, aux: FrameType.leave }));
  await Promise.all([serving, draining]);
  await hub.until(() => hub.ended);
});

test("P-43: late, duplicate and unknown answers are dropped", async () => {
  const { peer, hub } = await stage();
  const answer = peer.request("q", 1);
  const { id } = await hub.next(FrameType.request);
  hub.send(
    replyBytes(0, id + 1, "unknown"),
    replyBytes(0, 0, "none"),
    replyBytes(0, id, "right"),
    replyBytes(0, id, "again"),
  );
  assert.equal(await answer, "right");
  const second = outcome(peer.request("q", 2));
  await hub.until(() => hub.of(FrameType.request).length === 2);
  hub.send(frameBytes({ type: FrameType.error, id }), frameBytes({ type: FrameType.cancel, id: 5 }));
  hub.send(replyBytes(0, hub.of(FrameType.request)[1]!.id, "second"));
  assert.equal(await second, "second");
  await peer.close();
});

test("P-22: a number that is bound anew leads to the new subject, for requests and publications", async () => {
  const { peer, hub } = await stage();
  const heard: string[] = [];
  const subscribing = peer.subscribe(">", (value, { subject }) => heard.push(`${subject} ${String(value)}`));
  const { id } = await hub.next(FrameType.subscribe);
  hub.send(frameBytes({ type: FrameType.ready, id, aux: FrameType.subscribe }));
  await subscribing;
  hub.send(
    bindBytes(1, "one"),
    publishBytes(1, "1"),
    publishBytes(1, "2"),
    bindBytes(1, "two"),
    publishBytes(1, "3"),
  );
  await settled();
  assert.deepEqual(heard, ["one 1", "one 2", "two 3"]);
  await peer.close();
});

test("a hub that does not read: publish asks to wait, then refuses, and close settles who waits", async () => {
  const { peer } = await stage(true);
  const payload = Buffer.alloc(1_000_000);
  let waiting: Promise<void> | undefined;
  let published = 0;
  const flood = async (): Promise<void> => {
    for (; published < 200; published++) {
      waiting = peer.publish("flood", payload) ?? waiting;
      if (published % 5 === 0) await settled();
    }
  };
  await assert.rejects(flood(), { reason: "SLOW_CONSUMER" });
  assert.ok(published > 1 && published < 60, `${published} MB were taken`);
  assert.ok(waiting !== undefined, "it asked to wait before");
  const closing = peer.close();
  await Promise.all([waiting, closing]);
});
