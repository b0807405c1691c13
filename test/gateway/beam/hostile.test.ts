/** Bytes and descriptors that break the format, and peers that take more than is theirs. */
import assert from "node:assert/strict";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe } from "node:test";
import { LocalEngine } from "../../../src/engine/local/local-engine.ts";
import { openBeam } from "../../../src/gateway/beam/gateway.ts";
import { encodeFrame } from "../../../src/gateway/beam/message.ts";
import { LintelError } from "../../../src/message/failure.ts";
import { contextOf } from "../context.ts";
import { root } from "../../house/root.ts";
import { gatewayTest, openDescriptors, openGateway } from "./harness.ts";
import { until } from "../../house/until.ts";

const { malformed } = JSON.parse(readFileSync(join(root, "spec/vectors/beam/messages.json"), "utf8")) as {
  malformed: { name: string; hex: string; clause: string }[];
};

describe("B-6: what breaks the format ends its connection, closes what came with it, and nobody hears of it", () => {
  gatewayTest(
    "the malformed vectors, with descriptors and without, on connections and on attachments",
    async () => {
      await using harness = await openGateway({ maxConnections: 1_000 });
      const heard: string[] = [];
      await harness.peer.serve("talk", async (_args, context) => {
        for await (const _ of context.accept()) heard.push("talk");
      });
      await harness.peer.serve(">", (_args, context) => void heard.push(context.subject));
      await until(() => harness.gateway.stats().connections === 1, "the connection");
      const before = openDescriptors();
      for (const { name, hex } of malformed) {
        const bytes = Buffer.from(hex, "hex");
        for (const kinds of [[], ["socket", "file", "pipe"]] as const) {
          if (kinds.length > 0 && name === "a flag and no descriptor") continue;
          const other = await harness.connect();
          await other.raw(bytes, ...kinds);
          assert.equal(await other.hears().catch(() => undefined), undefined, name);
          await other.close();
        }
        const end = await harness.connection.attach("RW", "talk");
        await end.raw(bytes);
        assert.equal(await end.hears().catch(() => undefined), undefined, name);
        await end.close();
      }
      assert.deepEqual(heard, []);
      assert.equal(harness.gateway.stats().malformed, malformed.length * 3 - 1);
      await until(() => harness.gateway.stats().attachments === 0, "no attachment in use");
      await until(() => openDescriptors() <= before, "as many descriptors as before");
    },
  );

  gatewayTest("B-5: descriptors that no frame takes", async () => {
    await using harness = await openGateway();
    await until(() => harness.gateway.stats().connections === 1, "the connection");
    const before = openDescriptors();
    const other = await harness.connect();
    for (let count = 0; count < 20; count++)
      await other.raw(encodeFrame("nobody", [], false), "file").catch(() => undefined);
    assert.equal(await other.hears().catch(() => undefined), undefined);
    await until(
      () => harness.gateway.stats().connections === 1 && openDescriptors() <= before,
      "the end of the connection",
    );
    assert.equal(harness.gateway.stats().malformed, 1);
  });

  gatewayTest(
    "attachments that are no sockets, pipes or files are closed, and the connection goes on",
    async () => {
      await using harness = await openGateway();
      await harness.peer.serve("echo", (args) => args);
      await until(() => harness.gateway.stats().connections === 1, "the connection");
      const before = openDescriptors();
      for (const kind of ["file", "pipe"] as const) {
        const frame = encodeFrame("echo", ["hello"], true);
        await harness.connection.raw(frame, kind);
      }
      // The second descriptor of each pair that is sent waits for a frame.
      await until(() => harness.gateway.stats().messages === 2, "both messages");
      assert.equal(harness.gateway.stats().refused, 1); // the device
      assert.equal(harness.engine.stats.requests, 1); // with the pipe, whose answer nobody hears
      const end = await harness.connect();
      assert.deepEqual(await (await end.attach("R", "echo", "hi")).hears(), ["set", "hi"]);
      await end.close();
      await until(() => openDescriptors() <= before + 1, "all but one that waits are closed");
    },
  );
});

