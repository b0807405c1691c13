/** What callers over their quota, and callers that guess, get at each gateway of a hub. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, test } from "node:test";
import type { AccessOptions, KeyOptions } from "../../../src/access/access-options.ts";
import type { PrincipalLimits } from "../../../src/access/access.ts";
import { createHub, type Hub, type HubConfig } from "../../../src/hub/hub.ts";
import { LintelError } from "../../../src/message/failure.ts";
import { connect } from "../../../src/peer/connect.ts";
import type { Peer } from "../../../src/peer/peer.ts";
import { RawCall, said } from "../../gateway/grpc/raw-call.ts";
import { until } from "../../house/until.ts";

/** So slow that no token comes back during a test. */
const SLOW = 0.001;

const tokenOf = (name: string): string => `key_of_${name}`;

function keys(of: Record<string, PrincipalLimits | undefined>): KeyOptions[] {
  return Object.entries(of).map(([name, limits]) => {
    const sha256 = createHash("sha256").update(tokenOf(name)).digest("hex");
    return { name, role: "service", sha256, ...(limits === undefined ? {} : { limits }) };
  });
}

class Scene implements AsyncDisposable {
  readonly hub: Hub;
  /** Requests that a worker got. */
  readonly seen: unknown[] = [];
  readonly #peers: Peer[] = [];

  private constructor(hub: Hub) {
    this.hub = hub;
  }

  static async open(access: AccessOptions, config: HubConfig = {}): Promise<Scene> {
    const hub = await createHub({
      http: { port: 0, routes: [{ method: "POST", path: "/events", subject: "events", mode: "publish" }] },
      listen: ["tcp://127.0.0.1:0"],
      access,
      onError: () => undefined,
      ...config,
    });
    const scene = new Scene(hub);
    await hub.serve("echo", (value) => {
      scene.seen.push(value);
      return value;
    });
    return scene;
  }

  get url(): string {
    return this.hub.urls[0]!;
  }

  async connect(name: string, url = this.url): Promise<Peer> {
    const peer = await connect(url, { token: tokenOf(name), onError: () => undefined });
    this.#peers.push(peer);
    return peer;
  }

  post(name: string | undefined, path = "/echo", body = "1"): Promise<Response> {
    const authorization = name === undefined ? {} : { authorization: `Bearer ${tokenOf(name)}` };
    const headers = { "content-type": "application/json", ...authorization };
    return fetch(this.hub.httpUrl! + path, { method: "POST", headers, body });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#peers.map((peer) => peer.close()));
    await this.hub.close();
  }
}

const isReason =
  (reason: string) =>
  (error: unknown): boolean =>
    error instanceof LintelError && error.reason === reason && error.code === "resource_exhausted";

