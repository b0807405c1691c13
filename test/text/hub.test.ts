/** The client of the text protocol in Node, and a hub. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { createHub, type Hub } from "../../src/index.ts";
import { LintelError } from "../../src/message/failure.ts";
import type { ConnectTextInNodeOptions, TextPeer } from "../../src/text/node.ts";
import { connectText } from "../../src/text/node.ts";
import { KEYS, OBSERVER, CLIENT, SERVICE, keyOf, textHub } from "../gateway/text/raw-text.ts";
import { refusalOf } from "../house/refusal.ts";
import { until } from "../house/until.ts";
import { TRUSTING, pair } from "../transport/certificates.ts";

describe("the text client and a hub", () => {
  let hub: Hub;
  const peers: TextPeer[] = [];

  before(async () => {
    hub = await textHub();
  });
  after(async () => {
    for (const peer of peers) peer.close();
    await hub.close();
  });

  async function join(key: string, options: ConnectTextInNodeOptions = {}): Promise<TextPeer> {
    const peer = await connectText(hub.textUrl!, { key, ...options });
    peers.push(peer);
    return peer;
  }

  /** Everything that this peer has sent before has been executed. */
  const settled = (peer: TextPeer): Promise<unknown> => peer.request("nobody is here").catch(() => undefined);

  test("a bad key is refused, with the reason of the hub", async () => {
    await assert.rejects(connectText(hub.textUrl!, { key: "wrong" }), { reason: "UNAUTHENTICATED" });
  });

  test("where nothing listens it says why, when its time is up", async () => {
    const error = await refusalOf((connectTimeout) => connectText("ws://127.0.0.1:1", { connectTimeout }));
    assert.equal(error.reason, "NOT_CONNECTED");
    assert.match(error.message, /ECONNREFUSED/);
  });

  test("a hub with the short greeting gives it a GUID all the same", async () => {
    await using short = await textHub({ text: { listen: 0, greeting: "short" } });
    const peer = await connectText(short.textUrl!, { key: SERVICE });
    assert.match(peer.guid, /^[0-9a-v]{20}$/);
    peer.close();
  });

  test("requests and answers carry every body and all headers, also between workers of other kinds", async () => {
    const service = await join(SERVICE);
    service.serve("Echo", ({ body, headers, cid }) => ({
      body,
      headers: [
        ["X-Seen", [...headers].map(([name]) => name).join()],
        ["X-From", cid],
      ],
    }));
    await hub.serve<string>("two--20words", (text) => `native ${text}`);
    await settled(service);
    const client = await join(CLIENT);
    for (const body of ["", ".", "a\nb\r\nc\r", "\r\n.\r\n", "..\n.", "é👋\0", "x".repeat(900_000)])
      assert.equal((await client.request("Echo", body)).body, body);
    const { headers } = await client.request("Echo", "", {
      headers: [
        ["X-a", "1"],
        ["x-A", "2"],
      ],
    });
    assert.match(headers.get("x-seen")!, /X-a,x-A/);
    assert.equal(headers.get("x-from"), client.guid);
    assert.equal(await hub.request("Echo", "hello"), "hello");
    assert.equal((await service.request("two words", "too")).body, "native too");
  });

  test("failures keep code, reason and text; others say what is wrong", async () => {
    const service = await join(SERVICE, { onError: () => undefined });
    service.serve("Shop", ({ body }) => {
      if (body === "crash") throw new Error("a secret");
      throw new LintelError("failed_precondition", "no REQ for milk", { reason: "SOLD_OUT" });
    });
    await settled(service);
    const client = await join(CLIENT);
    await assert.rejects(client.request("Shop"), {
      code: "failed_precondition",
      reason: "SOLD_OUT",
      message: "no REQ for milk",
    });
    await assert.rejects(client.request("Shop", "crash"), { code: "internal", reason: "HANDLER_FAILED" });
    await assert.rejects(service.request("nobody is here"), {
      reason: "NO_RESPONDERS",
      message: "No responder for REQ nobody is here",
    });
    await assert.rejects(client.request("not enabled"), { reason: "PERMISSION_DENIED" });
    await assert.rejects(service.request("x".repeat(300)), { reason: "BAD_SUBJECT" });
  });

  test("the handler's signal fires at the deadline of its caller, and when its caller leaves", async () => {
    const service = await join(SERVICE);
    const reasons: string[] = [];
    service.serve("Slow", (_, { signal }) => {
      signal.addEventListener("abort", () => reasons.push((signal.reason as LintelError).reason));
      return new Promise(() => undefined);
    });
    await settled(service);
    const client = await join(CLIENT);
    await assert.rejects(client.request("Slow", "", { timeout: 40 }), { reason: "DEADLINE" });
    await until(() => reasons.length === 1);
    const left = client.request("Slow");
    await settled(client);
    client.close();
    await assert.rejects(left, { reason: "CLOSED" });
    await until(() => reasons.length === 2);
    assert.deepEqual(reasons, ["DEADLINE", "CALLER_GONE"]);
  });

  test("publications, private channels, users, enablements and refusals", async () => {
    const service = await join(SERVICE);
    const errors: string[] = [];
    const client = await join(CLIENT, { onError: (error) => errors.push((error as Error).message) });
    const heard: string[] = [];
    const listening = service.subscribe("room 1", ({ body, cid, uid }) => {
      heard.push(`${body} ${uid} ${cid === client.guid}`);
    });
    client.publish("room 1", "too early");
    await settled(client);
    assert.deepEqual(errors, ["Not trusted PUB room 1"]);
    service.enablePublish("room 1");
    service.enableSubscribe("room 1");
    service.setUid(client.guid, "ada");
    await settled(service);
    client.subscribe("room 1", ({ body }) => heard.push(`client ${body}`));
    client.onPrivate(({ body }) => heard.push(`private ${body}`));
    for (let count = 0; count < 3; count++) client.publish("room 1", String(count));
    await settled(client);
    service.publish(`MSG:${client.guid}`, "psst");
    await until(() => heard.length === 7);
    assert.deepEqual(
      heard.filter((line) => line.startsWith("client")),
      ["client 0", "client 1", "client 2"],
    );
    assert.deepEqual(
      heard.filter((line) => line.includes("ada")),
      ["0 ada true", "1 ada true", "2 ada true"],
    );
    assert.equal(heard.at(-1), "private psst");
    listening.close();
    client.publish("room 1", "3");
    await until(() => heard.includes("client 3"));
    await settled(service);
    assert.equal(heard.includes("3 ada true"), false);
  });

  test("an observer sees every message, and may send none", async () => {
    const seen: string[] = [];
    const errors: string[] = [];
    const observer = await join(OBSERVER, {
      onMessage: ({ command, target, body }) => void seen.push(`${command} ${target} ${body}`),
      onError: (error) => errors.push((error as LintelError).reason),
    });
    const service = await join(SERVICE);
    service.serve("Seen", () => "yes");
    await settled(service);
    service.publish("seen", "hello");
    await service.request("Seen", "really?");
    await until(() => seen.includes("RES Seen yes"));
    assert.deepEqual(
      seen.filter((line) => /seen/i.test(line)),
      ["PUB seen hello", "REQ Seen really?", "RES Seen yes"],
    );
    observer.subscribe("seen", () => undefined);
    await until(() => errors.length > 0);
    assert.deepEqual(errors, ["PERMISSION_DENIED"]);
  });
});

