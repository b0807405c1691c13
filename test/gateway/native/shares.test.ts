/** What the sessions of one caller, an address, may have of what all sessions share. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { LocalEngine } from "../../../src/engine/local/local-engine.ts";
import { Backlog } from "../../../src/gateway/native/backlog.ts";
import type { Feed } from "../../../src/gateway/native/fan-out.ts";
import { NativeGateway } from "../../../src/gateway/native/gateway.ts";
import { SessionShare, SessionShares } from "../../../src/gateway/native/session-shares.ts";
import { DEFAULT_LIMITS, type Limits } from "../../../src/message/limits.ts";
import type { Connection, ConnectionHandler } from "../../../src/transport/transport.ts";
import {
  bindBytes,
  FrameLog,
  helloBytes,
  requestBytes,
  sayings,
  subscribeBytes,
} from "../../wire/frame-bytes.ts";

const ONE = "tcp://192.0.2.1:4000";
const OTHER = "tcp://[2001:db8::1]:4000";
const CLOSE = 4;
const REFUSED = 12;

/** The other end of a session, by itself. */
class Client extends FrameLog implements Connection {
  readonly remote: string;
  isOver = false;
  #handler: ConnectionHandler | undefined;

  constructor(gateway: NativeGateway, remote: string) {
    super();
    this.remote = remote;
    gateway.accept(this);
  }

  open(handler: ConnectionHandler): void {
    this.#handler = handler;
  }

  send(bytes: Uint8Array): boolean {
    this.push(Buffer.from(bytes));
    return true;
  }

  close(): void {
    this.abort();
  }

  abort(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.#handler?.closed(undefined);
  }

  say(...frames: Uint8Array[]): this {
    for (const frame of frames) this.#handler?.data(frame, false);
    return this;
  }

  /** The reason of the CLOSE that has come; undefined while there is none. */
  get closeReason(): string | undefined {
    const close = this.of(CLOSE)[0];
    return close === undefined ? undefined : sayings(close)["reason"];
  }
}

function open(context: TestContext, limits: Partial<Limits>): (remote: string, count?: number) => Client[] {
  const engine = new LocalEngine({ limits });
  const gateway = new NativeGateway(engine, { limits });
  context.after(() => Promise.all([gateway.close(), engine.close()]));
  return (remote, count = 1) => Array.from({ length: count }, () => new Client(gateway, remote));
}

const greeted = (clients: Client[]): Client[] => clients.map((client) => client.say(helloBytes()));

test("one address has its share of the sessions", (context) => {
  const dial = open(context, { sessions: 64 });
  const mine = greeted(dial(ONE, 16));
  const [refused, other] = [...dial(ONE.replace("4000", "4001")), ...greeted(dial(OTHER))];
  assert.deepEqual([refused!.closeReason, other!.closeReason], ["TOO_MANY", undefined]);
  const network = Array.from({ length: 16 }, () => greeted(dial(OTHER.replace("::1", "::5:6:7:8")))[0]!);
  assert.equal(network.at(-1)!.closeReason, "TOO_MANY", "a network of IPv6 is one address");
  mine[0]!.abort();
  assert.equal(greeted(dial(ONE))[0]!.closeReason, undefined);
});

test("sessions of this machine are told apart by nothing, and have all of them", (context) => {
  const dial = open(context, { sessions: 64 });
  const remotes = ["tcp://127.0.0.1:1", "ws://127.0.0.1:2", "unix:///run/hub.sock", "tcp://::1:3"];
  for (const remote of remotes)
    for (const client of greeted(dial(remote, 16))) assert.equal(client.closeReason, undefined, remote);
  assert.equal(dial(remotes[0]!)[0]!.closeReason, "TOO_MANY");
});

for (const [whose, remotes] of Object.entries({
  "its own": [ONE],
  "anybody's": ["tcp://192.0.2.7:1", "tcp://127.0.0.1:5"],
})) {
  test(`a session takes the place of ${whose} that has not greeted`, (context) => {
    const dial = open(context, { sessions: 32, callerShare: 50 });
    const silent = remotes.flatMap((remote) => dial(remote, 16));
    const [next] = greeted(dial(ONE));
    assert.equal(next!.closeReason, undefined);
    assert.deepEqual([silent[0]!.isOver, silent[1]!.isOver], [true, false]);
  });
}

