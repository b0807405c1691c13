/** Streams of HTTP/2 that begin by the thousand: so many a turn of the loop, whoever sends them. */
import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { createServer, type Http2Session, type ServerHttp2Stream } from "node:http2";
import type { Socket } from "node:net";
import { test } from "node:test";
import { StreamFloods } from "../../src/transport/http2/stream-floods.ts";
import {
  END_HEADERS,
  RawHttp2,
  Type,
  h2Frame,
  headerBlock,
  numberBytes,
  openingHeaders,
} from "./raw-http2.ts";

/** Connections whose bytes begin streams, while they are read. */
class Loop {
  readonly #later: (() => void)[] = [];
  readonly floods = new StreamFloods((callback) => this.#later.push(callback));

  connection(): FakeConnection {
    return new FakeConnection(this.floods);
  }

  turn(): void {
    for (const callback of this.#later.splice(0)) callback();
  }
}

class FakeConnection {
  reading = true;
  code: number | undefined;
  readonly #floods: StreamFloods;
  readonly #session: Pick<Http2Session, "destroyed" | "destroy">;

  constructor(floods: StreamFloods) {
    this.#floods = floods;
    const handle = { readStop: () => (this.reading = false), readStart: () => (this.reading = true) };
    floods.opened(Object.assign(new EventEmitter(), { _handle: handle }) as unknown as Socket);
    this.#session = {
      destroyed: false,
      destroy: (_error?: Error, code?: number) => {
        this.code = code;
        Object.assign(this.#session, { destroyed: true });
      },
    };
  }

  /** Begins streams until it is stopped; returns how many there were. */
  begin(count: number): number {
    for (let begun = 0; begun < count; begun++) {
      if (this.code !== undefined) return begun;
      this.#floods.begun({ session: this.#session } as ServerHttp2Stream);
    }
    return count;
  }
}

test("a hundred in a turn, then nobody is read until the next one", () => {
  const loop = new Loop();
  const connections = Array.from({ length: 30 }, () => loop.connection());
  for (const connection of connections.slice(0, 9)) connection.begin(11);
  assert.ok(connections.every(({ reading }) => reading));
  connections[9]!.begin(1);
  assert.ok(connections.every(({ reading }) => !reading));
  loop.turn();
  assert.ok(connections.every(({ reading }) => reading));
  for (const connection of connections.slice(0, 9)) connection.begin(11);
  assert.ok(
    connections.every(({ reading }) => reading),
    "the next turn counts anew",
  );
});

for (const { name, count, ends } of [
  { name: "as many as the server allows at a time", count: 128, ends: false },
  { name: "more than it allows, in one turn", count: 5_000, ends: true },
]) {
  test(`${name}: the connection ${ends ? "is closed" : "stays"}`, () => {
    const loop = new Loop();
    const one = loop.connection();
    const other = loop.connection();
    for (let turn = 0; turn < 3; turn++) {
      assert.ok(one.begin(count) <= 161);
      loop.turn();
    }
    assert.equal(one.code, ends ? 11 : undefined); // ENHANCE_YOUR_CALM
    assert.equal(other.code, undefined);
  });
}

test("a connection that resets what it opens is closed before it has opened many", async (context) => {
  const server = createServer();
  let begun = 0;
  server.on("stream", (stream) => {
    begun++;
    stream.on("error", () => undefined);
  });
  server.on("session", (session) => session.on("error", () => undefined));
  new StreamFloods().watch(server, false);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  context.after(() => server.close());
  const address = server.address();
  assert.ok(typeof address === "object" && address !== null);
  const raw = new RawHttp2(address.port);
  const block = headerBlock(openingHeaders());
  const frames = Array.from({ length: 3_000 }, (_, at) => [
    h2Frame(Type.headers, END_HEADERS, 2 * at + 1, block),
    h2Frame(Type.reset, 0, 2 * at + 1, numberBytes(8)),
  ]);
  raw.send(...frames.flat());
  await raw.over();
  assert.ok(begun > 0 && begun <= 400, `${begun} streams`);
});
