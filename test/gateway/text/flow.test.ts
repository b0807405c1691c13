/** T-5, T-13, T-50 to T-52: bodies of every kind, connections that do not read, hubs that end. */
import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { test } from "node:test";
import { createHub, type Hub } from "../../../src/index.ts";
import { until } from "../../house/until.ts";
import { RawText, SERVICE, frame, parse } from "./raw-text.ts";

const PIECES = [
  "\r\n",
  "\n",
  "\r",
  ".",
  "..",
  "\r\n.\r\n",
  "\n.\n",
  ".\r\n",
  "\u0000",
  "ä",
  "😀",
  "abc",
  ":",
  " ",
];

function randomBody(): string {
  return Array.from({ length: randomInt(8) }, () => PIECES[randomInt(PIECES.length)]).join("");
}

function stuffed(body: string): string {
  return body.replaceAll(/^\.|\n\./g, (dot) => `${dot}.`);
}

test("T-5: every body comes back byte for byte, by PUB and by REQ and RES, in as many frames", async (t) => {
  await using hub = await createHub({ http: false, listen: [], text: 0 });
  await using one = await RawText.open(hub.textUrl!, "key");
  one.send(frame("SUB pub"));
  one.send(frame("EREQ req"));
  await one.settled();
  one.socket.on("message", (data: Buffer) => {
    const text = data.toString();
    if (!text.startsWith("REQ ")) return;
    one.heard.splice(one.heard.indexOf(text), 1);
    const { headers, body } = parse(text);
    one.send(frame("RES req", [headers[0]!], stuffed(body)));
  });
  for (let count = 0; count < 300; count++) {
    const body = count === 0 ? "x".repeat(1_048_576) : randomBody();
    const command = count % 2 === 0 ? "PUB pub" : "REQ req";
    one.send(frame(command, [], stuffed(body)));
    const received = await one.message();
    if (received.body !== body) t.diagnostic(JSON.stringify([command, body, received]));
    assert.equal(received.body, body);
    assert.equal(received.first, command.replace("REQ", "RES"));
  }
  assert.deepEqual(one.heard, []);
});

test("a body or headers past the limits are an ERROR with the reason", async () => {
  await using hub = await createHub({
    http: false,
    listen: [],
    text: 0,
    limits: { payload: 2_000, headers: 1_000 },
  });
  await using one = await RawText.open(hub.textUrl!, "key");
  one.send(frame("SUB x"));
  one.send(frame("PUB x", [], "y".repeat(2_001)));
  assert.ok((await one.message()).headers.includes("reason:TOO_LARGE"));
  one.send(frame("PUB x", [`a:${"y".repeat(1_000)}`]));
  assert.ok((await one.message()).headers.includes("reason:HEADERS_TOO_LARGE"));
  one.send(frame("PUB x", [], "y".repeat(2_000)));
  assert.equal((await one.message()).body.length, 2_000);
  one.send("x".repeat(20_000));
  assert.equal((await one.ended()).code, 1009);
});

test("T-13: a subscriber that does not read loses publications, is told how many, and others get all", async () => {
  await using hub = await createHub({ http: false, listen: [], text: 0, limits: { sessionBuffer: 400_000 } });
  await using slow = await RawText.open(hub.textUrl!, "key");
  await using fast = await RawText.open(hub.textUrl!, "key");
  await using publisher = await RawText.open(hub.textUrl!, "key");
  for (const one of [slow, fast]) {
    one.send(frame("SUB flood"));
    await one.settled();
  }
  slow.socket.pause();
  const body = "z".repeat(100_000);
  let sent = 0;
  while (hub.stats().text!.dropped < 3) {
    publisher.send(frame("PUB flood", [], body));
    sent++;
    await until(() => fast.heard.length === sent, "the fast one");
  }
  slow.socket.resume();
  await until(() => slow.heard.at(-1)?.includes("lost of PUB flood") === true, "what was lost");
  const { body: told } = parse(slow.heard.pop()!);
  assert.equal(slow.heard.length + Number.parseInt(told, 10), sent);
  publisher.send(frame("PUB flood", [], "again"));
  await until(() => slow.heard.at(-1)?.includes("again") === true, "the next one");
});

test("T-13: one that reads nothing for the stall timeout is disconnected", async () => {
  const errors: unknown[] = [];
  await using hub = await createHub({
    http: false,
    listen: [],
    text: 0,
    limits: { stallTimeout: 100 },
    onError: (error) => void errors.push(error),
  });
  await using slow = await RawText.open(hub.textUrl!, "key");
  await using publisher = await RawText.open(hub.textUrl!, "key");
  slow.send(frame("SUB flood"));
  await slow.settled();
  slow.socket.pause();
  const body = "z".repeat(100_000);
  while (hub.stats().text!.slowDisconnects === 0) {
    publisher.send(frame("PUB flood", [], body));
    await publisher.settled();
  }
  await until(() => hub.stats().text!.connections === 1);
  assert.match(String(errors[0]), /does not read/);
});

