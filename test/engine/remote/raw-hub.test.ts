/** A peer whose hub is written by hand. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "../../../src/peer/connect.ts";
import type { Handler, Peer } from "../../../src/peer/peer.ts";
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
  withHeaders,
} from "../../wire/frame-bytes.ts";
import { RawEnd, settled } from "../../session/harness.ts";
import { later, outcome } from "./harness.ts";

interface Harness {
  readonly peer: Peer;
  readonly hub: RawEnd;
  /** What the peer's `onError` was told. */
  readonly errors: { readonly error: unknown; readonly where: string }[];
}

/** `welcome` are the headers of its greeting, if not those of a hub that takes nothing special. */
async function harness(deaf = false, welcome?: Readonly<Record<string, string>>): Promise<Harness> {
  const transports = new TransportRegistry();
  const accepted = later<RawEnd>();
  const url = "memory:raw-hub";
  const memory = await transports.for(url);
  const listener = await memory.listen(url, (connection) => {
    const end = new RawEnd(connection, deaf);
    end.send(welcomeBytes(welcome));
    accepted.resolve(end);
  });
  const errors: Harness["errors"] = [];
  const onError = (error: unknown, where: string): void => void errors.push({ error, where });
  const peer = await connect(url, { transports, onError });
  await listener.close();
  return { peer, hub: await accepted.promise, errors };
}

/** Serves something at the peer and returns the registration's number. */
async function served({ peer, hub }: Pick<Harness, "peer" | "hub">, handler: Handler): Promise<number> {
  const service = peer.serve("a", handler);
  const { id } = await hub.next(FrameType.serve);
  hub.send(frameBytes({ type: FrameType.ready, id, aux: FrameType.serve }));
  await service;
  return id;
}

test("P-26: requests for no registration, or for one that is not there, have no responders", async () => {
  const { peer, hub } = await harness();
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
  const { peer, hub } = await harness();
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
  const { peer, hub } = await harness();
  const number = await served({ peer, hub }, () => new Promise(() => undefined));
  hub.send(bindBytes(1, "a", number), requestBytes(1, 1), requestBytes(1, 1));
  assert.equal(sayings(await hub.next(FrameType.close))["reason"], "BAD_FRAME");
  await peer.close();
});

test("P-56: a peer takes no registrations", async () => {
  const { peer, hub } = await harness();
  hub.send(serveBytes(1, "x"), subscribeBytes(2, "y"));
  await hub.until(() => hub.of(FrameType.refused).length === 2);
  assert.ok(hub.of(FrameType.refused).every((frame) => sayings(frame)["code"] === "unimplemented"));
  await peer.close();
});