gatewayTest("B-47: attachments past the limit are told so, and those in use go on", async () => {
  await using harness = await openGateway({ maxAttachments: 3 });
  await harness.peer.serve("echo", async (_args, context) => {
    const channel = context.accept();
    for await (const message of channel) await channel.send(message);
  });
  const ends = [];
  for (let count = 0; count < 3; count++) ends.push(await harness.connection.attach("RW", "echo"));
  const fourth = await harness.connection.attach("RW", "echo");
  assert.equal((await fourth.hears())?.[3], "TOO_MANY");
  const nested = await ends[0]!.attach("RW", "nested");
  assert.equal((await nested.hears())?.[3], "TOO_MANY");
  assert.deepEqual(await ends[0]!.hears(), ["nested"], "the message comes without it");
  await ends[0]!.close();
  await until(() => harness.gateway.stats().attachments === 2, "a free place");
  const fifth = await harness.connection.attach("RW", "echo");
  await fifth.send("hello");
  assert.deepEqual(await fifth.hears(), ["hello"]);
});

gatewayTest("B-48: connections past the limit are closed", async () => {
  await using harness = await openGateway({ maxConnections: 2 });
  const second = await harness.connect();
  // Those that say nothing would give way.
  for (const one of [harness.connection, second]) await (await one.attach("R", "nobody")).hears();
  const third = await harness.connect();
  assert.equal(await third.hears(), undefined);
  await second.close();
  await until(() => harness.gateway.stats().connections === 1, "a free place");
  const fourth = await harness.connect();
  assert.equal((await (await fourth.attach("R", "nobody")).hears())?.[3], "NO_RESPONDERS");
});

gatewayTest(
  "B-38: who has too many messages without an attachment under way waits, and loses none",
  async () => {
    await using harness = await openGateway({ maxPending: 4 });
    const answers: (() => void)[] = [];
    let most = 0;
    let seen = 0;
    await harness.peer.serve("work", () => {
      seen++;
      return new Promise<void>((resolve) => {
        answers.push(resolve);
        most = Math.max(most, answers.length);
      });
    });
    await harness.connection.sendTimes(50, "work");
    while (seen < 50 || answers.length > 0) {
      await until(() => answers.length > 0, "the next");
      answers.shift()?.();
    }
    assert.equal(seen, 50);
    assert.ok(most <= 4, `${most} at a time`);
  },
);

gatewayTest("B-62: the socket is for its owner alone unless told otherwise", async () => {
  await using harness = await openGateway();
  assert.equal(statSync(harness.path).mode & 0o777, 0o600);
  await using other = await openGateway({ mode: 0o660 });
  assert.equal(statSync(other.path).mode & 0o777, 0o660);
});

gatewayTest("options that are wrong are refused, with what is allowed", async () => {
  const engine = new LocalEngine();
  const wrong = [
    { path: "" },
    { mode: 0o1000 },
    { mode: -1 },
    { prefix: "a.*" },
    { prefix: "_inbox" },
    { plain: "drop" as never },
    { timeoutMs: 0 },
    { maxAttachments: 0 },
    { maxConnections: 1.5 },
    { messageLimit: 2 ** 31 },
    { maxPending: -1 },
  ];
  for (const option of wrong) {
    await assert.rejects(openBeam(contextOf(engine), { path: "/nowhere/beam.sock", ...option }), (error) => {
      assert.ok(error instanceof LintelError);
      assert.equal(error.code, "invalid_argument");
      assert.match(error.message, new RegExp(`beam option ${Object.keys(option)[0]} is .*, it must be `));
      return true;
    });
  }
  await assert.rejects(openBeam(contextOf(engine), { path: "/nowhere/beam.sock" }), { code: "ENOENT" });
});

gatewayTest(
  "B-47: who cannot be told that it was refused, for its socket is full, holds nothing",
  async () => {
    await using harness = await openGateway({ maxAttachments: 2 });
    await until(() => harness.gateway.stats().connections === 1, "the connection");
    const before = openDescriptors();
    for (let count = 0; count < 20; count++)
      await harness.connection.raw(encodeFrame("a b", [], true), "full");
    await until(() => harness.gateway.stats().refused === 20, "twenty refusals");
    assert.equal(harness.gateway.stats().attachments, 0);
    assert.ok(openDescriptors() <= before);
  },
);