test("a requester that leaves takes its requests with it", async () => {
  await using hub = await createHub({ http: false, listen: [], text: 0 });
  const canceled = new Promise<unknown>((resolve) => {
    void hub.serve(
      "Held",
      (_value, { signal }) => new Promise(() => signal.addEventListener("abort", resolve)),
    );
  });
  const asking = await RawText.open(hub.textUrl!, "key");
  asking.send(frame("REQ Held"));
  await until(() => hub.stats().inFlight === 1);
  await asking.close();
  await canceled;
});

test("a hub that drains lets requests end, refuses new ones, and closes connections with 1001", async () => {
  const hub = await createHub({ http: false, listen: [], text: 0 });
  await using responder = await RawText.open(hub.textUrl!, "key");
  await using asking = await RawText.open(hub.textUrl!, "key");
  responder.send(frame("EREQ Slow"));
  await responder.settled();
  asking.send(frame("REQ Slow", ["ReqID:1"]));
  const rid = /rid:\d+/.exec(await responder.next())![0];
  const drained = hub.drain();
  asking.send(frame("REQ Slow", ["ReqID:2"]));
  assert.ok((await asking.message()).headers.includes("reason:DRAINING"));
  responder.send(frame("RES Slow", [rid], "done"));
  assert.equal((await asking.message()).body, "done");
  await drained;
  assert.equal((await asking.ended()).code, 1001);
});

test("after a restart clients begin anew, and answers to requests of before are refused", async () => {
  const first = await createHub({ http: false, listen: [], text: 0 });
  const url = first.textUrl!;
  await using old = await RawText.open(url, "key");
  old.send(frame("EREQ Work"));
  await old.settled();
  void first.request("Work").catch(() => undefined);
  const rid = /rid:\d+/.exec(await old.next())![0];
  await first.close();
  assert.equal((await old.ended()).code, 1001);
  await using second = await createHub({ http: false, listen: [], text: new URL(url).host });
  await using again = await RawText.open(second.textUrl!, "key");
  again.send(frame("RES Work", [rid], "late"));
  assert.equal((await again.message()).body, "No client for request ID RES Work");
});

test("T-52: two text gateways in front of one hub keep spelling, order and stamps", async () => {
  await using back = await createHub({ http: false, listen: ["tcp://127.0.0.1:0"] });
  const front = (): Promise<Hub> => createHub({ http: false, listen: [], text: 0, engine: back.urls[0]! });
  await using left = await front();
  await using right = await front();
  await using one = await RawText.open(left.textUrl!, "key");
  await using two = await RawText.open(right.textUrl!, "key");
  two.send(frame("SUB a room"));
  two.send(frame("EREQ Chat"));
  const ready = (): Promise<boolean> =>
    back.request("Chat", "", { timeoutMs: 1 }).then(
      () => true,
      (error: { reason: string }) => error.reason !== "NO_RESPONDERS",
    );
  await until(ready, "the responder");
  await until(() => two.heard.splice(0).length > 0);
  const headers = ["X-Foo: bar", "Cmd:Say", "x-foo:baz"];
  one.send(frame("PUB a room", headers, "hi"));
  const stamps = [`cid:${one.guid}`, "uid:"];
  await until(() => two.heard.length > 0);
  assert.deepEqual(await two.message(), {
    first: "PUB a room",
    headers: [...headers, ...stamps],
    body: "hi",
  });
  one.send(frame("REQ Chat", ["ReqID: 1", ...headers], "q"));
  const request = await two.message();
  assert.deepEqual(request.headers.slice(1), ["ReqID: 1", ...headers, ...stamps]);
  two.send(frame("RES Chat", [request.headers[0]!, "Via: here"], "a"));
  assert.deepEqual(await one.message(), {
    first: "RES Chat",
    headers: ["ReqID: 1", "Via: here", `cid:${two.guid}`, "uid:"],
    body: "a",
  });
});

test("T-50: JSON and bytes of other programs arrive with their type, and what is no text is an ERROR", async () => {
  await using hub = await createHub({ http: false, listen: [], text: 0 });
  await using one = await RawText.open(hub.textUrl!, SERVICE);
  one.send(frame("SUB typed"));
  await one.settled();
  await hub.publish("typed", { a: 1 });
  assert.deepEqual(await one.message(), {
    first: "PUB typed",
    headers: ["content-type:application/json", "cid:", "uid:"],
    body: '{"a":1}',
  });
  await hub.publish("typed", Buffer.from("plain"));
  assert.equal((await one.message()).headers[0], "content-type:application/octet-stream");
  await hub.publish("typed", "text");
  assert.deepEqual((await one.message()).headers, ["cid:", "uid:"]);
  await hub.publish("typed", Buffer.from([0xff]));
  assert.ok((await one.message()).headers.includes("reason:BAD_PAYLOAD"));
  await hub.serve("binary", () => Buffer.from([0xff]));
  one.send(frame("REQ binary"));
  assert.ok((await one.message()).headers.includes("reason:BAD_ANSWER"));
  await hub.serve("typed.json", (value) => value);
  one.send(frame("REQ typed.json", ["Content-Type: application/json"], '{"b":[1,2]}'));
  assert.deepEqual((await one.message()).body, '{"b":[1,2]}');
  one.send(frame("EREQ text.only"));
  await one.settled();
  await assert.rejects(hub.request("text.only", Buffer.from([0xff])), { reason: "BAD_PAYLOAD" });
});
