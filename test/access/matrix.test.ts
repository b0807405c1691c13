/** Each gateway, each verb that it has, allowed or not: whoever may not is told so, and nobody else hears of it. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { connect as dial } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import type { Access, Verb } from "../../src/access/access.ts";
import { createHub, type Hub } from "../../src/hub/hub.ts";
import { LintelError } from "../../src/message/failure.ts";
import { connect } from "../../src/peer/connect.ts";
import type { Peer } from "../../src/peer/peer.ts";
import { TestAccess } from "../../src/testing/test-access.ts";
import { canPassDescriptors } from "../../src/transport/descriptors/libc.ts";
import { OriginalPeer } from "../gateway/beam/original-peer.ts";
import { RawCall, said } from "../gateway/grpc/raw-call.ts";
import { until } from "../house/until.ts";

/** What a caller hears: "ok", or the reason of a failure; "closed" where a gateway says nothing more. */
type Outcome = string;

interface Scene {
  readonly hub: Hub;
  readonly beamPath: string;
  /** What a gateway has reported. */
  readonly reported: string[];
  /** What workers over beam serve. */
  readonly served: string[];
}

interface Row {
  readonly gateway: string;
  readonly verb: Verb;
  readonly attempt: (scene: Scene) => Promise<Outcome>;
  /** What is heard in place of a reason. */
  readonly says?: Partial<Record<"UNAUTHENTICATED" | "PERMISSION_DENIED", Outcome>>;
  readonly skip?: string | false;
}

const skip = canPassDescriptors() ? false : "descriptors are passed on Linux with koffi installed";
const folder = mkdtempSync(join(tmpdir(), "lintel-matrix-"));
let original: OriginalPeer | undefined;
after(async () => {
  await original?.kill();
  rmSync(folder, { recursive: true });
});

const reasonOf = (error: unknown): Outcome => (error instanceof LintelError ? error.reason : String(error));

async function asPeer({ hub }: Scene, act: (peer: Peer) => Promise<unknown> | undefined): Promise<Outcome> {
  let peer: Peer | undefined;
  try {
    peer = await connect(hub.urls[0]!, { onError: () => undefined });
    await act(peer);
    return "ok";
  } catch (error) {
    return reasonOf(error);
  } finally {
    await peer?.close();
  }
}

async function overHttp({ hub }: Scene, method: string, path: string): Promise<Outcome> {
  const answer = await fetch(hub.httpUrl! + path, { method, ...(method === "POST" ? { body: "x" } : {}) });
  const text = await answer.text();
  if (answer.ok) return "ok";
  assert.equal(answer.headers.get("www-authenticate"), answer.status === 401 ? "Bearer" : null);
  return `${answer.status} ${(JSON.parse(text) as { reason: string }).reason}`;
}

async function overGrpc({ hub }: Scene): Promise<Outcome> {
  await using call = new RawCall(hub.grpcUrl!).listen();
  const room = { case: "concurrency", value: 1 } as const;
  call.stream.write(said({ case: "register", value: { registration: 1, subject: "b", room } }));
  let ended: string | undefined;
  void call.ended().then((status) => (ended = status));
  const first = await until(() => call.heard[0] ?? ended, "an answer");
  if (typeof first === "string") return first;
  const { message } = first;
  return message.case === "refused" ? message.value.failure!.reason : "ok";
}

async function overBeam({ beamPath }: Scene, ...message: string[]): Promise<Outcome> {
  original ??= new OriginalPeer();
  const connection = await original.connect(beamPath);
  const end = await connection.attach("RW", ...message).catch(() => undefined);
  const answer = await end?.hears(); // it is closed, maybe before the message was sent
  return answer === undefined ? "closed" : answer[0] === "error" ? answer.at(-1)! : "ok";
}

async function overTunnel({ hub, reported }: Scene): Promise<Outcome> {
  const [url] = hub.gateways.find(({ name }) => name === "tunnel")!.urls;
  const socket = dial(Number(new URL(url!).port), "127.0.0.1");
  let isClosed = false;
  socket.on("error", () => undefined).on("close", () => (isClosed = true));
  await until(() => isClosed, "the end of the connection");
  return until(() => reported[0], "the report");
}

