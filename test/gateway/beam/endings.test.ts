/** How calls and channels end: callers that leave, deadlines, resets, a hub that drains or closes. No descriptor stays. */
import assert from "node:assert/strict";
import { LintelError } from "../../../src/message/failure.ts";
import { discardStreams } from "../../../src/stream/stream.ts";
import { OriginalPeer } from "./original-peer.ts";
import { gatewayTest, openDescriptors, openGateway } from "./harness.ts";
import { until } from "../../house/until.ts";

gatewayTest(
  "B-36: a caller that leaves fires the handler's signal, also when it had ended its input before",
  async () => {
    await using harness = await openGateway();
    const reasons: string[] = [];
    await harness.peer.serve("slow", (_args, { signal }) => {
      return new Promise((resolve) => {
        signal.addEventListener("abort", () => {
          reasons.push((signal.reason as LintelError).reason);
          resolve(undefined);
        });
      });
    });
    for (const mode of ["RW", "R"] as const) {
      const end = await harness.connection.attach(mode, "slow");
      await until(() => harness.engine.inFlight === 1, "the request");
      await end.close();
      await until(() => harness.engine.inFlight === 0, `the end of the request in mode ${mode}`);
    }
    assert.deepEqual(reasons, ["CALLER_GONE", "CALLER_GONE"]);
  },
);

gatewayTest("B-36: so does a caller that is killed", async () => {
  await using harness = await openGateway({}, new OriginalPeer());
  let gone = false;
  await harness.peer.serve("slow", (_args, { signal }) => {
    signal.addEventListener("abort", () => (gone = true));
    return new Promise(() => undefined);
  });
  await harness.connection.attach("R", "slow");
  await harness.connection.attach("RW", "slow");
  await until(() => harness.engine.inFlight === 2, "the requests");
  await harness.original.kill();
  await until(() => gone && harness.engine.inFlight === 0, "their ends");
  await until(() => harness.gateway.stats().connections === 0, "the end of the connection");
  assert.equal(harness.gateway.stats().attachments, 0);
});

gatewayTest(
  "B-45: who leaves without having sent anything ends the channel, who has sent is heard to the end",
  async () => {
    await using harness = await openGateway();
    const heard: unknown[] = [];
    let read: () => void = () => undefined;
    const mayRead = new Promise<void>((resolve) => (read = resolve));
    await harness.peer.serve("talk", async (_args, context) => {
      const channel = context.accept();
      context.signal.addEventListener("abort", () => heard.push("aborted"));
      const over = channel.closed.catch((error: LintelError) => heard.push(error.reason));
      await mayRead;
      for await (const message of channel) heard.push(message);
      await channel.send(["anybody?"]).catch(() => undefined);
      await over;
    });
    for (const mode of ["R", "RW"] as const) {
      const silent = await harness.connection.attach(mode, "talk");
      await until(() => harness.engine.inFlight === 0, "the channel");
      await silent.close();
      await until(() => heard.length === 2, `the reset in mode ${mode}`);
      assert.deepEqual(new Set(heard.splice(0)), new Set(["CALLER_GONE", "aborted"]));
    }
    const talking = await harness.connection.attach("RW", "talk");
    await talking.sendTimes(20, "line", "x".repeat(1_000)); // more than is handed on before somebody reads
    await talking.close();
    read();
    await until(() => heard.length === 22, "everything");
    assert.deepEqual(
      heard.slice(0, 20),
      Array.from({ length: 20 }, () => ["line", "x".repeat(1_000)]),
    );
    assert.deepEqual(new Set(heard.slice(20)), new Set(["CALLER_GONE", "aborted"]), "an answer finds nobody");
  },
);

gatewayTest(
  "B-45, B-46: a source in the hub that never waits is stopped when its reader is killed",
  async () => {
    await using harness = await openGateway();
    let ended = 0;
    await harness.peer.serve("bytes", () => {
      return new ReadableStream<Uint8Array>({
        pull: (controller) => controller.enqueue(new Uint8Array(65_536)),
        cancel: () => void ended++,
      });
    });
    await harness.peer.serve("values", async function* () {
      try {
        while (true) yield ["x".repeat(10_000)];
      } finally {
        ended++;
      }
    });
    for (let round = 1; round <= 3; round++) {
      const other = new OriginalPeer();
      const connection = await other.connect(harness.path);
      const ends = [await connection.attach("R", "bytes"), await connection.attach("R", "values")];
      for (const end of ends) await end.receive();
      await other.kill();
      await until(() => ended === round * 2, "the end of both");
    }
    await until(() => harness.gateway.stats().attachments === 0, "no attachment in use");
  },
);

