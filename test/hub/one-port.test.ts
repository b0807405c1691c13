/** Native sessions on the port of the HTTP gateway. */
import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import type { HttpOptions } from "../../src/gateway/http/options.ts";
import { connect, createHub, type Hub, type Peer } from "../../src/index.ts";
import { RawCaller, reasonOf } from "../gateway/http/harness.ts";
import { RawWebSocket } from "../transport/raw-websocket.ts";

const SCHEMES = ["ws", "http1"] as const;

async function start(context: TestContext, http: HttpOptions = {}): Promise<Hub> {
  const hub = await createHub({ listen: [], http: { port: 0, ...http } });
  context.after(() => hub.close());
  return hub;
}

/** The port alone, under another scheme. */
const at = ({ httpUrl }: Hub, scheme: string): string => httpUrl!.replace(/^http/, scheme);

const portOf = ({ httpUrl }: Hub): number => Number(new URL(httpUrl!).port);

async function join(context: TestContext, url: string): Promise<Peer> {
  const peer = await connect(url);
  context.after(() => peer.close());
  return peer;
}

/** A service that answers when it is told to. */
async function serveSlowly(peer: Peer, subject: string): Promise<{ entered: Promise<void>; answer(): void }> {
  let answer = (): void => undefined;
  const answered = new Promise<string>((resolve) => {
    answer = () => resolve("at last");
  });
  let enter = (): void => undefined;
  const entered = new Promise<void>((resolve) => {
    enter = resolve;
  });
  await peer.serve(subject, () => {
    enter();
    return answered;
  });
  return { entered, answer: () => answer() };
}

for (const scheme of SCHEMES) {
  describe(`sessions over ${scheme} on the port of HTTP`, () => {
    test("a worker that dials the port alone serves requests that come to it", async (context) => {
      const hub = await start(context);
      const worker = await join(context, at(hub, scheme));
      await worker.serve("shop.order", (order) => ({ order }));
      const body = new URLSearchParams({ item: "tea" });
      const response = await fetch(`${hub.httpUrl}/shop/order`, { method: "POST", body });
      assert.deepEqual([response.status, await response.json()], [200, { order: { item: "tea" } }]);
      const large = "x".repeat(1_000_000);
      assert.deepEqual(await worker.request("shop.order", large), { order: large });
      const caller = await join(context, `${at(hub, scheme)}/.lintel/session`);
      assert.deepEqual(await caller.request("shop.order", 1), { order: 1 });
      assert.equal(hub.stats().sessions, 2);
    });

    test("a caller that leaves is noticed in the worker", async (context) => {
      const hub = await start(context);
      const worker = await join(context, at(hub, scheme));
      let heard: (reason: unknown) => void = () => undefined;
      const aborted = new Promise<unknown>((resolve) => {
        heard = resolve;
      });
      const caller = new RawCaller(portOf(hub));
      await worker.serve("slow", (_value, { signal }) => {
        signal.addEventListener("abort", () => heard(signal.reason));
        caller.close();
        return new Promise(() => undefined);
      });
      caller.send("GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n");
      assert.equal(((await aborted) as { reason: unknown }).reason, "CALLER_GONE");
    });

    test("drain waits for what a worker on the same port holds, and takes nothing new", async (context) => {
      const hub = await start(context);
      const worker = await join(context, at(hub, scheme));
      const slow = await serveSlowly(worker, "slow");
      const under = fetch(`${hub.httpUrl}/slow`);
      await slow.entered;
      const drained = hub.drain();
      const late = await fetch(`${hub.httpUrl}/slow`).catch(() => undefined);
      if (late !== undefined) assert.equal(reasonOf(await late.text()), "DRAINING");
      slow.answer();
      assert.equal(await (await under).text(), "at last");
      await drained;
      await assert.rejects(fetch(`${hub.httpUrl}/slow`));
    });

    test("close tells the sessions why", async (context) => {
      const hub = await start(context);
      let closed: (reason: unknown) => void = () => undefined;
      const why = new Promise<unknown>((resolve) => {
        closed = resolve;
      });
      const peer = await connect(at(hub, scheme), {
        onState: (state, failure) => {
          if (state === "connecting" && failure !== undefined) closed(failure.reason);
        },
      });
      await hub.close();
      assert.equal(await why, "DRAINING");
      await peer.close();
    });
  });
}

