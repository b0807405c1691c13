/** Sessions at a hub that asks for credentials. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Verb } from "../../src/access/access.ts";
import { createHub, type Hub, type HubConfig } from "../../src/hub/hub.ts";
import { LintelError } from "../../src/message/failure.ts";
import { connect, type ConnectOptions } from "../../src/peer/connect.ts";
import { EnginePeer } from "../../src/peer/engine-peer.ts";
import type { Peer } from "../../src/peer/peer.ts";
import { TestAccess } from "../../src/testing/test-access.ts";
import { TransportRegistry } from "../../src/transport/registry.ts";
import { createMemoryTransport } from "../../src/transport/memory.ts";

const URL = "memory:hub";

interface Scene {
  readonly hub: Hub;
  readonly transports: TransportRegistry;
  readonly sessions: string[];
  readonly connect: (options?: ConnectOptions) => Promise<Peer>;
}

async function withHub(
  access: TestAccess,
  run: (scene: Scene) => Promise<void>,
  config: HubConfig = {},
): Promise<void> {
  const transports = new TransportRegistry();
  transports.add(createMemoryTransport());
  const sessions: string[] = [];
  const hub = await createHub({
    http: false,
    listen: [URL],
    transports,
    access,
    onSession: (event) => sessions.push(event),
    ...config,
  });
  const peers: Peer[] = [];
  try {
    await run({
      hub,
      transports,
      sessions,
      connect: async (options) => {
        const peer = await connect(URL, { transports, onError: () => undefined, ...options });
        peers.push(peer);
        return peer;
      },
    });
  } finally {
    await Promise.all(peers.map((peer) => peer.close()));
    await hub.close();
  }
}

const isReason =
  (reason: string) =>
  (error: unknown): boolean =>
    error instanceof LintelError && error.reason === reason;

const DENIED = isReason("PERMISSION_DENIED");

describe("a session at a hub that asks for credentials", () => {
  test("is let in by its token, or by a function that is asked for one each time", async () => {
    await withHub(new TestAccess({ tokens: ["good"], allows: () => true }), async ({ connect: dial }) => {
      let asked = 0;
      const renewed = (): Promise<string> => Promise.resolve(++asked === 1 ? "good" : "old");
      for (const token of ["good", renewed]) {
        const peer = await dial({ token });
        await assert.rejects(peer.request("a"), isReason("NO_RESPONDERS"));
      }
      assert.equal(asked, 1);
    });
  });

  test("is told that it is not let in, and does not dial again", async () => {
    const access = new TestAccess({ tokens: ["good"] });
    await withHub(access, async ({ connect: dial, hub }) => {
      await assert.rejects(dial(), isReason("UNAUTHENTICATED"));
      await assert.rejects(dial({ token: "bad" }), isReason("UNAUTHENTICATED"));
      assert.deepEqual(
        access.credentials.map(({ gateway, token }) => [gateway, token]),
        [
          ["native", undefined],
          ["native", "bad"],
        ],
      );
      assert.equal(hub.stats().requests, 0);
    });
  });

  test("is not welcomed before the access has answered", async () => {
    const access = new TestAccess({ tokens: ["good"], isSlow: true });
    await withHub(access, async ({ connect: dial }) => {
      let isConnected = false;
      const connecting = dial({ token: "good" }).then(() => void (isConnected = true));
      await access.untilAsked();
      await new Promise((resolve) => setImmediate(resolve));
      assert.equal(isConnected, false);
      access.answer();
      await connecting;
    });
  });

  test("P-145: ends when it is revoked, and comes back only with credentials that are good", async () => {
    let tokens = ["first", "second"];
    const access = new TestAccess({ allows: () => true });
    const authenticate = access.authenticate.bind(access);
    access.authenticate = (credentials) => {
      if (!tokens.includes(credentials.token!)) throw LintelError.of("UNAUTHENTICATED");
      return authenticate(credentials);
    };
    await withHub(access, async ({ connect: dial, sessions }) => {
      const states: string[] = [];
      const errors: unknown[] = [];
      const given = ["first", "second", "second"];
      let change: () => void = () => undefined;
      const next = (): Promise<void> => new Promise((resolve) => (change = resolve));
      const peer = await dial({
        token: () => given.shift()!,
        onState: (state) => {
          states.push(state);
          change();
        },
        onError: (error) => errors.push(error),
      });
      const service = await peer.serve("a", () => "answer");
      const subscription = await peer.subscribe("b", () => undefined);
      assert.equal(await peer.request("a"), "answer");
      access.revoke("first");
      while (states.at(-1) !== "connected" || states.length < 3) await next();
      assert.equal(await peer.request("a"), "answer", "its service was announced again");
      tokens = [];
      access.revoke("second");
      await assert.rejects(service.closed, isReason("UNAUTHENTICATED"));
      await assert.rejects(subscription.closed, isReason("UNAUTHENTICATED"));
      assert.equal(states.at(-1), "closed");
      await assert.rejects(peer.request("a"), isReason("UNAUTHENTICATED"));
      await assert.rejects(
        peer.serve("c", () => 1),
        isReason("UNAUTHENTICATED"),
      );
      assert.ok(errors.some(isReason("UNAUTHENTICATED")));
      assert.deepEqual(given, []);
      assert.equal(sessions.filter((event) => event === "opened").length, 3);
    });
  });

  test("that never answers is given up by the hub", async () => {
    const access = new TestAccess({ isSlow: true });
    await withHub(
      access,
      async ({ connect: dial }) => {
        await assert.rejects(dial({ timeoutMs: 60 }), /access check|no connection|greeting/);
      },
      { limits: { helloTimeout: 20 } },
    );
  });

  test("a token that a greeting cannot carry is refused where it is given, and not shown", async () => {
    const given = "s3cret with a line end\n";
    for (const token of [given, "", "ä", 7 as unknown as string])
      await assert.rejects(connect(URL, { token }), (error: Error) => !error.message.includes("s3cret"));
    await assert.rejects(connect(URL, { token: given }), /token must be/);
  });
});

test("an access that cannot be asked is refused where it is given", async () => {
  for (const access of [{ authenticate: () => TestAccess.principal() }, "open"])
    // oxlint-disable-next-line no-unsafe-type-assertion -- what a program in JavaScript may give
    await assert.rejects(createHub({ listen: [], http: false, access: access as unknown as TestAccess }), {
      code: "invalid_argument",
      message: /access is .* it must be an object (with the functions `authenticate` and `may`|such as)/,
    });
  // oxlint-disable-next-line no-unsafe-type-assertion -- what a program in JavaScript may give
  const misspelled = { key: [] } as unknown as TestAccess;
  await assert.rejects(createHub({ listen: [], http: false, access: misspelled }), {
    code: "invalid_argument",
    message: /access has no option "key"; there are: anonymous, keys,/,
  });
});

describe("what a session may do", () => {
  const only =
    (...allowed: readonly Verb[]) =>
    (verb: Verb): boolean =>
      allowed.includes(verb);

  test("is checked for each verb, and nobody hears of what is not allowed", async () => {
    await withHub(new TestAccess(), async ({ hub, connect: dial }) => {
      const seen: string[] = [];
      await hub.subscribe(">", (_value, { subject }) => void seen.push(`published ${subject}`));
      await hub.serve(">", (_value, { subject }) => void seen.push(`asked ${subject}`));
      const peer = await dial();
      await assert.rejects(peer.request("a.b", "x"), DENIED);
      await assert.rejects(peer.open("a.b"), DENIED);
      await assert.rejects(
        peer.serve("a.b", () => "x"),
        DENIED,
      );
      await assert.rejects(peer.subscribe("a.*"), DENIED);
      await peer.publish("a.b", "x");
      await assert.rejects(peer.request("a.b", "behind the publication"), DENIED);
      assert.deepEqual(seen, []);
      await EnginePeer.engineOf(peer).drain();
    });
  });

  test("is asked once, however many sessions share a subscription", async () => {
    const access = new TestAccess({ allows: only("subscribe") });
    await withHub(access, async ({ hub, connect: dial }) => {
      const heard: string[] = [];
      for (const name of ["one", "two"]) {
        const peer = await dial({ token: name });
        await peer.subscribe<string>("news.*", (text) => void heard.push(`${name} ${text}`));
        await peer.subscribe<string>("news.*", () => undefined);
      }
      await hub.publish("news.today", "rain");
      while (heard.length < 2) await new Promise((resolve) => setImmediate(resolve));
      assert.deepEqual(heard.toSorted(), ["one rain", "two rain"]);
      assert.deepEqual(access.asked, ["one subscribe news.*", "two subscribe news.*"]);
    });
  });

  test("does not come with a subscription that others have made, nor with its number", async () => {
    const access = new TestAccess({
      allows: (verb, _subject, { id }) => verb === "subscribe" && id === "one",
    });
    await withHub(access, async ({ hub, connect: dial }) => {
      const heard: string[] = [];
      const one = await dial({ token: "one" });
      await one.subscribe<string>("news", (text) => void heard.push(`one ${text}`));
      const two = await dial({ token: "two" });
      await assert.rejects(
        two.subscribe<string>("news", (text) => void heard.push(`two ${text}`)),
        DENIED,
      );
      await hub.publish("news", "rain");
      while (heard.length < 1) await new Promise((resolve) => setImmediate(resolve));
      await assert.rejects(two.request("a"), DENIED);
      assert.deepEqual(heard, ["one rain"]);
    });
  });

  test("may take time to find out: everything waits, in its order", async () => {
    const access = new TestAccess({ allows: () => true });
    await withHub(access, async ({ hub, connect: dial }) => {
      const seen: string[] = [];
      await hub.subscribe<string>("news", (text) => void seen.push(text));
      await hub.serve("a", () => "answer");
      const peer = await dial();
      access.slowDown();
      const asked = Promise.all([
        peer.request("a"),
        peer.serve("b", () => "from the peer"),
        peer.subscribe<string>("c", (text) => void seen.push(text)),
        peer.publish("news", "first"),
        peer.publish("news", "second"),
      ]);
      await access.untilAsked();
      while (access.waiting < 4) await new Promise((resolve) => setImmediate(resolve));
      assert.deepEqual(seen, []);
      access.answer();
      assert.equal((await asked)[0], "answer");
      assert.equal(await hub.request("b"), "from the peer");
      await hub.publish("c", "third");
      while (seen.length < 3) await new Promise((resolve) => setImmediate(resolve));
      assert.deepEqual(seen, ["first", "second", "third"]);
      const nobody = TestAccess.principal().id;
      const expected = ["request a", "serve b", "subscribe c", "publish news"].map(
        (one) => `${nobody} ${one}`,
      );
      assert.deepEqual(access.asked.toSorted(), expected.toSorted());
    });
  });

  test("a registration that is given up while that is found out is not made", async () => {
    const access = new TestAccess({ allows: () => true });
    await withHub(access, async ({ hub, connect: dial }) => {
      const peer = await dial();
      access.slowDown();
      const serving = peer.serve("a", () => "too late");
      serving.catch(() => undefined);
      const subscribing = peer.subscribe("b");
      subscribing.catch(() => undefined);
      await access.untilAsked();
      while (access.waiting < 2) await new Promise((resolve) => setImmediate(resolve));
      await peer.close();
      while (hub.stats().sessions > 0) await new Promise((resolve) => setImmediate(resolve));
      access.answer();
      await new Promise((resolve) => setImmediate(resolve));
      await assert.rejects(hub.request("a"), isReason("NO_RESPONDERS"));
      const before = hub.stats().deliveries;
      await hub.publish("b", "x");
      assert.equal(hub.stats().deliveries, before);
    });
  });
});
