/** Tunnels through a hub in this process, over TCP sessions and inside the hub: how connections live and end. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createConnection } from "node:net";
import { duplexPair } from "node:stream";
import { text } from "node:stream/consumers";
import {
  connect,
  createHub,
  type LintelError,
  type DuplexStream,
  type Hub,
  type Peer,
} from "../../../src/index.ts";
import {
  exposeTcp,
  tunnelTcp,
  type Exposure,
  type Target,
  type Tunnel,
  type TunnelOptions,
} from "../../../src/tunnel/index.ts";
import { Watched } from "../../wire/watched.ts";
import { freePorts } from "../../proxy/proxy-process.ts";
import { TestTarget, dial, echoLines, type Ended } from "./endpoints.ts";

let hub: Hub;
let far: Peer;
let near: Peer;
let subjects = 0;

before(async () => {
  hub = await createHub({ http: false, listen: ["tcp://127.0.0.1:0"] });
  [far, near] = await Promise.all([connect(hub.urls[0]!), connect(hub.urls[0]!)]);
});
after(async () => {
  await Promise.all([far.close(), near.close()]);
  await hub.close();
});

/** What went wrong with connections, as the owner of an end is told. */
class Errors extends Watched {
  readonly reasons: string[] = [];
  readonly texts: string[] = [];
  readonly note = (error: LintelError, connection: string): void => {
    this.reasons.push(error.reason);
    this.texts.push(`${connection}: ${error.message}`);
    this.changed();
  };

  some(): Promise<void> {
    return this.until(() => this.reasons.length > 0);
  }
}

/** Both ends of a tunnel to one target. */
class Harness implements AsyncDisposable {
  readonly subject = `tunnel.${++subjects}`;
  readonly nearErrors: Errors = new Errors();
  readonly farErrors: Errors = new Errors();
  exposure!: Exposure;
  tunnel!: Tunnel;

  static async of(
    target: Target,
    options: { near?: TunnelOptions; far?: TunnelOptions; peers?: [Peer, Peer] } = {},
  ): Promise<Harness> {
    const harness = new Harness();
    const [caller, worker] = options.peers ?? [near, far];
    harness.exposure = await exposeTcp(worker, harness.subject, target, {
      onError: harness.farErrors.note,
      ...options.far,
    });
    const entrance = { subject: harness.subject, port: 0 };
    harness.tunnel = await tunnelTcp(caller, entrance, { onError: harness.nearErrors.note, ...options.near });
    return harness;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.tunnel.close(), this.exposure.close()]);
  }
}

async function lineEcho(end: Ended): Promise<void> {
  end.socket.write("hello\n");
  await end.says("hello\n");
}