describe("over HTTP", () => {
  test("every response says what is left, and 429 when to come again; nothing is executed then", async () => {
    const limits = { requestsPerSecond: 0.1, burst: 2 };
    await using scene = await Scene.open({ keys: keys({ shop: limits, free: undefined }) });
    const first = await scene.post("shop");
    assert.equal(first.status, 200);
    assert.equal(first.headers.get("ratelimit-policy"), '"requests";q=2;w=20');
    assert.equal(first.headers.get("ratelimit"), '"requests";r=1;t=10');
    assert.equal((await scene.post("shop", "/nobody")).headers.get("ratelimit"), '"requests";r=0;t=20');
    const refused = await scene.post("shop");
    assert.equal(refused.status, 429);
    assert.equal(refused.headers.get("retry-after"), "10");
    assert.equal(refused.headers.get("ratelimit"), '"requests";r=0;t=20');
    assert.equal(refused.headers.get("content-type"), "application/problem+json");
    const problem = (await refused.json()) as {
      code: string;
      reason: string;
      retryable: boolean;
      details: object;
    };
    assert.deepEqual(
      [problem.code, problem.reason, problem.retryable, Object.keys(problem.details)],
      ["resource_exhausted", "RATE_LIMITED", true, ["retryAfterMs"]],
    );
    assert.equal((await scene.post("shop", "/events")).status, 429);
    const free = await scene.post("free");
    assert.deepEqual([free.status, free.headers.has("ratelimit")], [200, false]);
    assert.equal(scene.seen.length, 2);
    assert.equal(scene.hub.stats().access.overLimit, 2);
  });

  test("bytes are a second item, and a body that is too much for now is not read", async () => {
    const limits = { requestsPerSecond: 1, burst: 10, bytesPerSecond: 1 };
    await using scene = await Scene.open({ keys: keys({ shop: limits }) });
    const first = await scene.post("shop", "/echo", JSON.stringify("x".repeat(10_000)));
    assert.equal(first.status, 200);
    assert.equal(
      first.headers.get("ratelimit-policy"),
      '"requests";q=10;w=10, "bytes";q=2;qu="content-bytes";w=2',
    );
    assert.match(first.headers.get("ratelimit")!, /^"requests";r=9;t=1, "bytes";r=0;t=1\d{4}$/);
    const next = await scene.post("shop");
    assert.equal(next.status, 429);
    assert.equal(Number(next.headers.get("retry-after")) > 9_000 - 5_401, true);
    assert.equal(scene.seen.length, 1);
  });

  test("guesses get 429 and Retry-After, callers that are known do not, nor those without credentials", async () => {
    await using scene = await Scene.open({ anonymous: "service", keys: keys({ shop: undefined }) });
    assert.equal((await scene.post("shop")).status, 200);
    const statuses: number[] = [];
    for (let index = 0; index < 14; index++) {
      const answer = await scene.post(`guess_${index}`);
      statuses.push(answer.status);
      if (answer.status === 429) assert.equal(answer.headers.get("retry-after"), "1");
      await answer.body?.cancel();
    }
    assert.deepEqual(new Set(statuses), new Set([401, 429]));
    assert.ok(statuses.filter((status) => status === 401).length >= 10);
    assert.equal((await scene.post("shop")).status, 200);
    assert.equal((await scene.post(undefined)).status, 200);
    const { failedAttempts, slowedAttempts } = scene.hub.stats().access;
    assert.equal(failedAttempts + slowedAttempts, 14);
    assert.ok(slowedAttempts > 0);
  });
});