test("over TLS, with the certificates that it is given; without them it says why not", async () => {
  await using hub = await textHub({ text: { listen: 0, tls: pair("server") } });
  assert.match(hub.textUrl!, /^wss:/);
  const peer = await connectText(hub.textUrl!, { key: SERVICE, tls: TRUSTING });
  assert.match(peer.guid, /^[0-9a-v]{20}$/);
  peer.close();
  const error = await refusalOf((connectTimeout) =>
    connectText(hub.textUrl!, { key: SERVICE, connectTimeout }),
  );
  assert.equal(error.reason, "NOT_CONNECTED");
  assert.match(error.message, /certificate/);
});

test("a hub that is gone and back: requests end, services and subscriptions return", async () => {
  let hub = await textHub();
  const url = hub.textUrl!;
  const states: string[] = [];
  const peer = await connectText(url, {
    key: SERVICE,
    onState: (state) => void states.push(state),
    onError: () => undefined,
  });
  const heard: string[] = [];
  peer.serve("Echo", ({ body }) => body);
  peer.serve("Stuck", () => new Promise(() => undefined));
  peer.subscribe("news", ({ body }) => heard.push(body));
  const { guid } = peer;
  const stuck = peer.request("Stuck");
  const outcome = assert.rejects(stuck, { reason: "CLOSED" }); // the hub's word, before it is gone
  await peer.request("Echo");
  await hub.close();
  await outcome;
  await assert.rejects(peer.request("Echo"), { reason: "NOT_CONNECTED" });
  hub = await textHub({ text: { listen: Number(new URL(url).port) } });
  await until(() => peer.state === "connected");
  assert.notEqual(peer.guid, guid);
  assert.equal((await peer.request("Echo", "again")).body, "again");
  peer.publish("news", "back");
  await until(() => heard.length > 0);
  assert.deepEqual([heard, states], [["back"], ["connected", "connecting", "connected"]]);
  peer.close();
  await hub.close();
});

test("a key that is revoked ends the connection, and another one makes the next", async () => {
  const keys = ["old", "new"];
  await using hub = await createHub({
    http: false,
    listen: [],
    text: 0,
    access: {
      keys: [
        ...KEYS,
        keyOf("new", "service"),
        keyOf("old", "service", { expires: new Date(Date.now() + 300).toISOString() }),
      ],
    },
  });
  const peer = await connectText(hub.textUrl!, { key: () => keys.shift()! });
  const { guid } = peer;
  await until(() => peer.guid !== guid && peer.state === "connected");
  assert.deepEqual(keys, []);
  peer.close();
});