for (const [name, peers] of [
  ["over sessions", (): [Peer, Peer] => [near, far]],
  ["inside the hub", (): [Peer, Peer] => [hub, hub]],
] as const) {
  describe(name, () => {
    test("each direction ends by itself, the other goes on", async () => {
      await using target = new TestTarget(echoLines);
      await using harness = await Harness.of(await target.start(), { peers: peers() });
      const client = await dial(harness.tunnel.port);
      await lineEcho(client);
      client.socket.end("last\n"); // as `nc -N` and socat do at the end of their input
      await client.says("last\n11 bytes\n");
      await client.closed();
      assert.equal(client.error, undefined);

      await using talker = new TestTarget((socket) => socket.end("welcome\n"));
      await using other = await Harness.of(await talker.start(), { peers: peers() });
      const listener = await dial(other.tunnel.port);
      await listener.until(() => listener.hasEnded);
      assert.equal(listener.text, "welcome\n");
      listener.socket.write("and thank you\n"); // the server has ended, and still reads
      await talker.connections[0]!.says("and thank you\n");
      listener.socket.end();
      await listener.closed();
      await Promise.all([harness.tunnel.drain(), other.exposure.drain()]);
      for (const { nearErrors, farErrors } of [harness, other])
        assert.deepEqual([...nearErrors.texts, ...farErrors.texts], []);
    });

    test("a connection that is reset at one end is reset at the other", async () => {
      await using target = new TestTarget(echoLines);
      await using harness = await Harness.of(await target.start(), { peers: peers() });
      for (const which of ["client", "target"] as const) {
        const client = await dial(harness.tunnel.port);
        await lineEcho(client);
        const server = target.connections.at(-1)!;
        const [reset, other] = which === "client" ? [client, server] : [server, client];
        reset.socket.resetAndDestroy();
        await other.closed();
        assert.equal(other.error?.code, "ECONNRESET", which);
      }
      await harness.tunnel.drain();
      assert.deepEqual(harness.nearErrors.reasons, ["SOCKET_LOST", "SOCKET_LOST"]);
    });

    test("a reader that stops holds its sender back, and nobody else", async () => {
      const chunk = Buffer.alloc(1 << 16, "x");
      const much = 1 << 29;
      let written = 0;
      const pour = (socket: NodeJS.WritableStream): void => {
        const more = (): void => {
          while (written < much && socket.writable) {
            written += chunk.length;
            if (!socket.write(chunk)) return void socket.once("drain", more);
          }
        };
        more();
      };
      await using source = new TestTarget((socket) => pour(socket), false);
      await using target = new TestTarget(echoLines, false);
      const both = peers();
      await using stuck = await Harness.of(await source.start(), { peers: both });
      await using busy = await Harness.of(await target.start(), { peers: both });
      const slow = await dial(stuck.tunnel.port, false);
      await slow.until(() => slow.received > 0);
      slow.socket.pause();
      const quick = await dial(busy.tunnel.port, false);
      quick.socket.end(Buffer.alloc(1 << 26));
      await quick.closed();
      assert.ok(quick.received > 1 << 26, `${quick.received} bytes, ${quick.error?.code}`);
      assert.ok(written < 1 << 25, `${written} bytes were taken for a reader that reads nothing`);
      const taken = written;
      slow.socket.resume();
      await slow.until(() => slow.received > taken + (1 << 22));
      slow.socket.destroy();
    });

    test("100 connections at once, each with its own bytes", async () => {
      await using target = new TestTarget(echoLines);
      await using harness = await Harness.of(await target.start(), { peers: peers() });
      const clients = await Promise.all(Array.from({ length: 100 }, () => dial(harness.tunnel.port)));
      await Promise.all(clients.map(lineEcho));
      assert.equal(harness.tunnel.connections, 100);
      assert.equal(harness.exposure.connections, 100);
      const texts = clients.map((_, index) => `${index}:${"y".repeat(index * 1_000)}\n`);
      clients.forEach((client, index) => client.socket.end(texts[index]!));
      await Promise.all(clients.map((client) => client.closed()));
      for (const [index, client] of clients.entries()) {
        assert.equal(client.text, `hello\n${texts[index]}${6 + texts[index]!.length} bytes\n`);
      }
      await Promise.all([harness.tunnel.drain(), harness.exposure.drain()]);
      assert.equal(harness.tunnel.connections + harness.exposure.connections, 0);
    });

    test("a line comes back at once", async () => {
      await using target = new TestTarget(echoLines);
      await using harness = await Harness.of(await target.start(), { peers: peers() });
      const client = await dial(harness.tunnel.port);
      const times: number[] = [];
      for (let index = 0; index < 100; index++) {
        const sentAt = performance.now();
        client.socket.write(`${index}\n`);
        await client.says(`${index}\n`);
        times.push(performance.now() - sentAt);
      }
      // What waits for an acknowledgement waits 40 ms, but for the first few. A busy machine may delay any, not most.
      const quick = times.filter((ms) => ms < 30).length;
      assert.ok(quick > 25, `${quick} of ${times.length} were quick`);
      client.socket.destroy();
    });
  });
}

test("nobody exposes the subject: the connection is reset at once, and the reason told", async () => {
  const errors = new Errors();
  await using tunnel = await tunnelTcp(near, { subject: "nobody.there", port: 0 }, { onError: errors.note });
  const client = await dial(tunnel.port);
  await client.closed();
  await errors.some();
  assert.deepEqual(errors.reasons, ["NO_RESPONDERS"]);
  assert.match(errors.texts[0]!, /^127\.0\.0\.1:\d+: nobody serves this subject$/);
});

