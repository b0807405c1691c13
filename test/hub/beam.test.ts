/** A hub with a beam gateway among its gateways: peers of all kinds meet. */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { connect, createHub } from "../../src/index.ts";
import { gatewayTest } from "../gateway/beam/harness.ts";
import { until } from "../house/until.ts";
import { OriginalPeer } from "../gateway/beam/original-peer.ts";

const folder = mkdtempSync(join(tmpdir(), "lintel-hub-beam-"));
after(() => rmSync(folder, { recursive: true }));

const CLOSED = { http: { port: 0 }, listen: ["tcp://127.0.0.1:0"] };

gatewayTest(
  "B-40, B-42, B-51: callers and workers over sessions, HTTP and beam reach each other",
  async () => {
    const path = join(folder, "all.sock");
    await using hub = await createHub({ ...CLOSED, beam: { path } });
    assert.equal(hub.beamUrl, `unix://${path}`);
    assert.equal(statSync(path).mode & 0o777, 0o600);
    await using worker = await connect(hub.urls[0]!);
    await worker.serve("deep", async (_args, context) => {
      const { value: message } = await context.accept().receive();
      const [name, text, channel] = message as [
        string,
        string,
        AsyncIterable<unknown> & { send(v: unknown): Promise<void> },
      ];
      for await (const nested of channel) await channel.send(["heard", name, text, ...(nested as string[])]);
    });
    await using original = new OriginalPeer();
    const connection = await original.connect(path);
    const call = await connection.attach("RW", "deep");
    const nested = await call.attach("RW", "outer", "text");
    await nested.send("inner");
    assert.deepEqual(await nested.hears(), ["heard", "outer", "text", "inner"]);

    const registered = await connection.attach("RW", "register", "legacy.>");
    await until(() => (hub.stats().beam?.attachments ?? 0) === 3, "the registration");
    const json = { method: "POST", body: '["a","b"]', headers: { "content-type": "application/json" } };
    const fetching = fetch(`${hub.httpUrl}/legacy/print`, json);
    const request = (await registered.receive())!;
    assert.deepEqual(request.message, ["legacy.print", "a", "b"]);
    await request.attached!.send("set", "c", "d");
    assert.equal(await (await fetching).text(), '["c","d"]');
    const channel = await worker.open("legacy.talk");
    const talk = (await registered.receive())!.attached!;
    await talk.send("hello");
    assert.deepEqual((await channel.receive()).value, ["hello"]);
    const { beam, inFlight } = hub.stats();
    assert.deepEqual([beam?.connections, beam?.messages, beam?.malformed, inFlight], [1, 2, 0, 0]);
  },
);

gatewayTest("B-60: a hub that drains answers what came over beam, removes the socket, and ends", async () => {
  const path = join(folder, "drain.sock");
  await using hub = await createHub({ ...CLOSED, beam: { path } });
  let answer: (value: string) => void = () => undefined;
  await hub.serve("later", () => new Promise<string>((resolve) => (answer = resolve)));
  await using original = new OriginalPeer();
  const end = await (await original.connect(path)).attach("R", "later");
  await until(() => hub.stats().inFlight === 1, "the request");
  const drained = hub.drain();
  answer("x".repeat(500_000));
  assert.equal((await end.hears())?.[1]?.length, 500_000);
  await drained;
  assert.ok(!existsSync(path));
});

gatewayTest("a hub whose beam gateway cannot be opened does not start", async () => {
  await assert.rejects(createHub({ ...CLOSED, beam: { path: join(folder, "no", "such", "folder") } }), {
    code: "ENOENT",
  });
  await assert.rejects(
    createHub({ ...CLOSED, beam: { path: join(folder, "x".repeat(120)) } }),
    /longer than 107 bytes/,
  );
  await using hub = await createHub({ ...CLOSED, beam: { path: join(folder, "taken.sock") } });
  await assert.rejects(createHub({ ...CLOSED, beam: { path: join(folder, "taken.sock") } }), {
    code: "EADDRINUSE",
  });
  assert.equal(hub.stats().beam?.connections, 0);
  assert.equal(
    await createHub({ ...CLOSED, http: false, listen: [] }).then(async (other) => {
      const { beam } = other.stats();
      await other.close();
      return beam;
    }),
    undefined,
  );
});
