/** What services enable clients to do, at a hub with keys. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, test } from "node:test";
import type { KeyOptions } from "../../src/access/access-options.ts";
import { createHub, type Hub, type HubConfig } from "../../src/hub/hub.ts";
import type { EnabledVerb } from "../../src/message/delivery.ts";
import { LintelError } from "../../src/message/failure.ts";
import { connect } from "../../src/peer/connect.ts";
import type { Peer } from "../../src/peer/peer.ts";
import { createMemoryTransport } from "../../src/transport/memory.ts";
import { TransportRegistry } from "../../src/transport/registry.ts";
import { until } from "../house/until.ts";

const URL = "memory:hub";

/** The key of each principal is its name. */
function key(name: string, options: Omit<KeyOptions, "name" | "sha256">): KeyOptions {
  return { name, sha256: createHash("sha256").update(name).digest("hex"), ...options };
}

const KEYS: readonly KeyOptions[] = [
  key("service", { role: "service" }),
  key("admin", { role: "admin" }),
  key("observer", { role: "observer" }),
  key("client", { role: "client" }),
  key("a-only", { role: "service", grants: { serve: ["a.>"], subscribe: ["a.>"], publish: ["a.>"] } }),
  key("not-b", { role: "service", deny: { serve: ["b.c"], subscribe: ["b.c"], publish: ["b.c"] } }),
  key("grasping", { role: "client", grants: { serve: [">"], subscribe: [">"], publish: [">"] } }),
  key("denied", { role: "client", deny: { request: ["a.b"], publish: ["a.b"], subscribe: ["a.b"] } }),
  key("granted", { role: "client", grants: { subscribe: ["a.*"], request: ["a.b"] } }),
  key("elsewhere", { role: "client", tenant: "b" }),
];

interface Scene {
  readonly hub: Hub;
  readonly transports: TransportRegistry;
  readonly as: (name: string) => Promise<Peer>;
}

async function withHub(
  run: (scene: Scene) => Promise<void>,
  access: HubConfig["access"] | null = { keys: KEYS },
): Promise<void> {
  const transports = new TransportRegistry();
  transports.add(createMemoryTransport());
  const checks = access === null ? {} : { access };
  const hub = await createHub({ http: false, listen: [URL], transports, ...checks });
  const peers: Peer[] = [];
  try {
    await run({
      hub,
      transports,
      as: async (token) => {
        const peer = await connect(URL, { transports, token, onError: () => undefined });
        peers.push(peer);
        return peer;
      },
    });
  } finally {
    await Promise.all(peers.map((peer) => peer.close()));
    await hub.close();
  }
}

/** "yes", or the reason why not. */
async function outcome(attempt: Promise<unknown>): Promise<string> {
  try {
    await attempt;
    return "yes";
  } catch (error) {
    return error instanceof LintelError ? error.reason : String(error);
  }
}

/** What a client may do with a subject, by verb; `heard` has what was published on it. */
async function verdicts(client: Peer, subject: string, heard: () => string | undefined): Promise<string[]> {
  const before = heard();
  const publication = `${subject} ${Math.random()}`;
  await client.publish(subject, publication);
  const request = await outcome(client.request(subject));
  const channel = await outcome(client.open(subject));
  const subscription = await outcome(client.subscribe(subject, () => undefined).then((made) => made.close()));
  const published = heard() === publication ? "yes" : heard() === before ? "no" : "another";
  return [request, channel, published, subscription];
}

const DENIED = "PERMISSION_DENIED";

