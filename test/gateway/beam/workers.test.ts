/** Original peers that register as workers: for peers of the hub, and for each other. */
import assert from "node:assert/strict";
import type { LintelError } from "../../../src/message/failure.ts";
import { OriginalPeer, type OriginalEnd } from "./original-peer.ts";
import { gatewayTest, openDescriptors, openGateway, type Gateway } from "./harness.ts";
import { until } from "../../house/until.ts";

/** Has the peer register, and waits until the hub knows. */
async function register(harness: Gateway, ...patterns: string[]): Promise<OriginalEnd> {
  const { attachments } = harness.gateway.stats();
  const worker = await harness.connection.attach("RW", "register", ...patterns);
  await until(() => harness.gateway.stats().attachments === attachments + 1, "the registration");
  return worker;
}

gatewayTest(
  "B-51, B-52: requests come as messages with an attachment, on which they are answered",
  async () => {
    await using harness = await openGateway();
    const worker = await register(harness, "tools.*");
    const cases: [value: unknown, args: string[]][] = [
      [
        ["a", "b"],
        ["a", "b"],
      ],
      ["text", ["text"]],
      [undefined, []],
      [{ a: 1 }, ['{"a":1}']],
    ];
    for (const [value, args] of cases) {
      const answering = harness.peer.request("tools.run", value);
      const request = await worker.receive();
      assert.deepEqual(request?.message, ["tools.run", ...args]);
      await request.attached!.send("set", "done", ...args);
      assert.deepEqual(await answering, ["done", ...args]);
      assert.equal(await request.attached!.hears(), undefined);
    }
  },
);

gatewayTest("B-54: answers: nothing, a name of their own, pairs, errors, none at all", async () => {
  await using harness = await openGateway();
  const worker = await register(harness, "ask");
  const ask = async (...answer: string[]): Promise<unknown> => {
    const answering = harness.peer.request("ask", undefined, { full: true }).then(
      ({ value, headers }) => [value, headers.get(":name")],
      ({ code, reason, message }: LintelError) => ({ code, reason, message }),
    );
    const { attached } = (await worker.receive())!;
    if (answer.length > 0) await attached!.send(...answer);
    await attached!.close();
    return answering;
  };
  assert.deepEqual(await ask("ack"), [undefined, undefined]);
  assert.deepEqual(await ask("set"), [[], undefined]);
  assert.deepEqual(await ask("connected", "x"), [["x"], "connected"]);
  assert.deepEqual(await ask("error", "no luck"), { code: "unknown", reason: "UNKNOWN", message: "no luck" });
  assert.deepEqual(await ask("error", "gone", "not_found", "NO_ORDER"), {
    code: "not_found",
    reason: "NO_ORDER",
    message: "gone",
  });
  assert.equal(((await ask()) as LintelError).reason, "WORKER_LOST");
});

gatewayTest(
  "B-55: one peer calls another through the hub: names, attachments and modes pass as they are",
  async () => {
    await using harness = await openGateway();
    const worker = await register(harness, "spawn");
    const other = await harness.connect();
    const end = await other.attach("RW", "spawn", "sh");
    const request = (await worker.receive())!;
    assert.deepEqual(request.message, ["spawn", "sh"]);
    const job = request.attached!;
    await end.send("stdin", "ls");
    assert.deepEqual(await job.hears(), ["stdin", "ls"]);
    const nested = await job.attach("RW", "ack", "started");
    const answer = (await end.receive())!;
    assert.deepEqual(answer.message, ["ack", "started"]);
    await nested.send("log", "hello");
    assert.deepEqual(await answer.attached!.hears(), ["log", "hello"]);
    await answer.attached!.send("stop");
    assert.deepEqual(await nested.hears(), ["stop"]);
    await end.half();
    assert.equal(await job.hears(), undefined);
    await job.send("exit", "0");
    await job.close();
    assert.deepEqual(await end.hears(), ["exit", "0"]);
    assert.equal(await end.hears(), undefined);
  },
);

