/** Whoever leaves while what it has sent is still on a bypass. */
import assert from "node:assert/strict";
import { after, test, type TestContext } from "node:test";
import { Message, type StreamEnd, type StreamEvents } from "../../src/message/message.ts";
import { INITIAL_CREDIT } from "../../src/stream/stream.ts";
import { EnginePeer } from "../../src/peer/engine-peer.ts";
import { connect, createHub, type Hub, type Peer } from "../../src/index.ts";

const CHUNK = 50_000;
const SIZE = 1_000_000;
/** Less than a bypass takes whose reader stands still. */
const REST = 150_000;

/** Takes of a stream what it grants. */
class Reader implements StreamEvents {
  readonly end: StreamEnd;
  received = 0;
  state: "open" | "ended" | "reset" = "open";

  constructor(end: StreamEnd) {
    this.end = end;
    end.listen(this);
  }

  data({ payloadStart, end }: Message): void {
    this.received += end - payloadStart;
  }

  ended(): void {
    this.state = "ended";
  }

  granted(): void {
    // nothing is sent
  }

  ready(): boolean {
    return true;
  }

  writable(): void {
    // nothing is sent
  }

  reset(): void {
    this.state = "reset";
  }

  /** Reads the rest. */
  async rest(): Promise<[string, number]> {
    this.end.grant(REST);
    while (this.state === "open") await turns();
    return [this.state, this.received];
  }
}

const hub: Hub = await createHub({ http: false, listen: ["h2c://127.0.0.1:0/lintel"] });
after(() => hub.close());

async function turns(): Promise<void> {
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** Someone has sent all of a stream, of which the reader has not granted the last part. That is on a bypass. */
async function stuck(from: Peer, to: Peer, context: TestContext): Promise<Reader> {
  context.after(() => Promise.all([from.close(), to === hub ? undefined : to.close()]));
  let isSent = false;
  const source = async function* (): AsyncGenerator<Uint8Array> {
    for (let sent = 0; sent < SIZE; sent += CHUNK) yield await Promise.resolve(new Uint8Array(CHUNK));
    isSent = true;
  };
  await from.serve("down", () => ReadableStream.from(source()));
  const engine = EnginePeer.engineOf(to);
  const reader = await new Promise<Reader>((resolve, reject) => {
    const answered = (_tag: number, { streams }: Message): void => resolve(new Reader(streams![0]!));
    const request = Message.ofBytes(new Uint8Array(0));
    engine.request(engine.route("down"), request, 20_000, { answered, failed: reject }, 0);
  });
  reader.end.grant(SIZE - REST - INITIAL_CREDIT);
  while (!isSent || reader.received < SIZE - REST) await turns();
  return reader;
}

test("a peer that drains waits until what is on its bypasses was read", async (context) => {
  const worker = await connect(hub.urls[0]!);
  const reader = await stuck(worker, hub, context);
  let isDrained = false;
  const draining = worker.drain({ streamGraceMs: 60_000 }).then(() => (isDrained = true));
  await turns();
  assert.equal(isDrained, false);
  assert.deepEqual(await reader.rest(), ["ended", SIZE]);
  await draining;
});

test("a peer that is closed sends what is on its bypasses first", async (context) => {
  const worker = await connect(hub.urls[0]!);
  const reader = await stuck(worker, hub, context);
  const closing = worker.close();
  await turns();
  assert.deepEqual(await reader.rest(), ["ended", SIZE]);
  await closing;
});

test("a hub that drains waits until what is on its bypasses was read", async (context) => {
  const own = await createHub({ http: false, listen: ["h2c://127.0.0.1:0/lintel"] });
  const reader = await stuck(own, await connect(own.urls[0]!), context);
  let isDrained = false;
  const draining = own.drain({ streamGraceMs: 60_000 }).then(() => (isDrained = true));
  await turns();
  assert.equal(isDrained, false);
  assert.deepEqual(await reader.rest(), ["ended", SIZE]);
  await draining;
});