const HTTP = { UNAUTHENTICATED: "401 UNAUTHENTICATED", PERMISSION_DENIED: "403 PERMISSION_DENIED" };
const ROWS: readonly Row[] = [
  { gateway: "native", verb: "request", attempt: (scene) => asPeer(scene, (peer) => peer.request("a")) },
  {
    gateway: "native",
    verb: "open",
    attempt: (scene) => asPeer(scene, (peer) => peer.open("a")),
  },
  {
    gateway: "native",
    verb: "publish",
    // It has no answer: what comes behind it has one.
    attempt: async (scene) =>
      asPeer(scene, async (peer) => {
        const { publications } = scene.hub.stats();
        await peer.publish("a");
        await peer.subscribe("behind.it").catch(() => undefined);
        if (scene.hub.stats().publications === publications) throw LintelError.of("PERMISSION_DENIED");
      }),
  },
  {
    gateway: "native",
    verb: "subscribe",
    attempt: (scene) => asPeer(scene, (peer) => peer.subscribe("a.>")),
  },
  {
    gateway: "native",
    verb: "serve",
    attempt: (scene) => asPeer(scene, (peer) => peer.serve("b", () => 1)),
  },
  { gateway: "http", verb: "request", says: HTTP, attempt: (scene) => overHttp(scene, "POST", "/a") },
  { gateway: "http", verb: "publish", says: HTTP, attempt: (scene) => overHttp(scene, "POST", "/events") },
  { gateway: "jobs", verb: "request", says: HTTP, attempt: (scene) => overHttp(scene, "POST", "/service/a") },
  {
    gateway: "jobs",
    verb: "serve",
    says: HTTP,
    attempt: (scene) => overHttp(scene, "GET", "/service/b/jobs?wait=0"),
  },
  { gateway: "grpc", verb: "serve", says: { UNAUTHENTICATED: "16 UNAUTHENTICATED" }, attempt: overGrpc },
  {
    gateway: "beam",
    verb: "request",
    skip,
    says: { UNAUTHENTICATED: "closed" },
    attempt: (scene) => overBeam(scene, "a"),
  },
  {
    gateway: "beam",
    verb: "serve",
    skip,
    says: { UNAUTHENTICATED: "closed" },
    attempt: async (scene) => {
      const outcome = overBeam(scene, "register", "b");
      // One that is allowed hears nothing until there is a request.
      let isOver = false;
      const served = until(() => isOver || scene.served.includes("b"), "the registration");
      return Promise.race([outcome, served.then(() => "ok")]).finally(() => (isOver = true));
    },
  },
  { gateway: "tunnel", verb: "request", attempt: overTunnel },
];

/** A hub with all gateways, and a service and a subscriber that see everything. */
async function withHub(access: Access, run: (scene: Scene, seen: string[]) => Promise<void>): Promise<void> {
  const seen: string[] = [];
  const reported: string[] = [];
  const served: string[] = [];
  const beamPath = join(mkdtempSync(join(folder, "hub-")), "beam.sock");
  await using hub = await createHub({
    listen: ["tcp://127.0.0.1:0"],
    http: { port: 0, routes: [{ method: "POST", path: "/events", subject: "events", mode: "publish" }] },
    grpc: { port: 0 },
    ...(skip === false ? { beam: { path: beamPath } } : {}),
    tunnel: { listen: 0, subject: "a" },
    access,
    onError: (error) => reported.push(reasonOf(error)),
    observer: {
      registration({ event, gateway, pattern }) {
        if (event === "added" && gateway === "beam") served.push(pattern);
      },
    },
  });
  await hub.serve("a", (_value, context) => {
    seen.push(`asked ${context.subject}`);
    const { headers } = context;
    if (headers.has(":open") && !headers.has(":offer")) context.accept().close();
    return "answer";
  });
  await hub.subscribe(">", (_value, { subject }) => void seen.push(`published ${subject}`));
  await run({ hub, beamPath, reported, served }, seen);
}

describe("whoever is not authenticated", () => {
  const access: Access = {
    authenticate() {
      throw LintelError.of("UNAUTHENTICATED");
    },
    may: () => true,
  };
  for (const { gateway, verb, attempt, says, skip: isSkipped = false } of ROWS) {
    test(`cannot ${verb} over ${gateway}`, { skip: isSkipped }, async () => {
      await withHub(access, async (scene, seen) => {
        assert.equal(await attempt(scene), says?.UNAUTHENTICATED ?? "UNAUTHENTICATED");
        assert.deepEqual([seen, scene.hub.stats().requests], [[], 0]);
      });
    });
  }
});

describe("whoever may do nothing", () => {
  for (const { gateway, verb, attempt, says, skip: isSkipped = false } of ROWS) {
    test(`cannot ${verb} over ${gateway}`, { skip: isSkipped }, async () => {
      const access = new TestAccess();
      await withHub(access, async (scene, seen) => {
        assert.equal(await attempt(scene), says?.PERMISSION_DENIED ?? "PERMISSION_DENIED");
        assert.deepEqual([seen, scene.hub.stats().requests], [[], 0]);
        assert.ok(access.asked.some((asked) => asked.startsWith(`nobody ${verb} `)));
      });
    });
  }
});

describe("whoever may do one thing", () => {
  for (const { gateway, verb, attempt, skip: isSkipped = false } of ROWS) {
    if (gateway === "tunnel") continue; // what is served here takes no tunnel: test/access/tunnel.test.ts has it
    test(`can ${verb} over ${gateway}`, { skip: isSkipped }, async () => {
      await withHub(new TestAccess({ allows: (asked) => asked === verb }), async (scene) => {
        assert.equal(await attempt(scene), "ok");
      });
    });
  }
});

describe("while it is not known who somebody is", () => {
  for (const { gateway, verb, attempt, skip: isSkipped = false } of ROWS) {
    if (gateway === "tunnel") continue; // as above
    test(`nothing is welcomed over ${gateway} that wants to ${verb}`, { skip: isSkipped }, async () => {
      const access = new TestAccess({ allows: () => true, isSlow: true });
      await withHub(access, async (scene, seen) => {
        let outcome: Outcome | undefined;
        const attempted = attempt(scene).then((known) => (outcome = known));
        await access.untilAsked();
        const { requests, publications } = scene.hub.stats();
        assert.deepEqual([outcome, access.asked, seen, scene.served], [undefined, [], [], []]);
        assert.deepEqual([requests, publications], [0, 0]);
        access.answer();
        assert.equal(await attempted, "ok");
      });
    });
  }
});
