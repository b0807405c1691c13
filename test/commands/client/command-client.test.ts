/** The client against servers in memory, on a clock that the test moves. */
import assert from "node:assert/strict";
import { setImmediate as turn } from "node:timers/promises";
import { describe, test } from "node:test";
import { handlersOf, type CommandClientOptions } from "../../../src/commands/client/client-options.ts";
import { CommandClient } from "../../../src/commands/client/command-client.ts";
import type { Actions, AnyActions } from "../../../src/commands/client/actions.ts";
import { CommandConnection } from "../../../src/commands/connection.ts";
import { CommandError, CommandException } from "../../../src/commands/error.ts";
import { CommandHandlers } from "../../../src/commands/handlers.ts";
import { FakeClock } from "../../../src/testing/fake-clock.ts";
import { linePair, type MemoryLine } from "../line-pair.ts";

const SERVER_AHEAD_MS = 5_000;

/** A server that the client reaches, or does not. */
class FakeServer {
  readonly clock = new FakeClock(10);
  readonly handlers = new CommandHandlers();
  readonly connections: CommandConnection[] = [];
  /** The server's ends of the lines, and the client's. */
  readonly lines: MemoryLine[] = [];
  readonly ends: MemoryLine[] = [];
  readonly tokens: (string | undefined)[] = [];
  isUp = true;
  /** Hears nothing any more, and says nothing. */
  isFrozen = false;

  constructor() {
    this.handlers.on("drs.ping", () => this.clock.now() + SERVER_AHEAD_MS);
    this.handlers.on("echo", ({ body }) => body);
    this.handlers.on("stuck", () => new Promise(() => undefined));
    this.handlers.on("ask back", ({ connection, body }) => connection.call("client.ask", body));
  }

  client<Remote extends Actions<Remote> = AnyActions, Local extends Actions<Local> = AnyActions>(
    options: CommandClientOptions = {},
  ): CommandClient<Remote, Local> {
    const target = {
      name: "memory://server",
      hasQuery: true,
      dial: async (_signal: AbortSignal, token: string | undefined) => {
        await turn();
        this.tokens.push(token);
        if (!this.isUp) throw new Error("refused");
        return this.#accept();
      },
    };
    const times = { clock: this.clock, random: () => 1, wallClock: () => this.clock.now() };
    const quiet = { onError: () => undefined, clockSync: false, ...options };
    return new CommandClient<Remote, Local>(target, quiet, handlersOf(options), times);
  }

  #accept(): MemoryLine {
    const [mine, theirs] = linePair();
    this.connections.push(
      new CommandConnection(theirs, { shared: this.handlers, clock: this.clock, onError: () => undefined }),
    );
    const { events } = theirs;
    theirs.events = {
      ...events!,
      data: (chunk) => {
        if (!this.isFrozen) events!.data(chunk);
      },
    };
    this.lines.push(theirs);
    this.ends.push(mine);
    return mine;
  }

  /** Lets time pass until the client has made one more connection. */
  async reconnected(): Promise<void> {
    const count = this.connections.length;
    for (let tries = 0; tries < 1_000 && this.connections.length === count; tries++) {
      this.clock.advance(10);
      await turn();
    }
    assert.equal(this.connections.length, count + 1);
    await turn();
  }

  drop(): void {
    this.lines.at(-1)!.abort();
  }
}