describe("a subject that a service enables for clients", () => {
  test("P-148: may be used by them, in the way that it was enabled, and no others", async () => {
    await withHub(async ({ as }) => {
      const [service, client] = [await as("service"), await as("client")];
      let heard: string | undefined;
      await service.subscribe<string>("a.*", (text) => void (heard = text));
      await service.serve("a.>", () => "served");
      const may = (subject: string): Promise<string[]> => verdicts(client, subject, () => heard);
      assert.deepEqual(await may("a.b"), [DENIED, DENIED, "no", DENIED]);
      const request = await service.enable("request", "a.b");
      assert.deepEqual(await may("a.b"), ["yes", "NOT_ACCEPTED", "no", DENIED]);
      assert.deepEqual(await may("a.c"), [DENIED, DENIED, "no", DENIED]);
      await service.enable("publish", "a.b");
      await service.enable("subscribe", "a.*");
      assert.deepEqual(await may("a.b"), ["yes", "NOT_ACCEPTED", "yes", "yes"]);
      await request.close();
      assert.deepEqual(await may("a.b"), [DENIED, DENIED, "yes", "yes"]);
      assert.equal(await outcome(client.subscribe("a.*", () => undefined)), "yes");
      for (const more of ["a.>", ">", "*.*", "a.b.c"])
        assert.equal(await outcome(client.subscribe(more, () => undefined)), DENIED, more);
    });
  });

  test("P-149: is enabled by services and administrators, that may do the counterpart with all of it", async () => {
    const expected: readonly [name: string, pattern: string, outcome: string][] = [
      ["service", "a.b", "yes"],
      ["service", ">", "yes"],
      ["admin", ">", "yes"],
      ["observer", "a.b", DENIED],
      ["client", "a.b", DENIED],
      ["grasping", "a.b", DENIED],
      ["a-only", "a.b", "yes"],
      ["a-only", "a.*.c", "yes"],
      ["a-only", "a.>", "yes"],
      ["a-only", "a", DENIED],
      ["a-only", "*.b", DENIED],
      ["a-only", ">", DENIED],
      ["not-b", "b.d", "yes"],
      ["not-b", "b.c", DENIED],
      ["not-b", "b.*", DENIED],
    ];
    await withHub(async ({ as }) => {
      for (const [name, pattern, wanted] of expected)
        for (const verb of ["request", "publish", "subscribe"] as const) {
          const enabled = outcome((await as(name)).enable(verb, pattern));
          assert.equal(await enabled, wanted, `${name} enables ${verb} ${pattern}`);
        }
    });
  });

  test("is refused to clients that are denied it, and to those of another tenant", async () => {
    await withHub(async ({ as }) => {
      const service = await as("service");
      await service.serve("a.*", () => "served");
      await service.enable("request", "a.*");
      await service.enable("subscribe", "a.*");
      const denied = await as("denied");
      assert.equal(await outcome(denied.request("a.b")), DENIED);
      assert.equal(await outcome(denied.request("a.c")), "yes");
      assert.equal(await outcome(denied.subscribe("a.*", () => undefined)), DENIED);
      assert.equal(await outcome((await as("elsewhere")).request("a.b")), DENIED);
      assert.equal(await outcome((await as("observer")).request("a.b")), DENIED);
    });
  });

  test("can be enabled by the hub's own process", async () => {
    await withHub(async ({ hub, as }) => {
      await hub.serve("a.b", () => "served");
      const client = await as("client");
      const enabled = await hub.enable("request", "a.b");
      assert.deepEqual([enabled.verb, enabled.pattern], ["request", "a.b"]);
      assert.equal(await client.request("a.b"), "served");
      await enabled.close();
      await enabled.close();
      assert.equal(await outcome(client.request("a.b")), DENIED);
    });
  });

  test("P-152: changes nothing at a hub that checks no credentials", async () => {
    await withHub(async ({ as, hub }) => {
      const peer = await as("anybody");
      const enabled = await peer.enable("request", "a.b");
      const own = await hub.enable("publish", ">");
      await enabled.close();
      await own.close();
      assert.equal(await outcome(peer.request("a.b")), "NO_RESPONDERS");
      assert.equal(await outcome(peer.enable("request", "a..b")), "BAD_SUBJECT");
      assert.equal(await outcome(hub.enable("request", "a..b")), "BAD_SUBJECT");
      await assert.rejects(
        peer.enable("serve" as EnabledVerb, "a"),
        /the verb .*publish, subscribe, request/,
      );
    }, null);
  });
});

