/** What becomes of the messages of an original peer, with attachments in every mode and without. */
import assert from "node:assert/strict";
import { kv } from "../../../src/codec/index.ts";
import { LintelError } from "../../../src/message/failure.ts";
import { EnginePeer } from "../../../src/peer/engine-peer.ts";
import { Codecs } from "../../../src/codec/codecs.ts";
import { gatewayTest, openGateway } from "./harness.ts";
import { until } from "../../house/until.ts";

gatewayTest("B-20, B-30: a message without an attachment goes to one worker, by its name", async () => {
  await using harness = await openGateway();
  const printed: unknown[] = [];
  await harness.peer.serve("print", (args) => void printed.push(args));
  await harness.connection.send("print", "hello world");
  await until(() => printed.length === 1, "the message");
  assert.deepEqual(printed, [["hello world"]]);
  assert.equal(harness.gateway.stats().messages, 1);
});

gatewayTest("B-31: R: the answer is written on the attachment, which then ends", async () => {
  await using harness = await openGateway();
  await harness.peer.serve("greet", ([name]: string[]) => [`hello ${name}`, "how are you"]);
  const end = await harness.connection.attach("R", "greet", "Ada");
  assert.deepEqual(await end.hears(), ["set", "hello Ada", "how are you"]);
  assert.equal(await end.hears(), undefined);
});

gatewayTest("B-40: W: the handler reads what the sender sends on, up to its end", async () => {
  await using harness = await openGateway();
  const heard: unknown[] = [];
  await harness.peer.serve("log", async (_args, context) => {
    for await (const line of context.accept()) heard.push(line);
    heard.push("end");
  });
  const end = await harness.connection.attach("W", "log");
  await end.send("line", "one");
  await end.send("line", "two");
  await end.half();
  await until(() => heard.includes("end"), "the end");
  assert.deepEqual(heard, [["line", "one"], ["line", "two"], "end"]);
});

gatewayTest("B-40: RW: a conversation, each way until its own end", async () => {
  await using harness = await openGateway();
  await harness.peer.serve("sum", async (_args, context) => {
    const channel = context.accept();
    let sum = 0;
    for await (const [, number] of channel as AsyncIterable<string[]>) {
      sum += Number(number);
      await channel.send(["so-far", String(sum)]);
    }
    await channel.send([`total`, String(sum)]);
  });
  const end = await harness.connection.attach("RW", "sum");
  for (const [number, sum] of [
    ["1", "1"],
    ["20", "21"],
    ["300", "321"],
  ]) {
    await end.send("add", number!);
    assert.deepEqual(await end.hears(), ["so-far", sum]);
  }
  await end.half();
  assert.deepEqual(await end.hears(), ["total", "321"]);
  assert.equal(await end.hears(), undefined);
});

gatewayTest("B-42: channels in messages on channels, three deep, both ways", async () => {
  await using harness = await openGateway();
  await harness.peer.serve("deep", async (_args, context) => {
    const first = context.accept();
    const { value: one } = await first.receive();
    const second = (one as [string, typeof first])[1];
    const { value: two } = await second.receive();
    const third = (two as [string, typeof first])[1];
    const { value: three } = await third.receive();
    const [near, far] = harness.peer.createChannel();
    await third.send(["back", (three as string[])[1], far]);
    await near.send(["from", "below"]);
    near.close();
    third.close();
  });
  const first = await harness.connection.attach("RW", "deep");
  const second = await first.attach("RW", "second");
  const third = await second.attach("RW", "third");
  await third.send("hello", "depth");
  const back = await third.receive();
  assert.deepEqual(back?.message, ["back", "depth"]);
  assert.deepEqual(await back?.attached?.hears(), ["from", "below"]);
  assert.equal(await back?.attached?.hears(), undefined);
  assert.equal(await third.hears(), undefined);
});

gatewayTest("B-22, B-23: what answers carry", async () => {
  await using harness = await openGateway();
  const answers: Record<string, unknown> = {
    nothing: undefined,
    text: "plain",
    empty: "",
    list: ["a", "b"],
    none: [],
    object: { a: 1 },
    numbers: [1, 2],
    number: 7,
    bytes: new TextEncoder().encode("b\u00e4r"),
  };
  await harness.peer.serve("answer", ([name]: string[]) => answers[name!]);
  const expected: Record<string, string[]> = {
    nothing: ["ack"],
    text: ["set", "plain"],
    empty: ["set", ""],
    list: ["set", "a", "b"],
    none: ["set"],
    object: ["set", '{"a":1}'],
    numbers: ["set", "[1,2]"],
    number: ["set", "7"],
    bytes: ["set", "b\u00e4r"],
  };
  for (const [name, message] of Object.entries(expected)) {
    const end = await harness.connection.attach("R", "answer", name);
    assert.deepEqual(await end.hears(), message, name);
    assert.equal(await end.hears(), undefined, name);
  }
});

gatewayTest("B-24: an answer may have a name of its own", async () => {
  await using harness = await openGateway();
  await harness.peer.serve("connect", (_args, context) => {
    context.reply.headers[":name"] = "connected";
    return ["here"];
  });
  const end = await harness.connection.attach("R", "connect");
  assert.deepEqual(await end.hears(), ["connected", "here"]);
});