gatewayTest("B-55: a caller that only waits has a deadline, one that goes on sending has not", async () => {
  await using harness = await openGateway({ timeoutMs: 1_000 });
  const worker = await register(harness, "wait");
  const waiting = await harness.connection.attach("R", "wait");
  const sending = await harness.connection.attach("W", "wait", "log");
  await sending.send("line", "1");
  assert.equal((await waiting.hears())?.[3], "DEADLINE");
  const [first, second] = [await worker.receive(), await worker.receive()];
  assert.equal(await first!.attached!.hears(), undefined, "the worker sees that it was canceled");
  await sending.send("line", "2");
  assert.deepEqual(await second!.attached!.hears(), ["line", "1"]);
  assert.deepEqual(await second!.attached!.hears(), ["line", "2"]);
});

gatewayTest("B-55: a peer of the hub opens a channel to a worker", async () => {
  await using harness = await openGateway();
  const worker = await register(harness, "talk");
  const channel = await harness.peer.open("talk", ["hello"]);
  const request = (await worker.receive())!;
  assert.deepEqual(request.message, ["talk", "hello"]);
  await channel.send(["one", "1"]);
  assert.deepEqual(await request.attached!.hears(), ["one", "1"]);
  await request.attached!.send("two", "2");
  assert.deepEqual((await channel.receive()).value, ["two", "2"]);
  channel.close();
  assert.equal(await request.attached!.hears(), undefined);
  await request.attached!.close();
  assert.equal((await channel.receive()).done, true);
});

gatewayTest("B-56: other streams than a channel do not fit a request to a worker", async () => {
  await using harness = await openGateway();
  await register(harness, "upload");
  await assert.rejects(harness.peer.request("upload", { file: new Blob(["x"]).stream() }), {
    reason: "STREAMS_UNSUPPORTED",
  });
});

gatewayTest("B-53: what a worker passes on does not come back to it", async () => {
  await using harness = await openGateway();
  await harness.peer.serve("known", () => "from another");
  const worker = await register(harness); // for everything
  const answering = assert.rejects(harness.peer.request("unknown", ["x"]), { reason: "NO_RESPONDERS" });
  const { message, attached } = (await worker.receive())!;
  const passed = await worker.attach("R", ...message);
  assert.equal((await passed.hears())?.[3], "NO_RESPONDERS");
  await attached!.send("error", "nobody", "unavailable", "NO_RESPONDERS");
  await answering;
  assert.equal(await harness.peer.request("known"), "from another");
});

gatewayTest("B-53: a worker asks others over what it has registered with", async () => {
  await using harness = await openGateway();
  await harness.peer.serve("add", (numbers: string[]) =>
    String(numbers.reduce((sum, number) => sum + Number(number), 0)),
  );
  const worker = await register(harness, "sum");
  const asked = await worker.attach("R", "add", "1", "2");
  assert.deepEqual(await asked.hears(), ["set", "3"]);
});

gatewayTest("B-57: a worker that leaves is asked no more, and may still answer what it holds", async () => {
  await using harness = await openGateway();
  const worker = await register(harness, "ask");
  const answering = harness.peer.request("ask");
  const { attached } = (await worker.receive())!;
  await worker.close();
  await until(() => harness.gateway.stats().attachments === 1, "its leaving");
  await assert.rejects(harness.peer.request("ask"), { reason: "NO_RESPONDERS" });
  await attached!.send("set", "late");
  assert.deepEqual(await answering, ["late"]);
});

gatewayTest("B-57: a worker that is killed fails what it holds at once", async () => {
  await using harness = await openGateway({}, new OriginalPeer());
  const worker = await register(harness, "ask");
  const answering = assert.rejects(harness.peer.request("ask"), { reason: "WORKER_LOST", retryable: false });
  const opened = await Promise.all([harness.peer.open("ask"), worker.receive(), worker.receive()]);
  await harness.original.kill();
  await answering;
  await assert.rejects(opened[0].closed, { reason: "CALLER_GONE" });
  await until(
    () => harness.gateway.stats().connections === 0 && harness.gateway.stats().attachments === 0,
    "nothing left",
  );
  await assert.rejects(harness.peer.request("ask"), { reason: "NO_RESPONDERS" });
});