describe("the end of an enablement", () => {
  test("P-150: comes with the last that made it, by close or with its session", async () => {
    await withHub(async ({ as }) => {
      const [one, other, client] = [await as("service"), await as("a-only"), await as("client")];
      await one.serve("a.b", () => "served");
      const first = await one.enable("request", "a.*");
      const again = await one.enable("request", "a.*");
      await other.enable("request", "a.*");
      for (const end of [() => first.close(), () => again.close(), () => again.close()]) {
        await end();
        assert.equal(await outcome(client.request("a.b")), "yes");
      }
      await other.close();
      assert.equal(await outcome(client.request("a.b")), DENIED);
    });
  });

  test("P-151: ends subscriptions that nothing else allows, at once, and no others", async () => {
    await withHub(async ({ as }) => {
      const [service, client, granted] = [await as("service"), await as("client"), await as("granted")];
      const wide = await service.enable("subscribe", "a.>");
      const narrow = await service.enable("subscribe", "a.*");
      const heard: string[] = [];
      const over: string[] = [];
      const listen = async (peer: Peer, name: string, pattern: string): Promise<void> => {
        const made = await peer.subscribe<string>(pattern, (text) => heard.push(`${name} ${text}`));
        void outcome(made.closed).then((why) => over.push(`${name} ${why}`));
      };
      await listen(client, "deep", "a.b.c");
      await listen(client, "flat", "a.b");
      await listen(granted, "granted", "a.b");
      const publish = async (text: string): Promise<string[]> => {
        heard.length = 0;
        await service.publish("a.b", text);
        await service.publish("a.b.c", text);
        await Promise.all([service, client, granted].map((peer) => outcome(peer.request("a.nobody"))));
        return heard.toSorted();
      };
      assert.deepEqual(await publish("1"), ["deep 1", "flat 1", "granted 1"]);
      await wide.close();
      assert.deepEqual(await publish("2"), ["flat 2", "granted 2"]);
      assert.deepEqual(over, ["deep PERMISSION_DENIED"]);
      await narrow.close();
      assert.deepEqual(await publish("3"), ["granted 3"]);
      assert.deepEqual(over, ["deep PERMISSION_DENIED", "flat PERMISSION_DENIED"]);
    });
  });

  test("P-151: leaves requests and channels that are under way alone", async () => {
    await withHub(async ({ as }) => {
      const [service, client] = [await as("service"), await as("client")];
      let answer: ((text: string) => void) | undefined;
      const started = new Promise<void>((resolve) => {
        void service.serve("a.slow", () => {
          resolve();
          return new Promise((done) => (answer = done));
        });
      });
      await service.serve("a.channel", async (_value, context) => {
        const channel = context.accept();
        for await (const value of channel) await channel.send(value);
      });
      const enabled = await service.enable("request", "a.*");
      const channel = await client.open("a.channel");
      const asked = client.request("a.slow");
      await started;
      await enabled.close();
      assert.equal(await outcome(client.request("a.slow")), DENIED);
      answer!("late");
      assert.equal(await asked, "late");
      await channel.send("still there");
      const { value } = await channel[Symbol.asyncIterator]().next();
      assert.equal(value, "still there");
      channel.close();
    });
  });

  test("P-150, P-151: is sharp for requests of sessions, however often it is enabled and ended", async () => {
    await withHub(async ({ as }) => {
      const [service, client] = [await as("service"), await as("client")];
      let executed = 0;
      await service.serve("a.b", () => ++executed);
      const outcomes: string[] = [];
      for (let round = 0; round < 300; round++) {
        const crossing = [outcome(client.request("a.b"))];
        const enabled = await service.enable("request", round % 2 === 0 ? "a.b" : "a.*");
        const allowed = outcome(client.request("a.b"));
        assert.equal(await allowed, "yes");
        crossing.push(outcome(client.request("a.b")));
        await enabled.close();
        assert.equal(await outcome(client.request("a.b")), DENIED);
        outcomes.push("yes", ...(await Promise.all(crossing)));
      }
      assert.deepEqual(new Set(outcomes), new Set(["yes", DENIED]));
      assert.equal(outcomes.filter((one) => one === "yes").length, executed, "the service agrees");
    });
  });

  test("P-153: does not come with a lost connection that is made again", async () => {
    await withHub(async ({ hub, transports, as }) => {
      const [service, client] = [await as("service"), await as("client")];
      await service.serve("a.b", () => "served");
      await service.enable("request", "a.b");
      await hub.close();
      const next = await createHub({ http: false, listen: [URL], transports, access: { keys: KEYS } });
      try {
        await until(async () => (await outcome(client.request("a.b"))) === "yes");
      } finally {
        await next.close();
      }
    });
  });
});