gatewayTest("B-45: a channel the handler aborts ends with an `error` message", async () => {
  await using harness = await openGateway();
  await harness.peer.serve("talk", (_args, context) => {
    context.accept().abort(new LintelError("aborted", "enough", { reason: "ENOUGH" }));
  });
  const aborted = await harness.connection.attach("RW", "talk");
  assert.deepEqual(await aborted.hears(), ["error", "enough", "aborted", "ENOUGH"]);
  assert.equal(await aborted.hears(), undefined);
});

gatewayTest("B-32: a worker that takes no channels just answers", async () => {
  await using harness = await openGateway();
  const { engine } = harness;
  const unsupported = LintelError.of("STREAMS_UNSUPPORTED").toFailure();
  let refused = 0;
  const registration = engine.serve("plain", {
    execute(job, _route, request) {
      queueMicrotask(() => {
        if (request.streams !== undefined) {
          refused++;
          if (refused === 1) discardStreams(request, unsupported);
          registration.fail(job, unsupported);
          if (refused > 1) discardStreams(request, unsupported);
        } else registration.reply(job, request);
      });
    },
    cancel: () => undefined,
  });
  for (let count = 1; count <= 2; count++) {
    const end = await harness.connection.attach("RW", "plain", "a", "b");
    assert.deepEqual(await end.hears(), ["set", "a", "b"]);
    assert.equal(refused, count);
    assert.equal(await end.hears(), undefined);
  }
});

gatewayTest("B-32: a handler that fails for want of streams elsewhere is not called again", async () => {
  await using harness = await openGateway();
  let calls = 0;
  await harness.peer.serve("nested", () => {
    calls++;
    throw LintelError.of("STREAMS_UNSUPPORTED");
  });
  await harness.peer.serve("later", async () => {
    calls++;
    await Promise.resolve();
    throw LintelError.of("STREAMS_UNSUPPORTED");
  });
  for (const name of ["nested", "later"]) {
    const end = await harness.connection.attach("R", name);
    assert.equal((await end.hears())?.[3], "STREAMS_UNSUPPORTED");
  }
  assert.equal(calls, 2);
});

gatewayTest("B-60: a hub that drains takes nothing new, and lets what is under way be answered", async () => {
  await using harness = await openGateway();
  let answer: (value: string) => void = () => undefined;
  await harness.peer.serve("later", () => new Promise<string>((resolve) => (answer = resolve)));
  const end = await harness.connection.attach("R", "later");
  await until(() => harness.engine.inFlight === 1, "the request");
  let drained = false;
  const draining = harness.gateway.drain().then(() => (drained = true));
  const late = await harness.connection.attach("R", "later");
  assert.equal((await late.hears())?.[3], "DRAINING");
  assert.equal(drained, false);
  answer("x".repeat(900_000));
  const message = await end.hears();
  assert.equal(message?.[1]?.length, 900_000);
  await draining;
});

gatewayTest("B-60: a hub that closes ends everything at once", async () => {
  await using harness = await openGateway();
  await harness.peer.serve("talk", async (_args, context) => {
    for await (const _ of context.accept());
  });
  const end = await harness.connection.attach("RW", "talk");
  await until(() => harness.engine.stats.answered === 1, "the channel");
  await harness.gateway.close();
  assert.equal(await end.hears(), undefined);
  assert.equal(await harness.connection.hears(), undefined);
  assert.equal(harness.gateway.stats().attachments, 0);
});

gatewayTest("B-61: no descriptor stays, however things end", async () => {
  await using harness = await openGateway({}, new OriginalPeer());
  await harness.peer.serve("echo", (args) => args);
  await harness.peer.serve("stuck", () => new Promise(() => undefined));
  await harness.peer.serve("talk", async (_args, context) => {
    for await (const _ of context.accept());
  });
  await harness.peer.serve("stream", () => new Blob(["x".repeat(100_000)]).stream());
  await harness.connection.send("echo");
  await until(() => harness.gateway.stats().messages === 1, "the first message");
  const before = openDescriptors();
  for (let round = 0; round < 5; round++) {
    const other = await harness.connect();
    const echo = await other.attach("R", "echo", "hi");
    await echo.hears();
    const talk = await other.attach("RW", "talk");
    const nested = await talk.attach("RW", "nested");
    await nested.send("hello");
    await other.attach("R", "stuck");
    await other.attach("R", "no subject");
    await other.attach("R", "stream"); // its attachment is never taken out of the socket
    await other.close();
    for (const end of [talk, nested]) await end.close();
  }
  await until(() => harness.gateway.stats().attachments === 5, "only what is stuck");
  assert.equal(openDescriptors() - before, 5, "one for each");
  await harness.original.kill();
  await until(() => harness.gateway.stats().connections === 0, "the end of all connections");
  await until(() => openDescriptors() <= before, "as many descriptors as before");
});