describe("over sessions", () => {
  test("P-156, P-157, P-158: a request fails with the delay, and a publication is dropped and counted", async () => {
    await using scene = await Scene.open({ keys: keys({ shop: { requestsPerSecond: SLOW, burst: 1 } }) });
    const published: unknown[] = [];
    await scene.hub.subscribe("events", (value) => void published.push(value));
    const peer = await scene.connect("shop");
    assert.equal(await peer.request("echo", 1), 1);
    await assert.rejects(
      peer.request("echo", 2),
      (error) => isReason("RATE_LIMITED")(error) && (error as LintelError).retryAfterMs! > 900_000,
    );
    await peer.publish("events", 3);
    await until(() => scene.hub.stats().droppedPublications > 0, "the dropped publication");
    assert.deepEqual([scene.seen, published], [[1], []]);
  });

  test("one bucket for HTTP, a TCP session and a WebSocket, and a new session does not fill it", async () => {
    await using scene = await Scene.open({ keys: keys({ shop: { requestsPerSecond: SLOW, burst: 3 } }) });
    assert.equal((await scene.post("shop")).status, 200);
    assert.equal(await (await scene.connect("shop")).request("echo", 1), 1);
    const websocket = await scene.connect("shop", scene.hub.httpUrl!.replace("http:", "ws:"));
    assert.equal(await websocket.request("echo", 2), 2);
    assert.equal((await scene.post("shop")).status, 429);
    await websocket.close();
    for (let index = 0; index < 3; index++) {
      const peer = await scene.connect("shop");
      await assert.rejects(peer.request("echo"), isReason("RATE_LIMITED"));
      await peer.close();
    }
    assert.equal(scene.seen.length, 3);
  });

  test("P-156: connections and subscriptions are counted, and come back when they end", async () => {
    await using scene = await Scene.open({ keys: keys({ shop: { connections: 1, subscriptions: 2 } }) });
    const peer = await scene.connect("shop");
    const another = connect(scene.url, { token: tokenOf("shop"), timeoutMs: 100, onError: () => undefined });
    await assert.rejects(another, isReason("QUOTA_EXCEEDED"));
    const subscriptions = [
      await peer.subscribe("a", () => undefined),
      await peer.subscribe("b.*", () => undefined),
    ];
    await assert.rejects(
      peer.subscribe("c", () => undefined),
      isReason("QUOTA_EXCEEDED"),
    );
    await subscriptions[0]!.close();
    await peer.subscribe("c", () => undefined);
    await assert.rejects(
      peer.subscribe("d", () => undefined),
      isReason("QUOTA_EXCEEDED"),
    );
    await peer.close();
    await until(() => scene.hub.stats().sessions === 0, "the end of the session");
    const next = await scene.connect("shop");
    await next.subscribe("a", () => undefined);
    await next.subscribe("b", () => undefined);
  });

  test("P-159: a session that guesses is refused, and tries again later", async () => {
    await using scene = await Scene.open({ keys: keys({ shop: undefined }) });
    await scene.connect("shop");
    const guesses = Array.from({ length: 20 }, (_none, index) =>
      connect(scene.url, { token: `guess_${index}`, timeoutMs: 300, onError: () => undefined }),
    );
    const ends = await Promise.allSettled(guesses);
    const reasons = ends.map((end) =>
      end.status === "rejected" ? (end.reason as LintelError).reason : "in",
    );
    assert.deepEqual(new Set(reasons), new Set(["UNAUTHENTICATED", "TOO_MANY_ATTEMPTS"]));
    await scene.connect("shop");
  });

  test("requests in flight come back when a session is lost", async () => {
    await using scene = await Scene.open({ keys: keys({ shop: { inFlight: 2 } }) });
    let running = 0;
    await scene.hub.serve("slow", (_value, { signal }) => {
      running++;
      return new Promise((resolve) => signal.addEventListener("abort", () => resolve(--running)));
    });
    const peer = await scene.connect("shop");
    const waiting = [peer.request("slow"), peer.request("slow")].map((one) => one.catch(() => "ended"));
    await until(() => running === 2, "two requests");
    await assert.rejects(peer.request("slow"), isReason("QUOTA_EXCEEDED"));
    const refused = await scene.post("shop", "/slow");
    assert.deepEqual([refused.status, refused.headers.get("retry-after")], [429, "1"]);
    await peer.close();
    await Promise.all(waiting);
    await until(() => running === 0, "the end of both");
    assert.equal((await scene.post("shop")).status, 200);
  });
});

test("limits of a role, which those of a key replace", async () => {
  const limits = { service: { requestsPerSecond: SLOW, burst: 1 } };
  const own = { requestsPerSecond: SLOW, burst: 2 };
  await using scene = await Scene.open({ keys: keys({ shop: undefined, big: own, free: {} }), limits });
  const statuses = async (name: string): Promise<number[]> => {
    const all: number[] = [];
    for (let index = 0; index < 3; index++) all.push((await scene.post(name)).status);
    return all;
  };
  assert.deepEqual(await statuses("shop"), [200, 429, 429]);
  assert.deepEqual(await statuses("big"), [200, 200, 429]);
  assert.deepEqual(await statuses("free"), [200, 200, 200]);
});

test("gRPC: a call over the connections ends with RESOURCE_EXHAUSTED, and the place comes back", async () => {
  await using scene = await Scene.open({ keys: keys({ shop: { connections: 1 } }) }, { grpc: { port: 0 } });
  const call = (): RawCall => {
    const one = new RawCall(scene.hub.grpcUrl!, { authorization: `Bearer ${tokenOf("shop")}` }).listen();
    const register = { registration: 1, subject: "work", room: { case: "concurrency", value: 1 } } as const;
    one.stream.write(said({ case: "register", value: register }));
    return one;
  };
  const first = call();
  await until(() => first.heard.length > 0, "the registration");
  const second = call();
  assert.equal(await second.ended(), "8 QUOTA_EXCEEDED");
  second.session.destroy();
  first.session.destroy();
  await until(() => scene.hub.stats().grpc?.workers === 0, "the end of the call");
  const third = call();
  await until(() => third.heard.length > 0, "the registration");
  third.session.destroy();
});
