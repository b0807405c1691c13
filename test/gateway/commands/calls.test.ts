/** C-1 to C-4 and C-10 to C-28: calls of clients, and what becomes of them. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { text as readText } from "node:stream/consumers";
import { test } from "node:test";
import { WebSocket } from "ws";
import { LintelError } from "../../../src/index.ts";
import { Format, Message } from "../../../src/message/message.ts";
import { until } from "../../house/until.ts";
import type { Context } from "../../../src/peer/context.ts";
import { CLOSED } from "./raw-client.ts";
import { SCHEMES, Scene } from "./harness.ts";

type Reply = Context["reply"];

for (const scheme of SCHEMES) {
  test(`C-10, C-11: a call over ${scheme} is a request, and a fire gets a reply without a key`, async () => {
    await using scene = await Scene.open();
    await scene.hub.serve("orders.create", (order, { subject }) => ({ subject, order }));
    const client = await scene.connect(scheme);
    client.sendRaw('{"key":"a","action":"orders.create","body":{"n":0}}\n{"action":"orders.create"}');
    assert.deepEqual(await client.next(({ key }) => key === "a", "the reply"), {
      key: "a",
      action: "drs.response",
      body: { subject: "orders.create", order: { n: 0 } },
    });
    assert.deepEqual(await client.next(() => true, "the other"), {
      action: "drs.response",
      body: { subject: "orders.create" },
    });
  });

  test(`C-2: commands over ${scheme} may be split anywhere, and joined`, async () => {
    await using scene = await Scene.open();
    await scene.hub.serve("echo", (value) => value);
    const client = await scene.connect(scheme);
    const all = ["a", "ü {\\", '"]'].map((body, index) =>
      JSON.stringify({ key: `${index}`, action: "echo", body }),
    );
    const bytes = Buffer.from(` \r\n${all.join("")}\t`);
    for (const byte of bytes) client.sendRaw(Buffer.of(byte));
    client.sendRaw(bytes);
    await until(() => client.heard.length === 6, "the replies");
    assert.deepEqual(
      client.heard.map(({ body }) => body),
      ["a", "ü {\\", '"]', "a", "ü {\\", '"]'],
    );
  });

  test(`C-4: what is no command over ${scheme} ends the connection, after what came before it`, async () => {
    await using scene = await Scene.open({ maxCommand: 200 });
    await scene.hub.serve("echo", (value) => value);
    const deep = `{"action":"a","body":${"[".repeat(200)}`;
    for (const wrong of [
      "[1]",
      "1",
      '{"action":5}',
      '{"action":"a",}',
      '{"key":1,"action":"a"}',
      `{"a":"${"x".repeat(300)}`,
      deep,
    ]) {
      const client = await scene.connect(scheme);
      client.sendRaw(`{"key":"k","action":"echo","body":1}${wrong}`);
      assert.equal((await client.next(({ key }) => key === "k", wrong)).body, 1);
      await client.closed();
    }
    assert.equal(scene.stats.malformed, 7);
    assert.equal(scene.hub.stats().inFlight, 0);
  });

  test(`C-23: a client over ${scheme} that leaves cancels its calls`, async () => {
    await using scene = await Scene.open();
    const aborted: string[] = [];
    await scene.hub.serve("held", (_value, { signal }) => {
      return new Promise((resolve) => {
        signal.addEventListener("abort", () => resolve(aborted.push((signal.reason as LintelError).reason)));
      });
    });
    const client = await scene.connect(scheme);
    for (const key of ["a", "b"]) client.send({ key, action: "held" });
    await until(() => scene.stats.calls === 2, "the calls");
    client.leave();
    await until(() => aborted.length === 2, "the signals");
    assert.deepEqual(aborted, ["CALLER_GONE", "CALLER_GONE"]);
    assert.equal(scene.stats.calls, 0);
  });

  test(`C-21: a call over ${scheme} ends at its deadline, its own or that of the gateway`, async () => {
    await using scene = await Scene.open({ timeout: "40ms" });
    await scene.hub.serve("held", (_value, { signal }) => once(signal, "abort"));
    const client = await scene.connect(scheme);
    for (const more of [{}, { timeout: 30 }]) {
      const { action, body } = await client.call("held", 1, more);
      assert.equal(action, "drs.exception");
      assert.equal((body as LintelError).reason, "DEADLINE");
    }
  });
}

test("C-28: a client over TCP that has ended its side gets what it has asked for", async () => {
  await using scene = await Scene.open();
  let answer: (value: string) => void = () => undefined;
  await scene.hub.serve("later", () => new Promise<string>((resolve) => (answer = resolve)));
  const { port } = new URL(scene.urlOf("tcp").replace("tcp:", "http:"));
  const socket = connect({ port: Number(port), host: "127.0.0.1", allowHalfOpen: true });
  socket.end('{"key":"1","action":"later"}');
  await until(() => scene.stats.calls === 1, "the call");
  setImmediate(() => answer("here"));
  assert.equal((await readText(socket)).trim(), '{"key":"1","action":"drs.response","body":"here"}');
});

test("C-28: a client over TCP that is gone has its calls canceled, though it looks as if it had ended its side", async () => {
  await using scene = await Scene.open();
  let reason = "";
  await scene.hub.serve("held", async (_value, { signal }) => {
    await once(signal, "abort");
    ({ reason } = signal.reason as LintelError);
  });
  const { port } = new URL(scene.urlOf("tcp").replace("tcp:", "http:"));
  const socket = connect(Number(port), "127.0.0.1");
  socket.write('{"key":"1","action":"held"}');
  await until(() => scene.stats.calls === 1, "the call");
  socket.destroy();
  await until(() => reason !== "", "the signal");
  assert.equal(reason, "CALLER_GONE");
});

test("C-1: WebSockets are at the path, with or without a query, and nowhere else", async () => {
  await using scene = await Scene.open({ path: "/a/b" }, { http: 0 });
  const [own, , onPort] = scene.hub.commandsUrls;
  assert.match(onPort!, /^ws:\/\/127\.0\.0\.1:\d+\/a\/b$/);
  for (const url of [own!, onPort!]) {
    assert.ok(url.endsWith("/a/b"));
    const socket = new WebSocket(`${url}?x=1`);
    await once(socket, "open");
    socket.close();
    const other = new WebSocket(url.replace("/a/b", "/socket"));
    const [error] = (await once(other, "error")) as [Error];
    assert.match(error.message, /Unexpected server response: (404|501)/);
  }
  await using closed = await Scene.open({ path: false }, { http: 0 });
  assert.equal(closed.hub.commandsUrls.length, 2);
});

test("C-10: bodies are payloads: text, JSON with its digits, or nothing", async () => {
  await using scene = await Scene.open();
  const seen: unknown[] = [];
  await scene.hub.serve("see", (value) => void seen.push(value));
  const client = await scene.connect();
  for (const body of ["text", "", 0, false, [1], { a: null }, null]) await client.call("see", body);
  await client.call("see");
  assert.deepEqual(seen, ["text", "", 0, false, [1], { a: null }, undefined, undefined]);
});

test("C-10, C-13: digits stay as they are on the way to another client and back", async () => {
  await using scene = await Scene.open({ serve: ["client.>"] });
  const worker = await scene.ready("tcp");
  const caller = await scene.connect();
  const body = '{"n":123456789012345678901234567890.10,"b":[1e400, -0],"n":2}';
  caller.sendRaw(`{"key":"k","action":"client.x","body":${body.replace(",", ",\n")}}`);
  const { key } = await worker.nextCommand();
  assert.ok(worker.text.includes(`"body":${body.replace(",", ", ")}`), worker.text);
  worker.sendRaw(`{"key":"${key}","action":"drs.response","body":${body}}`);
  await caller.next((said) => said.key === "k", "the reply");
  assert.ok(caller.text.includes(`"body":${body}}`), caller.text);
});

test("answers of every form have a body", async () => {
  await using scene = await Scene.open();
  const bytes = Uint8Array.of(0, 255);
  const typed = ({ headers }: Reply, type: string): void => {
    headers["content-type"] = type;
  };
  await scene.hub.serve("answer", (which, { reply }) => {
    switch (which) {
      case "text":
        return "ü";
      case "bytes":
        return bytes;
      case "null":
        return null;
      case "form":
        typed(reply, "application/x-www-form-urlencoded");
        return Buffer.from("a=1&b=x+y");
      case "xml":
        typed(reply, "application/xml");
        return Buffer.from("<a/>");
      case "latin1":
        typed(reply, "text/plain; charset=latin1");
        return Uint8Array.of(0xfc);
      case "no json":
        typed(reply, "application/json");
        return Buffer.from("{");
      default:
        return undefined;
    }
  });
  const client = await scene.connect();
  const bodies: Record<string, unknown> = {};
  for (const which of ["text", "bytes", "null", "form", "xml", "latin1", "none"])
    bodies[which] = (await client.call("answer", which)).body;
  assert.deepEqual(bodies, {
    text: "ü",
    bytes: "AP8=",
    null: undefined,
    form: { a: "1", b: "x y" },
    xml: Buffer.from("<a/>").toString("base64"),
    latin1: "ü",
    none: undefined,
  });
  const { action, body } = await client.call("answer", "no json"); // C-22
  assert.deepEqual([action, (body as LintelError).reason], ["drs.exception", "HANDLER_FAILED"]);
});

test("C-20: failures are errors or exceptions, as the table says", async () => {
  await using scene = await Scene.open();
  await scene.hub.serve("fail", (code) => {
    if (code === "crash") throw new Error("a secret");
    throw new LintelError(code as "aborted", "told", { reason: "WHY", details: { a: 1 } });
  });
  const client = await scene.connect();
  const outcomes: Record<string, string> = {};
  for (const code of [
    "invalid_argument",
    "not_found",
    "aborted",
    "permission_denied",
    "internal",
    "unavailable",
    "resource_exhausted",
  ]) {
    const { action, body } = await client.call("fail", code);
    outcomes[code] = action;
    assert.deepEqual(body, { message: "told", code, reason: "WHY", retryable: false, details: { a: 1 } });
  }
  assert.deepEqual(outcomes, {
    invalid_argument: "drs.error",
    not_found: "drs.error",
    aborted: "drs.error",
    permission_denied: "drs.error",
    internal: "drs.exception",
    unavailable: "drs.exception",
    resource_exhausted: "drs.exception",
  });
  const crash = await client.call("fail", "crash");
  assert.equal(crash.action, "drs.exception");
  assert.doesNotMatch(JSON.stringify(crash), /secret/);
  for (const action of ["nobody", "", "say *", "x".repeat(300)])
    assert.deepEqual((await client.call(action)).body, { message: `No handlers for ${action}` });
});

test("C-12: calls of one connection run at the same time", async () => {
  await using scene = await Scene.open();
  const waiting: ((value: string) => void)[] = [];
  await scene.hub.serve("two", () => new Promise((resolve) => void waiting.push(resolve)));
  const client = await scene.connect();
  const both = [client.call("two"), client.call("two")];
  await until(() => waiting.length === 2, "both");
  waiting[1]!("second");
  assert.equal((await both[1]!).body, "second");
  waiting[0]!("first");
  assert.equal((await both[0]!).body, "first");
});

test("C-24: a call that its client withdraws is canceled, and gets no reply", async () => {
  await using scene = await Scene.open();
  let isAborted = false;
  await scene.hub.serve("held", async (_value, { signal }) => {
    await once(signal, "abort");
    isAborted = true;
  });
  const client = await scene.connect();
  client.send({ key: "k", action: "held" });
  await until(() => scene.stats.calls === 1, "the call");
  assert.equal((await client.call("lintel.cancel", { key: "k" })).action, "drs.response");
  await until(() => isAborted, "the signal");
  await client.call("lintel.cancel", { key: "k" });
  assert.equal((await client.call("lintel.cancel", {})).action, "drs.error");
  assert.deepEqual(client.heard, []);
});

test("C-25: a connection has so many calls under way", async () => {
  await using scene = await Scene.open({ maxPending: 2 });
  await scene.hub.serve("held", (_value, { signal }) => once(signal, "abort"));
  const client = await scene.connect();
  for (const key of ["a", "b", "c"]) client.send({ key, action: "held" });
  const { body } = await client.next(({ key }) => key === "c", "the refusal");
  assert.equal((body as LintelError).reason, "IN_FLIGHT_FULL");
  assert.equal((body as LintelError).retryable, true);
});

test("C-22: an answer with streams is an exception", async () => {
  await using scene = await Scene.open();
  await scene.hub.serve("stream", () => new ReadableStream({ start: (controller) => controller.close() }));
  const client = await scene.connect();
  const { action, body } = await client.call("stream");
  assert.deepEqual([action, (body as LintelError).reason], ["drs.exception", "STREAMS_UNSUPPORTED"]);
});

test("a body over the limit of payloads is refused, and the connection goes on", async () => {
  await using scene = await Scene.open({}, { limits: { payload: 1_000 } });
  await scene.hub.serve("echo", (value) => value);
  const client = await scene.connect();
  const { body } = await client.call("echo", "x".repeat(1_001));
  assert.equal((body as LintelError).reason, "TOO_LARGE");
  assert.equal((await client.call("echo", "x".repeat(1_000))).action, "drs.response");
  client.sendRaw(`{"action":"echo","body":"${"x".repeat(70_000)}"}`);
  await client.closed();
  assert.equal(client.closeCode, 1009);
});

test("C-60: the counters are those of both directions", async () => {
  await using scene = await Scene.open({ serve: ["client.>"] }, { http: 0 });
  await scene.hub.serve("echo", (value) => value);
  const client = await scene.ready();
  client.answers("client.a", () => 1);
  await client.call("echo");
  await client.call("nobody");
  await scene.hub.request("client.a");
  const read = async (url: string): Promise<Record<string, unknown>> =>
    (await (await fetch(url)).json()) as Record<string, unknown>;
  const own = scene.urlOf("ws").replace("ws:", "http:").replace("/socket", "/stats");
  for (const url of [own, `${scene.hub.httpUrl}/stats`]) {
    const { hostname, connections, commands, functions } = await read(url);
    assert.equal(typeof hostname, "string");
    assert.deepEqual(connections, { inbound: 1 });
    assert.equal(functions, 0);
    const one = { errors: 0, exceptions: 0, success: 1 };
    assert.deepEqual(commands, {
      "drs.ping": one,
      echo: one,
      "*": { errors: 1, exceptions: 0, success: 0 },
      "client.a": one,
    });
  }
  assert.equal((await fetch(own, { method: "POST" })).status, 404);
  await using none = await Scene.open({ stats: false });
  const gone = none.urlOf("ws").replace("ws:", "http:").replace("/socket", "/stats");
  assert.equal((await fetch(gone)).status, 404);
});

test("C-61: a hub that drains refuses further calls, and tells connections why they end", async () => {
  await using scene = await Scene.open();
  let answer: (value: string) => void = () => undefined;
  await scene.hub.serve("held", () => new Promise<string>((resolve) => (answer = resolve)));
  const client = await scene.connect();
  const held = client.call("held");
  await until(() => scene.stats.calls === 1, "the call");
  const drained = scene.hub.drain({ graceMs: Infinity });
  const late = await client.call("held");
  assert.equal((late.body as LintelError).reason, "DRAINING");
  answer("in time");
  assert.equal((await held).body, "in time");
  await drained;
  assert.equal(await client.next(() => true, "the end"), CLOSED);
  assert.equal(client.closeCode, 1013);
  assert.match(client.closeReason, /^DRAINING: /);
});

test("what a worker of another kind answers in bytes without a type is base64", async () => {
  const { bodyOf } = await import("../../../src/gateway/commands/encode.ts");
  const of = (text: string, format: Format, head = ""): string | undefined =>
    bodyOf(Message.ofBytes(Buffer.from(text), head, format))?.text;
  assert.equal(of("hello", Format.bytes), '"aGVsbG8="');
  assert.equal(of("hello", Format.text), '"hello"');
  assert.equal(of('{"a":\n1}', Format.typed), '{"a": 1}');
  assert.equal(of("null", Format.typed), undefined);
  assert.equal(of("", Format.typed), undefined);
  assert.equal(of("", Format.text), '""');
  assert.equal(of("<a/>", Format.typed, "content-type:image/svg+xml\n"), '"PGEvPg=="');
  assert.throws(() => of("[".repeat(5_000), Format.typed), /no JSON/);
});

test("C-3: fields may be absent or null, and others are ignored", async () => {
  await using scene = await Scene.open();
  const seen: unknown[] = [];
  await scene.hub.serve("see", (value) => void seen.push(value));
  const client = await scene.connect();
  client.sendRaw('{"key":null,"action":"see","body":null,"version":null,"timeout":null,"more":{"x":[1]}}');
  assert.deepEqual(await client.next(() => true, "the reply"), { action: "drs.response" });
  client.sendRaw('{"body":0,"version":3,"timeout":5000,"action":"see","key":"","__proto__":{"action":"x"}}');
  assert.deepEqual(await client.next(() => true, "the reply"), { key: "", action: "drs.response" });
  assert.deepEqual(seen, [undefined, 0]);
  client.send({ key: "k".repeat(256), action: "see" });
  const { action, body } = await client.next(() => true, "the refusal");
  assert.deepEqual([action, (body as LintelError).code], ["drs.error", "invalid_argument"]);
  assert.equal(seen.length, 2);
});
