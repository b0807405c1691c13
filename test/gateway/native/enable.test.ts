/** ENABLE at a hub, frame by frame. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { FrameType } from "../../../src/wire/frame.ts";
import { enableBytes, frameBytes, sayings, serveBytes, subscribeBytes } from "../../wire/frame-bytes.ts";
import { hubOnTcp, RawClient, type RawHarness } from "./raw-client.ts";

let harness: RawHarness;

before(async () => {
  harness = await hubOnTcp({ registrations: 3 });
});

after(async () => {
  await harness.hub.close();
});

/** What READY and REFUSED have said, by registration: refusals may be faster. */
function answers(client: RawClient): unknown[][] {
  return client.frames
    .filter(({ type }) => type === FrameType.ready || type === FrameType.refused)
    .map((frame) =>
      frame.type === FrameType.ready
        ? [frame.id, "READY", frame.aux]
        : [frame.id, sayings(frame)["code"], sayings(frame)["reason"]],
    )
    .toSorted(([one], [other]) => Number(one) - Number(other));
}

async function answered(...frames: Buffer[]): Promise<unknown[][]> {
  const client = await RawClient.greeted(harness.port);
  client.send(...frames);
  await client.until(() => answers(client).length === frames.length);
  client.socket.destroy();
  return answers(client);
}

test("P-146: a hub says that it takes ENABLE", async () => {
  const client = await RawClient.greeted(harness.port);
  assert.equal(sayings(client.of(FrameType.welcome)[0]!)["enablement"], "clients");
  client.socket.destroy();
});

test("P-147: a verb that is none and a pattern that is not legal are refused, and the session goes on", async () => {
  const told = await answered(
    enableBytes(1, "a", 0),
    enableBytes(2, "a", 4),
    enableBytes(3, "a..b"),
    enableBytes(4, ""),
    enableBytes(5, "a.>", 1),
  );
  assert.deepEqual(told, [
    [1, "unimplemented", "UNIMPLEMENTED"],
    [2, "unimplemented", "UNIMPLEMENTED"],
    [3, "invalid_argument", "BAD_SUBJECT"],
    [4, "invalid_argument", "BAD_SUBJECT"],
    [5, "READY", 13],
  ]);
});

test("P-53, P-147: shares its numbers with services and subscriptions", async () => {
  for (const [first, second] of [
    [serveBytes(7, "a"), enableBytes(7, "a")],
    [enableBytes(7, "a"), subscribeBytes(7, "a")],
    [enableBytes(7, "a"), enableBytes(7, "b")],
  ] as const) {
    const client = await RawClient.greeted(harness.port);
    client.send(first, second);
    assert.equal(await client.closeReason(), "BAD_FRAME");
  }
});

test("P-54, P-55: counts as a registration, until it is left", async () => {
  const client = await RawClient.greeted(harness.port);
  client.send(enableBytes(1, "a"), enableBytes(2, "a"), serveBytes(3, "a"), enableBytes(4, "b"));
  await client.until(() => answers(client).length === 4);
  client.send(frameBytes({ type: FrameType.leave, id: 1 }), enableBytes(5, "c", 2), subscribeBytes(6, "a"));
  await client.until(() => answers(client).length === 7);
  assert.deepEqual(answers(client), [
    [1, "READY", 13],
    [1, "READY", 10],
    [2, "READY", 13],
    [3, "READY", 8],
    [4, "resource_exhausted", "TOO_MANY"],
    [5, "READY", 13],
    [6, "resource_exhausted", "TOO_MANY"],
  ]);
  client.socket.destroy();
});