test("one address has its share of registrations, which sessions give back", (context) => {
  const dial = open(context, { registrations: 1_000, callerShare: 1 }); // 2,621 of 262,144
  const [first, second, third] = greeted(dial(ONE, 3));
  const frames = Array.from({ length: 1_000 }, (_, index) => subscribeBytes(index + 1, "a"));
  for (const client of [first!, second!, third!]) client.say(...frames);
  const refusals = (client: Client): number => client.of(REFUSED).length;
  third!.say(subscribeBytes(1_001, "a"));
  const [other] = greeted(dial(OTHER));
  other!.say(...frames);
  return new Promise<void>((resolve) => setImmediate(resolve)).then(() => {
    assert.deepEqual([first!, second!, third!, other!].map(refusals), [0, 0, 380, 0]);
    first!.abort();
    third!.say(...frames.slice(900));
    assert.equal(refusals(third!), 380);
    return undefined;
  });
});

test("one address has its share of bound subjects", (context) => {
  const dial = open(context, { callerShare: 1 }); // 10,485 of 1,048,576
  const frames = Array.from({ length: 4_096 }, (_, index) => bindBytes(index + 1, `a.${index}`));
  const clients = greeted([...dial(ONE, 3), ...dial(OTHER)]);
  for (const client of clients) client.say(...frames);
  assert.deepEqual(
    clients.map(({ closeReason }) => closeReason),
    [undefined, undefined, "TOO_MANY", undefined],
  );
});

test("one address has its share of the bytes of messages that have not all arrived", (context) => {
  const dial = open(context, { queueBytes: 400_000, payload: 100_000, callerShare: 25 }); // 400,000 of 1,600,000
  const frame = requestBytes(1, 1, "x".repeat(99_000));
  const most = frame.subarray(0, 98_000);
  const begun = (remote: string, count: number): Client[] =>
    greeted(dial(remote, count)).map((client) => client.say(bindBytes(1, "a"), most));
  const clients = begun(ONE, 4);
  const [refused] = begun(ONE, 1);
  const [other] = begun(OTHER, 1);
  assert.deepEqual([refused!.closeReason, other!.closeReason], ["TOO_MANY", undefined]);
  for (const client of clients) client.say(frame.subarray(98_000));
  clients[0]!.say(most);
  for (const client of [...clients, ...begun(ONE, 3)]) assert.equal(client.closeReason, undefined);
});

test("the publications kept for slow sessions have a bound together, and a share for each caller", () => {
  const limits = { ...DEFAULT_LIMITS, sessionBuffer: 10_000 }; // 320,000 for all, 80,000 for a caller
  const shares = new SessionShares(limits);
  const dropped: number[] = [];
  const session = (caller: string): [Backlog, SessionShare] => {
    const share = new SessionShare(shares, caller);
    return [new Backlog(limits.sessionBuffer, share), share];
  };
  const feed: Feed = { number: 1, route: { subject: "a" } } as Feed;
  const keep = (backlog: Backlog, count: number): void =>
    backlog.add({ feed, count, frames: new Uint8Array(4_744) }, (oldest) => dropped.push(oldest.count));
  const full = Array.from({ length: 8 }, () => session("one"));
  for (const [backlog] of full) for (const count of [1, 2]) keep(backlog, count);
  assert.deepEqual(dropped, [], "each has its own full");
  const [ninth] = session("one");
  keep(ninth, 9);
  assert.deepEqual(dropped, [9], "there is no room for the newest");
  keep(full[0]![0], 3);
  assert.deepEqual(dropped, [9, 1], "the oldest of its own gives way");
  const [other] = session("other");
  keep(other, 5);
  full[7]![1].end();
  keep(ninth, 10);
  assert.deepEqual(dropped, [9, 1]);
  assert.deepEqual([ninth.take().length, other.take().length, full[0]![0].take().length], [1, 1, 2]);
  for (const [backlog] of full.slice(0, 7)) backlog.take();
  assert.equal(shares.backlogs.taken, 0);
});