test("P-52, P-55: READY for the SERVE before a LEAVE does not end the service", async () => {
  const { peer, hub } = await harness();
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
  const { peer, hub } = await harness();
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

test("P-19: whatever the hub says as it closes, requests are lost, handlers stop and the peer stays open", async () => {
  for (const reason of ["CLOSED", "DRAINING", "SOMETHING_NEW"]) {
    const { peer, hub } = await harness();
    const stopped = later<unknown>();
    const number = await served(
      { peer, hub },
      (_value, { signal }) =>
        new Promise(() => signal.addEventListener("abort", () => stopped.resolve(signal.reason))),
    );
    const asked = outcome(peer.request("b"));
    hub.send(bindBytes(1, "a", number), requestBytes(1, 1));
    await hub.next(FrameType.request);
    hub.send(withHeaders({ type: FrameType.close }, { code: "failed_precondition", reason }));
    assert.equal(await asked, "CONNECTION_LOST");
    assert.equal(((await stopped.promise) as { reason: string }).reason, "CONNECTION_LOST");
    assert.equal(await outcome(peer.request("b")), "NOT_CONNECTED");
    const closing = outcome(peer.serve("c", () => 1)); // announced on the next session
    await peer.close();
    assert.equal(await closing, "CLOSED");
    assert.equal(await outcome(peer.request("b")), "CLOSED");
  }
});

test("P-22: a number that is bound anew leads to the new subject, for requests and publications", async () => {
  const { peer, hub } = await harness();
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

test("P-63: a publication goes to each subscription that matches, once, whatever registration its BIND names", async () => {
  const { peer, hub } = await harness();
  const heard: string[] = [];
  const patterns = ["a.b", "a.*", "c", ">"];
  const subscribing = patterns.map((pattern) =>
    peer.subscribe(pattern, (value) => heard.push(`${pattern} ${String(value)}`)),
  );
  await hub.until(() => hub.of(FrameType.subscribe).length === patterns.length);
  const numbers = hub.of(FrameType.subscribe).map(({ id }) => id);
  for (const id of numbers) hub.send(frameBytes({ type: FrameType.ready, id, aux: FrameType.subscribe }));
  const [first] = await Promise.all(subscribing);
  hub.send(
    bindBytes(1, "a.b", numbers[2]),
    bindBytes(2, "c", 99),
    publishBytes(1, "x"),
    publishBytes(2, "y"),
  );
  await settled();
  assert.deepEqual(heard.splice(0).toSorted(), ["> x", "> y", "a.* x", "a.b x", "c y"]);
  await first!.close();
  hub.send(publishBytes(1, "z"));
  await settled();
  assert.deepEqual(heard.toSorted(), ["> z", "a.* z"]);
  await peer.close();
});

test("a hub that does not read: publish asks to wait, then refuses, and close settles who waits", async () => {
  const { peer } = await harness(true);
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

test("P-52: a service that is refused later ends with the reason, and its peer is told", async () => {
  const { peer, hub, errors } = await harness();
  const serving = peer.serve("a", () => "answer");
  const { id } = await hub.next(FrameType.serve);
  hub.send(frameBytes({ type: FrameType.ready, id, aux: FrameType.serve }));
  const service = await serving;
  const subscribing = peer.subscribe("news");
  const subscribe = await hub.next(FrameType.subscribe);
  hub.send(frameBytes({ type: FrameType.ready, id: subscribe.id, aux: FrameType.subscribe }));
  const subscription = await subscribing;
  const loop = outcome(
    (async () => {
      for await (const publication of subscription) assert.fail(publication.subject);
    })(),
  );
  hub.send(bindBytes(1, "a", id));
  const why = { code: "resource_exhausted", reason: "TOO_MANY" };
  hub.send(
    withHeaders({ type: FrameType.refused, id }, why),
    withHeaders({ type: FrameType.refused, id: subscribe.id }, why),
    requestBytes(1, 1),
  );
  assert.deepEqual(
    await Promise.all([service.closed, subscription.closed, loop].map((one) => outcome(one))),
    ["TOO_MANY", "TOO_MANY", "TOO_MANY"],
  );
  assert.deepEqual(
    errors.map(({ error, where }) => [(error as { reason: string }).reason, where]),
    [
      ["TOO_MANY", "the service a"],
      ["TOO_MANY", "the subscription to news"],
    ],
  );
  assert.equal(sayings(await hub.next(FrameType.error))["reason"], "NO_RESPONDERS");
  await Promise.all([service.close(), subscription.close()]);
  await peer.close();
});

test("P-146: nothing is enabled at a hub that does not take it, and the session goes on", async () => {
  for (const enablement of [undefined, "everybody"]) {
    const limits = { "max-payload": "1048576", "max-headers": "32768" };
    const { peer, hub } = await harness(false, enablement === undefined ? limits : { ...limits, enablement });
    await assert.rejects(peer.enable("request", "a"), {
      code: "unimplemented",
      reason: "ENABLE_UNSUPPORTED",
    });
    await served({ peer, hub }, () => "answer");
    assert.equal(hub.of(FrameType.enable).length, 0);
    await peer.close();
  }
});

test("P-147, P-149, P-150: what is enabled is a registration: confirmed, left, refused later", async () => {
  const limits = { "max-payload": "1048576", "max-headers": "32768", enablement: "clients" };
  const { peer, hub, errors } = await harness(false, limits);
  const enabling = [peer.enable("publish", "a.*"), peer.enable("request", "b.>")] as const;
  await hub.until(() => hub.of(FrameType.enable).length === 2);
  const frames = hub.of(FrameType.enable);
  assert.deepEqual(
    frames.map(({ aux, target, body }) => [aux, target, body.toString()]),
    [
      [0, 1, "a.*"],
      [0, 3, "b.>"],
    ],
  );
  for (const { id } of frames) hub.send(frameBytes({ type: FrameType.ready, id, aux: FrameType.enable }));
  const [first, second] = await Promise.all(enabling);
  let isClosed = false;
  const closing = first.close().then(() => (isClosed = true));
  const { id } = await hub.next(FrameType.leave);
  assert.equal(id, frames[0]!.id);
  await settled();
  assert.equal(isClosed, false, "it is over when the hub says so");
  hub.send(frameBytes({ type: FrameType.ready, id, aux: FrameType.leave }));
  await closing;
  await first.closed;
  const why = { code: "permission_denied", reason: "PERMISSION_DENIED" };
  hub.send(withHeaders({ type: FrameType.refused, id: frames[1]!.id }, why));
  assert.equal(await outcome(second.closed), "PERMISSION_DENIED");
  assert.deepEqual(
    errors.map(({ where }) => where),
    ["the enablement of request b.>"],
  );
  await second.close();
  await peer.close();
});

test("P-55: close() of a service waits for READY, so that nothing that crossed is lost when its peer is closed", async () => {
  const { peer, hub } = await harness();
  const serving = peer.serve("a", async (value) => {
    await settled();
    return `served ${String(value)}`;
  });
  const { id } = await hub.next(FrameType.serve);
  hub.send(bindBytes(1, "a", id), frameBytes({ type: FrameType.ready, id, aux: FrameType.serve }));
  const service = await serving;
  let isClosed = false;
  const closing = service.close().then(() => {
    isClosed = true;
    return peer.close();
  });
  await hub.next(FrameType.leave);
  await settled();
  assert.equal(isClosed, false);
  hub.send(requestBytes(1, 7, "crossed"), frameBytes({ type: FrameType.ready, id, aux: FrameType.leave }));
  await closing;
  await service.closed;
  await hub.until(() => hub.ended);
  assert.deepEqual(
    hub.of(FrameType.reply).map((reply) => [reply.id, reply.body.toString()]),
    [[7, "served crossed"]],
  );
});

test("close() of a service settles when the connection is lost before READY, or the peer is closed", async () => {
  for (const end of ["lost", "closed"] as const) {
    const { peer, hub } = await harness();
    const serving = peer.serve("a", () => 1);
    const { id } = await hub.next(FrameType.serve);
    hub.send(frameBytes({ type: FrameType.ready, id, aux: FrameType.serve }));
    const service = await serving;
    const closing = service.close();
    await hub.next(FrameType.leave);
    if (end === "lost") hub.connection.abort();
    else await peer.close();
    await closing;
    await service.closed;
    await peer.close();
  }
});

test("P-65: DROPPED counts for the subscriptions that match its subject", async () => {
  const { peer, hub } = await harness();
  const subscribing = [peer.subscribe("a.*", () => 1), peer.subscribe("b")];
  await hub.until(() => hub.of(FrameType.subscribe).length === 2);
  for (const { id } of hub.of(FrameType.subscribe)) {
    hub.send(frameBytes({ type: FrameType.ready, id, aux: FrameType.subscribe }));
  }
  const [some, none] = await Promise.all(subscribing);
  hub.send(bindBytes(1, "a.x"), bindBytes(2, "a.y"));
  hub.send(frameBytes({ type: FrameType.dropped, target: 1, id: 3 }));
  hub.send(frameBytes({ type: FrameType.dropped, target: 2, id: 4 }));
  await settled();
  assert.deepEqual([some!.dropped, none!.dropped], [7, 0]);
  await peer.close();
});