gatewayTest(
  "B-58: names a worker cannot have are refused, and so is a registration without an attachment",
  async () => {
    await using harness = await openGateway({ prefix: "legacy" });
    for (const pattern of ["a..b", "_x", "", "a.>.b"]) {
      const refused = await harness.connection.attach("RW", "register", "fine", pattern);
      assert.equal((await refused.hears())?.[3], "BAD_SUBJECT", pattern);
    }
    await harness.connection.send("register", "fine");
    await until(() => harness.reported.includes("BAD_FRAME"), "the refusal");
    await assert.rejects(harness.peer.request("legacy.fine"), { reason: "NO_RESPONDERS" });
    const worker = await register(harness, "fine");
    const answering = harness.peer.request("legacy.fine", ["x"]);
    const request = (await worker.receive())!;
    assert.deepEqual(request.message, ["fine", "x"], "it sees names without the prefix");
    await request.attached!.send("ack");
    assert.equal(await answering, undefined);
  },
);

gatewayTest(
  "B-59: the workers of a connection serve so many patterns, and others when they have left",
  async () => {
    await using harness = await openGateway();
    const names = (count: number, start: string): string[] =>
      Array.from({ length: count }, (_, index) => `${start}${index}`);
    const worker = await register(harness, ...names(4_000, "a"));
    await register(harness, ...names(96, "b"));
    const refused = await harness.connection.attach("RW", "register", "one-more");
    assert.equal((await refused.hears())?.[3], "TOO_MANY");
    await worker.close();
    await until(() => harness.gateway.stats().attachments === 1, "its leaving");
    await register(harness, ...names(4_000, "c"));
    const too = await harness.connection.attach("RW", "register");
    assert.equal((await too.hears())?.[3], "TOO_MANY");
  },
);

gatewayTest("B-58: a gateway without workers takes `register` for a name like any other", async () => {
  await using harness = await openGateway({ workers: false });
  await harness.peer.serve("register", (args) => args);
  const end = await harness.connection.attach("R", "register", "all");
  assert.deepEqual(await end.hears(), ["set", "all"]);
});

gatewayTest("B-61: requests to workers leave no descriptor behind", async () => {
  await using harness = await openGateway();
  const worker = await register(harness, "ask");
  const before = openDescriptors();
  for (let count = 0; count < 20; count++) {
    const answering = harness.peer.request("ask", undefined, { timeoutMs: 5_000 });
    const { attached } = (await worker.receive())!;
    if (count % 2 === 0) await attached!.attach("RW", "set", "with a channel");
    else await attached!.send("set", "without");
    const value = (await answering) as unknown[];
    if (count % 2 === 0) (value[1] as { abort(): void }).abort();
    await attached!.close();
  }
  await until(
    () => harness.gateway.stats().attachments === 1 && openDescriptors() <= before,
    "as many as before",
  );
});

gatewayTest(
  "requests for a worker that reads one at a time wait in their queue, however large they are",
  async () => {
    await using harness = await openGateway({ messageLimit: 1_048_576 });
    const worker = await register(harness, "large");
    const text = "x".repeat(500_000);
    const answers = Array.from({ length: 60 }, () =>
      harness.peer.request("large", text).then(
        (value) => value,
        ({ reason }: LintelError) => reason,
      ),
    );
    for (let index = 0; index < answers.length; index++) {
      const { message, attached } = (await worker.receive())!;
      assert.equal(message[1]?.length, text.length);
      await attached!.send("set", "done");
      await attached!.close();
    }
    assert.deepEqual(new Set((await Promise.all(answers)).flat()), new Set(["done"]));
  },
);