describe("a client of commands", () => {
  test("calls, fires and answers the server's calls", async () => {
    const server = new FakeServer();
    const fired: unknown[] = [];
    server.handlers.on("note", ({ body }) => void fired.push(body));
    const client = server.client({ handlers: { "client.ask": ({ body }) => [body, 1] } });
    await client.start();
    assert.equal(client.state, "connected");
    assert.deepEqual(await client.call("echo", { a: [0, null] }), { a: [0, null] });
    assert.deepEqual(await client.call("ask back", "x"), ["x", 1]);
    client.fire("note", 5);
    await turn();
    assert.deepEqual(fired, [5]);
    await client.close();
    assert.equal(client.state, "closed");
    assert.ok(server.connections[0]!.isClosed);
    await assert.rejects(client.call("echo"), { reason: "CLOSED" });
    assert.throws(() => client.fire("echo"), { reason: "CLOSED" });
    assert.equal(server.clock.pending, 0);
  });

  test("handlers are chains, with hooks, and can be removed", async () => {
    const server = new FakeServer();
    const ran: string[] = [];
    const client = server.client();
    const last = (): string => (ran.push("last"), "answer");
    client
      .before(({ action }) => void ran.push(`before ${action}`))
      .after(() => void ran.push("after"))
      .on("client.ask", () => void ran.push("first"), last);
    await client.start();
    assert.equal(await client.call("ask back"), "answer");
    assert.deepEqual(ran, ["before client.ask", "first", "last", "after"]);
    client.off("client.ask", last);
    assert.equal(await client.call("ask back"), undefined);
    client.off("client.ask");
    await assert.rejects(client.call("ask back"), { message: "No handlers for client.ask" });
  });

  test("bodies and answers have the types that the maps say", async () => {
    interface Remote {
      echo: (body: number) => number;
      "drs.ping": () => number;
    }
    interface Local {
      "client.ask": (question: { text: string }) => string;
    }
    const server = new FakeServer();
    const client = server.client<Remote, Local>();
    client.on("client.ask", ({ body }) => body.text.toUpperCase());
    await client.start();
    const doubled: number = 2 * (await client.call("echo", 21));
    assert.equal(doubled, 42);
    assert.equal(await client.call("drs.ping"), server.clock.now() + SERVER_AHEAD_MS);
    // @ts-expect-error: not in the map
    await assert.rejects(client.call("nope"));
    // @ts-expect-error: its body is a number
    await client.call("echo", "text");
    // @ts-expect-error: it has a body
    await client.call("echo");
  });

  test("C-93: a call under way fails when the connection is lost, and says that a retry is not safe; a later one that it is", async () => {
    const server = new FakeServer();
    const ended: unknown[] = [];
    const client = server.client({ onDisconnect: (connection, why) => ended.push(why, connection.isClosed) });
    await client.start();
    const stuck = client.call("stuck");
    server.drop();
    await assert.rejects(stuck, { reason: "CONNECTION_LOST", retryable: false });
    await assert.rejects(client.call("echo"), { reason: "NOT_CONNECTED", retryable: true });
    assert.throws(() => client.fire("echo"), { reason: "NOT_CONNECTED" });
    assert.deepEqual(ended, [undefined, true]);
    assert.equal(client.state, "connecting");
    await client.close();
  });

  test("C-90: it connects again for ever; its handlers stay, its cache is new, its callbacks are called", async () => {
    const server = new FakeServer();
    const seen: string[] = [];
    const client = server.client({ handlers: { "client.ask": () => "still here" } });
    client.onConnect(({ cache }) => void seen.push(`connected ${cache.size}`));
    client.onDisconnect(() => void seen.push("lost"));
    await client.start();
    for (let round = 0; round < 3; round++) {
      client.cache.set("user", round);
      assert.equal(client.cache, client.connection?.cache);
      server.isUp = round > 0;
      server.drop();
      await turn();
      for (let ms = 0; ms < 60_000; ms += 500) {
        server.clock.advance(500);
        await turn();
        if (ms === 30_000) server.isUp = true;
      }
      assert.equal(client.state, "connected");
      assert.equal(client.cache.size, 0);
      assert.equal(await client.call("ask back"), "still here");
    }
    assert.deepEqual(seen, ["connected 0", ...[1, 2, 3].flatMap(() => ["lost", "connected 0"])]);
    await client.close();
  });

  test("what it announces is announced on each connection, until that is ended", async () => {
    const server = new FakeServer();
    const rooms: unknown[] = [];
    server.handlers.on("join", ({ body }) => {
      if (body === "closed") throw new CommandError("no room");
      rooms.push(body);
    });
    const client = server.client({ onConnect: () => void rooms.push("connected") });
    await assert.rejects(client.announce("join", "early"), { reason: "NOT_CONNECTED" });
    await client.start();
    const forget = await client.announce("join", "a");
    await client.announce("join", "b");
    await assert.rejects(client.announce("join", "closed"), { message: "no room" });
    server.drop();
    await server.reconnected();
    forget();
    server.drop();
    await server.reconnected();
    assert.deepEqual(rooms, ["connected", "a", "b", "connected", "a", "b", "connected", "b"]);
    await Promise.all(Array.from({ length: 4_095 }, () => client.announce("join", "many")));
    await assert.rejects(client.announce("join", "one more"), { reason: "TOO_MANY" });
    await client.close();
  });

  test("a callback that throws, or whose promise rejects, is reported and harms nothing", async () => {
    const server = new FakeServer();
    const errors: string[] = [];
    const client = server.client({
      onConnect: () => {
        throw new Error("one");
      },
      onDisconnect: () => Promise.reject(new Error("two")),
      onError: (error, where) => errors.push(`${(error as Error).message}: ${where}`),
    });
    await client.start();
    server.drop();
    await server.reconnected();
    assert.deepEqual(errors.slice(0, 2), [
      "one: onConnect of memory://server",
      "two: onDisconnect of memory://server",
    ]);
    assert.equal(await client.call("echo", 1), 1);
    await client.close();
  });

  test("C-95: a server that says nothing any more is pinged, then lost", async () => {
    const server = new FakeServer();
    const ended: unknown[] = [];
    const client = server.client({ onDisconnect: (_connection, why) => ended.push(why) });
    await client.start();
    for (let ms = 0; ms < 60_000; ms += 500) {
      server.clock.advance(500);
      await turn();
    }
    assert.equal(server.connections.length, 1, "a quiet server that answers pings is not lost");
    server.isFrozen = true;
    const stuck = client.call("echo");
    server.clock.advance(5_000);
    await assert.rejects(stuck, { reason: "CONNECTION_LOST", retryable: false });
    assert.equal((ended[0] as { reason: string }).reason, "HEARTBEAT_LOST");
    server.isFrozen = false;
    await server.reconnected();
    assert.equal(await client.call("echo", 2), 2);
    await client.close();
  });

  test("C-95: a server that still takes what is sent is not lost, however long its answer to a ping takes", async () => {
    const server = new FakeServer();
    const client = server.client();
    await client.start();
    server.isFrozen = true;
    const own = server.ends.at(-1)!;
    own.buffered = 1_000;
    for (let ms = 0; ms < 20_000; ms += 500) {
      own.buffered -= 20;
      server.clock.advance(500);
      await turn();
    }
    assert.equal(client.state, "connected");
    server.clock.advance(15_000);
    await turn();
    assert.equal(client.state, "connecting");
    await client.close();
  });

  test("heartbeat: 0 never pings", async () => {
    const server = new FakeServer();
    const client = server.client({ heartbeat: 0 });
    await client.start();
    assert.equal(server.clock.pending, 0);
    await client.close();
  });

  test("without a first connection in time it rejects and stops", async () => {
    const server = new FakeServer();
    server.isUp = false;
    const client = server.client({ connectTimeout: "1s" });
    const started = client.start();
    void started.catch(() => undefined);
    for (let ms = 0; ms < 1_000; ms += 10) {
      server.clock.advance(10);
      await turn();
    }
    await assert.rejects(started, {
      reason: "NOT_CONNECTED",
      message: "cannot connect to memory://server: refused (tried for 1000 ms)",
    });
    assert.equal(server.clock.pending, 0);
  });

  test("options that are none are refused", () => {
    const server = new FakeServer();
    const wrong: object[] = [
      { token: 5 },
      { tokenIn: "header" },
      { retries: -1 },
      { heartbeat: "soon" },
      { connectTimeout: 0 },
      { onConnect: "x" },
      { handlers: [] },
      { timeout: -1 },
    ];
    for (const options of wrong)
      assert.throws(() => server.client(options), { code: "invalid_argument" }, JSON.stringify(options));
  });
});