gatewayTest("B-21: key-value pairs are the payload, both ways, where the worker reads them", async () => {
  await using harness = await openGateway();
  const worker = new EnginePeer(harness.engine, { codecs: new Codecs([kv]) });
  const heard: unknown[] = [];
  await worker.serve("pairs", (pairs) => {
    heard.push(pairs);
    return { seen: ["yes", "no"] };
  });
  const end = await harness.connection.attach("R", "pairs", "000;5:hello,20:9:beautiful,5:world,,");
  assert.deepEqual(await end.hears(), ["set", "000;4:seen,11:3:yes,2:no,,"]);
  assert.deepEqual(heard, [{ hello: ["beautiful", "world"] }]);
  const wrong = await harness.connection.attach("R", "pairs", "000;05:hello,0:,");
  assert.equal((await wrong.hears())?.[2], "invalid_argument");
});

gatewayTest("B-33: failures are `error` messages: text, code, reason", async () => {
  await using harness = await openGateway({ timeoutMs: 1_000 });
  await harness.peer.serve("broken", () => {
    throw new LintelError("not_found", "no such thing", { reason: "NO_SUCH_THING" });
  });
  await harness.peer.serve("slow", () => new Promise(() => undefined));
  const cases: [name: string, error: string[]][] = [
    ["broken", ["no such thing", "not_found", "NO_SUCH_THING"]],
    ["nobody", ["nobody serves this subject", "unavailable", "NO_RESPONDERS"]],
    ["slow", ["the deadline passed", "deadline_exceeded", "DEADLINE"]],
  ];
  for (const [name, [, code, reason]] of cases) {
    const end = await harness.connection.attach("R", name);
    const message = await end.hears();
    assert.deepEqual([message?.[0], ...(message ?? []).slice(2)], ["error", code, reason], name);
    assert.notEqual(message?.[1], "");
    assert.equal(await end.hears(), undefined);
  }
});

gatewayTest("B-25: names that are no subject are refused, and nobody hears of them", async () => {
  await using harness = await openGateway();
  const heard: string[] = [];
  await harness.peer.serve(">", (_args, context) => void heard.push(context.subject));
  await harness.peer.subscribe(">", (_value, { subject }) => void heard.push(subject));
  for (const name of [
    "",
    " ",
    "*",
    ">",
    "a.*",
    "a..b",
    ".a",
    "a.",
    "_INBOX.1",
    "$SYS",
    "a b",
    "\u0000",
    "a/b",
    "x".repeat(256),
  ]) {
    const end = await harness.connection.attach("R", name, "hello");
    const [kind, , code, reason] = (await end.hears()) ?? [];
    assert.deepEqual(
      [kind, code, reason],
      ["error", "invalid_argument", "BAD_SUBJECT"],
      JSON.stringify(name),
    );
    await harness.connection.send(name, "hello");
  }
  const end = await harness.connection.attach("R", "fine");
  assert.deepEqual(await end.hears(), ["ack"]);
  assert.deepEqual(heard, ["fine"]);
  assert.equal(harness.gateway.stats().refused, 28);
  assert.deepEqual(harness.reported, ["BAD_SUBJECT"], "once for a connection");
});

gatewayTest("B-26: with a prefix all names stay below it", async () => {
  await using harness = await openGateway({ prefix: "legacy.tools" });
  await harness.peer.serve("print", () => "outside");
  await harness.peer.serve("legacy.tools.print", () => "inside");
  assert.deepEqual(await (await harness.connection.attach("R", "print")).hears(), ["set", "inside"]);
});

gatewayTest("B-34: messages without an attachment may be publications, to all who subscribe", async () => {
  await using harness = await openGateway({ plain: "publish" });
  const heard: unknown[] = [];
  for (const pattern of ["log", "log", "*"])
    await harness.peer.subscribe(pattern, (args) => void heard.push(args));
  await harness.connection.send("log", "a", "b");
  await until(() => heard.length === 3, "three deliveries");
  assert.deepEqual(heard, [
    ["a", "b"],
    ["a", "b"],
    ["a", "b"],
  ]);
});

gatewayTest(
  "B-35: what comes to nothing without an attachment is counted, and told once for each reason",
  async () => {
    await using harness = await openGateway();
    await harness.connection.sendTimes(5, "nobody", "x");
    await until(() => harness.gateway.stats().lost === 5, "five losses");
    assert.deepEqual(harness.reported, ["NO_RESPONDERS"]);
  },
);

gatewayTest(
  "B-37: who sends and leaves is heard all the same, and its answer can still be read",
  async () => {
    await using harness = await openGateway();
    const printed: unknown[] = [];
    let answer: (value: string) => void = () => undefined;
    await harness.peer.serve("print", (args) => void printed.push(args));
    await harness.peer.serve("later", () => new Promise<string>((resolve) => (answer = resolve)));
    const other = await harness.connect();
    const end = await other.attach("R", "later");
    await other.send("print", "bye");
    await other.close();
    await until(() => printed.length === 1, "the message");
    assert.equal(harness.gateway.stats().connections, 2, "it counts for as long as its attachment is in use");
    answer("still here");
    assert.deepEqual(await end.hears(), ["set", "still here"]);
    await until(() => harness.gateway.stats().connections === 1, "the end of the connection");
  },
);