test("a target that refuses: the client is reset, and only the owner of the target learns where it is", async () => {
  const [port] = (await freePorts(1)) as [number];
  await using harness = await Harness.of({ host: "127.0.0.1", port });
  const client = await dial(harness.tunnel.port);
  await client.closed();
  await harness.nearErrors.some();
  assert.deepEqual(harness.nearErrors.reasons, ["TARGET_UNREACHABLE"]);
  assert.match(harness.nearErrors.texts[0]!, /: the target cannot be reached \(ECONNREFUSED\)$/);
  assert.ok(!harness.nearErrors.texts[0]!.includes(String(port)));
  assert.equal(harness.farErrors.texts[0], `127.0.0.1:${port}: connect ECONNREFUSED 127.0.0.1:${port}`);
});

/** A listener that takes nothing: its queue is soon full, and the system answers no further attempt to connect. */
const DEAF = `
  require("node:net").createServer().listen({ port: 0, host: "127.0.0.1", backlog: 1 }, function () {
    require("node:fs").writeSync(1, String(this.address().port));
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  })`;

test("a target that never answers is given up in time, and at once when the client leaves", async () => {
  const child = spawn(process.execPath, ["-e", DEAF], { stdio: ["ignore", "pipe", "inherit"] });
  const [port] = (await once(child.stdout, "data")) as [Buffer];
  const target = { host: "127.0.0.1", port: Number(port.toString()) };
  const fillers = Array.from({ length: 8 }, () => createConnection(target));
  for (const filler of fillers) filler.on("error", () => undefined); // most are never taken
  await Promise.all(fillers.slice(0, 2).map((filler) => once(filler, "connect")));
  {
    await using harness = await Harness.of(target, { far: { connectTimeoutMs: 200 } });
    await (await dial(harness.tunnel.port)).closed();
    await harness.nearErrors.some();
    assert.deepEqual(harness.nearErrors.reasons, ["TARGET_UNREACHABLE"]);
    assert.match(harness.farErrors.texts[0]!, /: no connection within 200 ms$/);
  }
  {
    await using harness = await Harness.of(target, { near: { connectTimeoutMs: 200 } });
    await (await dial(harness.tunnel.port)).closed();
    await harness.nearErrors.some();
    assert.deepEqual(harness.nearErrors.reasons, ["DEADLINE"]);
  }
  {
    await using harness = await Harness.of(target);
    const client = await dial(harness.tunnel.port);
    while (harness.exposure.connections === 0) await new Promise((resolve) => setImmediate(resolve));
    client.socket.resetAndDestroy();
    await harness.tunnel.drain();
    await harness.exposure.drain();
    assert.deepEqual(harness.farErrors.reasons, []); // time would have been one
  }
  for (const filler of fillers) filler.destroy();
  child.kill("SIGKILL");
  await once(child, "exit");
});

test("limits: connections, idle time, time in all", async () => {
  await using target = new TestTarget(echoLines);
  const address = await target.start();
  {
    await using harness = await Harness.of(address, { near: { maxConnections: 2 } });
    const two = [await dial(harness.tunnel.port), await dial(harness.tunnel.port)];
    await Promise.all(two.map(lineEcho));
    await (await dial(harness.tunnel.port)).closed();
    assert.deepEqual(harness.nearErrors.reasons, ["TOO_MANY"]);
    two[0]!.socket.end();
    await two[0]!.closed();
    await harness.nearErrors.until(() => harness.tunnel.connections < 2);
    await lineEcho(await dial(harness.tunnel.port));
  }
  {
    await using harness = await Harness.of(address, { far: { maxConnections: 1 } });
    const one = await dial(harness.tunnel.port);
    await lineEcho(one);
    await (await dial(harness.tunnel.port)).closed();
    await harness.nearErrors.some();
    assert.match(harness.nearErrors.texts[0]!, /: the target is at its limit of 1 connections$/);
    await lineEcho(one);
  }
  for (const [options, reason] of [
    [{ idleTimeoutMs: 200 }, "IDLE"],
    [{ maxDurationMs: 200 }, "TIME_UP"],
  ] as const) {
    for (const side of ["near", "far"] as const) {
      await using harness = await Harness.of(address, { [side]: options });
      const client = await dial(harness.tunnel.port);
      await lineEcho(client);
      const startedAt = performance.now();
      await client.closed();
      assert.ok(performance.now() - startedAt > 150, reason);
      await Promise.all([harness.nearErrors.some(), harness.farErrors.some()]);
      assert.deepEqual([...harness.nearErrors.reasons, ...harness.farErrors.reasons], [reason, reason]);
    }
  }
});