describe("WebSocket handshakes on the port of HTTP", () => {
  const ask = async (
    url: string,
    headers: Readonly<Record<string, string | undefined>> = {},
  ): Promise<[status: number, reason: unknown]> => {
    const raw = await RawWebSocket.request(url, headers);
    const status = Number((await raw.head()).split(" ")[1]);
    const reason = status === 101 ? "" : reasonOf((await raw.rest()).toString());
    raw.socket.destroy();
    return [status, reason];
  };

  test("are taken at the path of sessions and at the root, and nowhere else", async (context) => {
    const hub = await start(context);
    assert.equal(hub.sessionUrl, `${at(hub, "ws")}/.lintel/session`);
    assert.deepEqual(await ask(hub.sessionUrl), [101, ""]);
    assert.deepEqual(await ask(`${hub.sessionUrl}?x`), [101, ""]);
    assert.deepEqual(await ask(at(hub, "ws")), [101, ""]);
    for (const path of ["/x", "/.lintel/answers/x", "/.lintel/session/x", "/lintel/session"]) {
      assert.deepEqual(await ask(at(hub, "ws") + path), [501, "UNIMPLEMENTED"], path);
    }
    assert.deepEqual(await ask(hub.sessionUrl, { "Sec-WebSocket-Protocol": "chat" }), [400, "BAD_REQUEST"]);
    assert.deepEqual(await ask(hub.sessionUrl, { Host: "a/b" }), [400, "BAD_REQUEST"]);
    assert.deepEqual(await ask(hub.sessionUrl, { "Content-Length": "1" }), [400, "BAD_REQUEST"]);
  });

  test("are refused to pages of another origin, and those that are listed are let in", async (context) => {
    const plain = await start(context);
    const [host] = at(plain, "ws").split("//").slice(1);
    assert.deepEqual(await ask(plain.sessionUrl!, { Origin: `http://${host}` }), [101, ""]);
    for (const origin of ["http://evil.example", "null", `http://${host}.evil.example`]) {
      assert.equal((await ask(plain.sessionUrl!, { Origin: origin }))[0], 403, origin);
      const { status } = await openFallback(plain, { origin });
      assert.equal(status, 403, origin);
    }
    const listed = await start(context, { origins: ["https://app.example"] });
    assert.deepEqual(await ask(listed.sessionUrl!, { Origin: "https://app.example" }), [101, ""]);
    assert.equal((await ask(listed.sessionUrl!, { Origin: "https://other.example" }))[0], 403);
    await assert.rejects(start(context, { origins: ["app.example"] }), TypeError);
  });

  test("are refused where sessions are turned off", async (context) => {
    const hub = await start(context, { sessions: false });
    assert.equal(hub.sessionUrl, undefined);
    assert.deepEqual(await ask(`${at(hub, "ws")}/.lintel/session`), [501, "UNIMPLEMENTED"]);
    assert.equal((await openFallback(hub)).status, 404);
  });

  test("wait for no answer before them: pipelined, they are refused after it", async (context) => {
    const hub = await start(context);
    const slow = await serveSlowly(hub, "slow");
    const caller = new RawCaller(portOf(hub)).send(
      "GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n" +
        "GET /.lintel/session HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    );
    await slow.entered;
    slow.answer();
    assert.equal((await caller.response())?.body, "at last");
    assert.equal((await caller.response())?.status, 400);
    assert.equal(await caller.end(), "");
    caller.close();
  });
});

async function openFallback(hub: Hub, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
  const response = await fetch(`${hub.httpUrl}/.lintel/session`, {
    method: "POST",
    headers: { "content-type": "application/lintel.v1+http1", ...headers },
  });
  if (response.status !== 200) await response.text();
  return response;
}

test("an offer of another protocol than WebSocket is passed over, body and all", async (context) => {
  const hub = await start(context);
  await hub.serve("echo", (value, { headers }) => ({ value, upgrade: headers.get("upgrade") ?? null }));
  const slow = await serveSlowly(hub, "slow");
  const offer =
    "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n";
  const post = `POST /echo HTTP/1.1\r\nHost: localhost\r\n${offer}Content-Length: 7\r\n\r\n{"a":1}`;
  const caller = new RawCaller(portOf(hub)).send(post);
  const echo = { value: { a: 1 }, upgrade: null };
  assert.deepEqual(JSON.parse((await caller.response())!.body), echo);
  caller.send(`GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n${post}${post}`);
  await slow.entered;
  slow.answer();
  assert.equal((await caller.response())?.body, "at last");
  for (let index = 0; index < 2; index++)
    assert.deepEqual(JSON.parse((await caller.response())!.body), echo, `of ${index}`);
  caller.close();
});

test("nothing may follow the request that opens a download, and uploads are bounded by themselves", async (context) => {
  const hub = await start(context, { bodyLimit: 10, stallMs: 400 });
  const open =
    "POST /.lintel/session HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/lintel.v1+http1\r\n" +
    "Content-Length: 0\r\n\r\n";
  const hasty = new RawCaller(portOf(hub)).send(`${open}GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  await hasty.end();
  hasty.close();
  const worker = await join(context, at(hub, "http1"));
  await worker.serve("echo", (value) => value);
  assert.equal(await worker.request("echo", "x".repeat(100_000)), "x".repeat(100_000));
  await worker.serve("slow", (value) => new Promise((resolve) => setTimeout(() => resolve(value), 800)));
  assert.equal(
    await worker.request("slow", 1),
    1,
    "a session may be silent for longer than callers may stall",
  );
});