describe("the token of a client", () => {
  function guarded(): { server: FakeServer; shown: unknown[] } {
    const server = new FakeServer();
    const shown: unknown[] = [];
    server.handlers.on("auth.upgrade", ({ body, connection }) => {
      shown.push(body);
      if (body === "broken") throw new Error("the store is away");
      if (typeof body !== "string" || !body.startsWith("good"))
        throw new CommandError("Authentication required");
      connection.cache.set("token", body);
    });
    server.handlers.on("who", ({ connection }) => connection.cache.get("token"));
    return { server, shown };
  }

  test("C-91: is shown before anything else, on each connection", async () => {
    const { server, shown } = guarded();
    let count = 0;
    const connected: unknown[] = [];
    const client = server.client({
      token: () => Promise.resolve(`good ${++count}`),
      onConnect: async (connection) => connected.push(await connection.call("who")),
    });
    await client.start();
    assert.equal(await client.call("who"), "good 1");
    server.drop();
    await turn();
    await assert.rejects(client.call("who"), { reason: "NOT_CONNECTED" });
    await server.reconnected();
    assert.equal(await client.call("who"), "good 2");
    assert.deepEqual(
      [shown, connected],
      [
        ["good 1", "good 2"],
        ["good 1", "good 2"],
      ],
    );
    assert.deepEqual(server.tokens, [undefined, undefined]);
    await client.close();
  });

  test("C-92: that is refused ends the first attempt at once", async () => {
    const { server } = guarded();
    const client = server.client({ token: "bad" });
    await assert.rejects(client.start(), {
      code: "unauthenticated",
      message: "memory://server refuses the token: Authentication required",
    });
    assert.equal(client.state, "closed");
    assert.equal(server.clock.pending, 0);
  });

  test("C-92: that cannot be checked now, or be had, is shown again", async () => {
    const { server, shown } = guarded();
    const tokens = ["broken", new Error("no token"), "good"];
    const token = (): string => {
      const next = tokens.shift();
      if (next instanceof Error) throw next;
      return next!;
    };
    const client = server.client({ token });
    const started = client.start();
    await server.reconnected();
    await server.reconnected();
    await started;
    assert.deepEqual(shown, ["broken", "good"]);
    await client.close();
  });

  test("goes into the URL where that is wanted", async () => {
    const { server, shown } = guarded();
    const client = server.client({ token: "good one", tokenIn: "query" });
    await client.start();
    assert.deepEqual([server.tokens, shown], [["good one"], []]);
    await client.close();
  });
});