test("what is no limit is refused", async () => {
  for (const options of [{ maxConnections: 0 }, { idleTimeoutMs: -1 }, { connectTimeoutMs: Infinity }])
    await assert.rejects(tunnelTcp(near, { subject: "a", port: 0 }, options), RangeError);
  await assert.rejects(tunnelTcp(near, { subject: "a.*", port: 0 }), { reason: "BAD_SUBJECT" });
  await assert.rejects(exposeTcp(near, "a.>", { host: "127.0.0.1", port: 1 }), { reason: "BAD_SUBJECT" });
  await assert.rejects(tunnelTcp({ ...near }, { subject: "a", port: 0 }), TypeError);
});

test("a lost session cuts its connections off at both ends, and the next ones go through", async () => {
  await using target = new TestTarget(echoLines);
  const worker = await connect(hub.urls[0]!);
  const errors = new Errors();
  const address = await target.start();
  await exposeTcp(worker, "lost", address, { onError: errors.note });
  await using tunnel = await tunnelTcp(near, { subject: "lost", port: 0 }, { onError: errors.note });
  const client = await dial(tunnel.port);
  await lineEcho(client);
  await worker.close();
  await Promise.all([client.closed(), target.connections[0]!.closed()]);
  assert.equal(client.error?.code, "ECONNRESET");
  await using _ = await exposeTcp(far, "lost", address);
  await lineEcho(await dial(tunnel.port));
});

test("an end that drains waits for its connections; one that is closed cuts them off", async () => {
  await using target = new TestTarget(echoLines);
  const address = await target.start();
  const harness = await Harness.of(address);
  const client = await dial(harness.tunnel.port);
  await lineEcho(client);
  const drained = harness.exposure.drain();
  await (await dial(harness.tunnel.port)).closed(); // nobody exposes it any more
  await lineEcho(client);
  client.socket.end();
  await drained;
  await harness.exposure.closed;
  const { port } = harness.tunnel;
  await harness.tunnel.drain();
  const late = await dial(port);
  await late.closed();
  assert.equal(late.error?.code, "ECONNREFUSED");

  const other = await Harness.of(address);
  const cut = await dial(other.tunnel.port);
  await lineEcho(cut);
  await other.tunnel.close();
  await cut.closed();
  await other.farErrors.some();
  assert.deepEqual(other.farErrors.reasons, ["CLOSED"]);
  assert.deepEqual(other.nearErrors.reasons, []); // who closed it knows
  await other.exposure.close();
});

test("a handler may be the target, and a program the client", async () => {
  const subject = "by.handler";
  await using _ = await far.serve<DuplexStream>(subject, ({ readable, writable }) => {
    void readable.pipeTo(writable);
  });
  await using tunnel = await tunnelTcp(near, { subject, port: 0 });
  const client = await dial(tunnel.port);
  await lineEcho(client);
  client.socket.end();
  await client.closed();
  assert.equal(client.error, undefined);

  await using target = new TestTarget(echoLines);
  const errors = new Errors();
  await using exposure = await exposeTcp(far, "to.program", await target.start(), { onError: errors.note });
  await assert.rejects(near.request(exposure.subject, { host: "10.0.0.1", port: 1 }), {
    code: "invalid_argument",
  });
  await assert.rejects(near.open(exposure.subject), { code: "invalid_argument" });
  assert.equal(target.connections.length, 0);
  assert.equal(errors.reasons.length, 2);
  const [mine, theirs] = duplexPair();
  await near.request(exposure.subject, theirs);
  mine.end("from a program\n");
  assert.equal(await text(mine), "from a program\n15 bytes\n");
});