describe("retries of a call", () => {
  /** A server whose action fails so often before it answers. */
  function flaky(fail: () => never, times: number): { server: FakeServer; runs: number[] } {
    const server = new FakeServer();
    const runs: number[] = [];
    server.handlers.on("flaky", () => {
      runs.push(server.clock.now());
      return runs.length > times ? "answer" : fail();
    });
    return { server, runs };
  }

  async function passTime<T>(server: FakeServer, call: Promise<T>): Promise<T> {
    let isOver = false;
    void call.catch(() => undefined).finally(() => (isOver = true));
    for (let tries = 0; tries < 10_000 && !isOver; tries++) {
      server.clock.advance(10);
      await turn();
    }
    return call;
  }

  const crash = (): never => {
    throw new Error("crash");
  };

  test("there are none by default", async () => {
    const { server, runs } = flaky(crash, 1);
    const client = server.client();
    await client.start();
    await assert.rejects(client.call("flaky"), CommandException);
    assert.equal(runs.length, 1);
  });

  test("C-94: a crash is tried again, with growing waits, as often as is said", async () => {
    const { server, runs } = flaky(crash, 3);
    const client = server.client({ retries: 3 });
    await client.start();
    assert.equal(await passTime(server, client.call("flaky")), "answer");
    const waits = runs.slice(1).map((at, index) => at - runs[index]!);
    assert.ok(waits[0]! >= 100 && waits[1]! >= 200 && waits[2]! >= 400, String(waits));
    runs.length = 0;
    await assert.rejects(passTime(server, client.call("flaky", undefined, { retries: 1 })), CommandException);
    assert.equal(runs.length, 2);
  });

  test("an expected error is final; one that is safe to repeat is not", async () => {
    const final = flaky(() => {
      throw new CommandError("nope");
    }, 1);
    const client = final.server.client({ retries: 5 });
    await client.start();
    await assert.rejects(client.call("flaky"), { message: "nope" });
    assert.equal(final.runs.length, 1);
    const passing = flaky(() => {
      throw new CommandError("come again", { retryable: true, reason: "BUSY" });
    }, 1);
    const other = passing.server.client({ retries: 5 });
    await other.start();
    assert.equal(await passTime(passing.server, other.call("flaky")), "answer");
  });

  test("a lost connection is waited for", async () => {
    const server = new FakeServer();
    const client = server.client();
    await client.start();
    let runs = 0;
    server.handlers.on("once lost", () => {
      if (++runs === 1) server.drop();
      return runs === 1 ? new Promise(() => undefined) : runs;
    });
    assert.equal(await passTime(server, client.call("once lost", undefined, { retries: 20 })), 2);
  });

  test("C-94: the timeout and the signal hold for all attempts together", async () => {
    const { server, runs } = flaky(crash, Infinity);
    const client = server.client({ retries: 1_000 });
    await client.start();
    const begin = server.clock.now();
    await assert.rejects(
      passTime(server, client.call("flaky", undefined, { timeout: "1s" })),
      CommandException,
    );
    assert.ok(server.clock.now() - begin <= 1_000);
    assert.ok(runs.length > 2);
    const stuck = client.call("stuck", undefined, { timeout: "1s" });
    await assert.rejects(passTime(server, stuck), { reason: "DEADLINE" });
    const controller = new AbortController();
    const aborted = client.call("flaky", undefined, { signal: controller.signal });
    await turn();
    controller.abort(new Error("enough"));
    await assert.rejects(aborted, /enough/);
  });
});

test("a client knows the server's time on each connection", async () => {
  const server = new FakeServer();
  const client = server.client({ clockSync: true });
  assert.equal(client.now(), server.clock.now());
  assert.equal(client.maxClockError, undefined);
  await client.start();
  for (let count = 0; count < 20; count++) await turn();
  const error = (): number => Math.abs(client.now() - (server.clock.now() + SERVER_AHEAD_MS));
  assert.ok(error() <= client.maxClockError!);
  server.clock.advance(100_000);
  assert.ok(error() <= client.maxClockError!);
  await client.close();
  assert.equal(server.clock.pending, 0);
});
