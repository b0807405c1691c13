import assert from "node:assert/strict";
import { once } from "node:events";
import { request, type IncomingMessage } from "node:http";
import { test } from "node:test";
import { createAdmission } from "../../src/access/admission.ts";
import { sha256Of } from "../../src/access/keys/key.ts";
import { Tenants } from "../../src/access/tenants.ts";
import { LocalEngine } from "../../src/engine/local/local-engine.ts";
import { connect, createHub } from "../../src/index.ts";
import { DEFAULT_LIMITS } from "../../src/message/limits.ts";
import { IN_PROCESS, type Identity } from "../../src/message/origin.ts";
import { AccessLog } from "../../src/observe/access-log.ts";
import type { Refused } from "../../src/observe/observer.ts";
import { FakeClock } from "../../src/testing/fake-clock.ts";
import { TestAccess } from "../../src/testing/index.ts";
import { until } from "../house/until.ts";
import { RawWebSocket } from "../transport/raw-websocket.ts";

const KEYS = [
  { name: "page", role: "client" as const, sha256: sha256Of("page"), grants: { request: ["a.>"] } },
];

/** One refusal, without what differs from run to run. */
function said({ gateway, remote, principal, verb, subject, reason }: Refused): string {
  const from = remote === undefined ? "?" : remote.replace(/^\w+:\/\//, "").replace(/:\d+$/, "");
  return [gateway, from, principal?.id ?? "-", verb ?? "-", subject ?? "-", reason].join(" ");
}

test("each refusal is told once, with who, what and from where", async (context) => {
  const refused: string[] = [];
  const hub = await createHub({
    http: { listen: 0 },
    listen: ["tcp://127.0.0.1:0"],
    access: { keys: KEYS },
    observer: { refused: (event) => void refused.push(said(event)) },
  });
  context.after(() => hub.close());
  await hub.serve(">", () => "done");
  const take = (): string[] => refused.splice(0);
  const [url] = hub.urls;
  await assert.rejects(connect(url!, { token: "guess" }));
  assert.deepEqual(take(), ["native 127.0.0.1 - - - UNAUTHENTICATED"]);
  const peer = await connect(url!, { token: "page" });
  context.after(() => peer.close());
  assert.equal(await peer.request("a.b"), "done");
  assert.deepEqual(take(), []);
  await assert.rejects(peer.request("b"));
  await assert.rejects(peer.request("b"));
  await assert.rejects(peer.serve("a.b", () => 1));
  await assert.rejects(peer.subscribe("a.b", () => 1));
  assert.deepEqual(take(), [
    "native 127.0.0.1 page request b PERMISSION_DENIED",
    "native 127.0.0.1 page request b PERMISSION_DENIED",
    "native 127.0.0.1 page serve a.b PERMISSION_DENIED",
    "native 127.0.0.1 page subscribe a.b PERMISSION_DENIED",
  ]);
  const authorization = "Bearer page";
  await fetch(`${hub.httpUrl!}/b`, { headers: { authorization } });
  await fetch(`${hub.httpUrl!}/a/b`);
  await fetch(`${hub.httpUrl!}/a/b`, { headers: { authorization, origin: "https://evil.example" } });
  assert.deepEqual(take(), [
    "http 127.0.0.1 page request b PERMISSION_DENIED",
    "http 127.0.0.1 - - - UNAUTHENTICATED",
    "http 127.0.0.1 - - /a/b FOREIGN_ORIGIN",
  ]);
});

test("a refusal that was waited for is told once", async (context) => {
  const access = new TestAccess({ isSlow: true });
  const refused: string[] = [];
  const hub = await createHub({
    http: false,
    listen: ["tcp://127.0.0.1:0"],
    access,
    observer: { refused: (event) => void refused.push(said(event)) },
  });
  context.after(() => hub.close());
  const connecting = connect(hub.urls[0]!);
  await access.untilAsked();
  access.answer();
  const peer = await connecting;
  context.after(() => peer.close());
  access.slowDown();
  const asked = [peer.request("a"), peer.serve("b", () => 1), peer.subscribe("c", () => 1)];
  while (access.waiting < 3)
    await access.untilAsked().then(() => new Promise((resolve) => setImmediate(resolve)));
  access.answer();
  await Promise.allSettled(asked);
  assert.deepEqual(refused.toSorted(), [
    "native 127.0.0.1 nobody request a PERMISSION_DENIED",
    "native 127.0.0.1 nobody serve b PERMISSION_DENIED",
    "native 127.0.0.1 nobody subscribe c PERMISSION_DENIED",
  ]);
});

test("web pages, names, streams, jobs, enablements and administration are told of", async (context) => {
  const told: string[] = [];
  const service = { name: "service", role: "service" as const, sha256: sha256Of("service") };
  const hub = await createHub({
    http: { listen: 0 },
    listen: ["ws://127.0.0.1:0/own"],
    access: { keys: [...KEYS, service] },
    jobs: { services: { work: {} } },
    observer: {
      refused: (event) => void told.push(said(event)),
      administered: ({ action, name, verb, principal, gateway }) =>
        void told.push([gateway, principal?.id ?? "-", action, name, verb ?? "-"].join(" ")),
    },
  });
  context.after(() => hub.close());
  const take = (): string[] => told.splice(0);
  const [url] = hub.urls;
  const origin = "https://evil.example";
  for (const at of [url!, hub.sessionUrl!]) {
    const raw = await RawWebSocket.request(at, { Origin: origin });
    assert.match(await raw.head(), / 403 /);
    raw.socket.destroy();
  }
  assert.deepEqual(take(), [
    "native 127.0.0.1 - - - FOREIGN_ORIGIN",
    "http 127.0.0.1 - - /.lintel/session FOREIGN_ORIGIN",
  ]);
  const { port } = new URL(hub.httpUrl!);
  const asked = request({ port, path: "/a/b?secret", headers: { host: "evil.example" }, agent: false }).end();
  const [answer] = (await once(asked, "response")) as [IncomingMessage];
  answer.resume();
  assert.deepEqual(take(), ["http 127.0.0.1 - - /a/b FOREIGN_HOST"]);

  const authorization = "Bearer page";
  assert.equal((await fetch(`${hub.httpUrl!}/work`, { headers: { authorization } })).status, 403);
  assert.equal(
    (await fetch(`${hub.httpUrl!}/service/work/jobs?wait=0`, { headers: { authorization } })).status,
    403,
  );
  assert.deepEqual(take(), [
    "http 127.0.0.1 page request work PERMISSION_DENIED",
    "http 127.0.0.1 page serve work PERMISSION_DENIED",
  ]);

  const page = await connect(url!, { token: "page" });
  context.after(() => page.close());
  await assert.rejects(page.open("chat"), { reason: "PERMISSION_DENIED" });
  await assert.rejects(page.enable("request", "chat"), { reason: "PERMISSION_DENIED" });
  assert.deepEqual(take(), [
    "native 127.0.0.1 page open chat PERMISSION_DENIED",
    "native 127.0.0.1 page enable chat PERMISSION_DENIED",
  ]);
  const worker = await connect(url!, { token: "service" });
  const enabling = await worker.enable("request", "chat");
  await enabling.close();
  await worker.enable("publish", "news");
  await worker.close();
  await until(() => told.length >= 4, "the end of what the service had enabled");
  assert.deepEqual(take(), [
    "native service enabled chat request",
    "native service disabled chat request",
    "native service enabled news publish",
    "native service disabled news publish",
  ]);
});

test("what a quota does not allow, and guesses that are slowed down, are told of", async (context) => {
  const refused: string[] = [];
  const limits = { requestsPerSecond: 0, connections: 1, subscriptions: 0 };
  const hub = await createHub({
    http: { listen: 0 },
    listen: ["tcp://127.0.0.1:0"],
    access: { keys: [{ name: "slow", role: "service", sha256: sha256Of("slow"), limits }] },
    observer: { refused: (event) => void refused.push(said(event)) },
  });
  context.after(() => hub.close());
  const take = (): string[] => refused.splice(0);
  const [url] = hub.urls;
  const peer = await connect(url!, { token: "slow" });
  context.after(() => peer.close());
  await assert.rejects(connect(url!, { token: "slow", timeoutMs: 100 })); // it tries again until then
  assert.deepEqual([...new Set(take())], ["native 127.0.0.1 slow - - QUOTA_EXCEEDED"]);
  await assert.rejects(peer.request("a"), { reason: "RATE_LIMITED" });
  await assert.rejects(
    peer.subscribe("b", () => undefined),
    { reason: "QUOTA_EXCEEDED" },
  );
  const authorization = "Bearer slow";
  assert.equal((await fetch(`${hub.httpUrl!}/c`, { headers: { authorization } })).status, 429);
  assert.deepEqual(take(), [
    "native 127.0.0.1 slow request a RATE_LIMITED",
    "native 127.0.0.1 slow subscribe b QUOTA_EXCEEDED",
    "http 127.0.0.1 slow request c RATE_LIMITED",
  ]);
  for (let guess = 0; guess < 20; guess++)
    await fetch(`${hub.httpUrl!}/a`, { headers: { authorization: `Bearer ${guess}` } });
  const guesses = take();
  assert.equal(guesses.length, 20);
  assert.equal(guesses[0], "http 127.0.0.1 - - - UNAUTHENTICATED");
  assert.equal(guesses.at(-1), "http 127.0.0.1 - - - TOO_MANY_ATTEMPTS");
});

test("who may administer is told of, each time", async () => {
  const told: unknown[] = [];
  const clock = new FakeClock();
  const admission = createAdmission(new Tenants(new LocalEngine({ clock })), {
    access: {
      authenticate: () => ({ id: "ops", tenant: "main", role: "admin" }),
      may: (_principal, _verb, subject) => subject === "own.cache",
    },
    limits: DEFAULT_LIMITS,
    observer: {
      refused: ({ verb, subject }) => void told.push(["refused", verb, subject]),
      administered: ({ action, name, principal }) => void told.push([action, name, principal?.id]),
    },
  });
  const admitted = await admission.admit({ gateway: "own", remote: "here" });
  assert.equal(admitted.check("admin", "own.cache"), undefined);
  assert.equal(admitted.check("serve", "own.cache"), undefined);
  await admitted.check("admin", "own.users");
  assert.deepEqual(told, [
    ["used", "own.cache", "ops"],
    ["refused", "admin", "own.users"],
  ]);
  admission.close();
});

test("the log is a line of JSON each, and a flood is counted", () => {
  const lines: Record<string, unknown>[] = [];
  const texts: string[] = [];
  const clock = new FakeClock();
  const write = (line: string): void => {
    assert.match(line, /^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]*\n$/u);
    texts.push(line);
    lines.push(JSON.parse(line) as Record<string, unknown>);
  };
  const log = new AccessLog({ clock, timeOfDay: () => 1_000_000, write });
  const refused: Refused = {
    gateway: "http",
    remote: "10.0.0.1",
    principal: { id: "a\n\u0085\u202eb\u2028", tenant: "main", role: "client", secret: "s3cret" } as Identity,
    verb: "request",
    subject: "x".repeat(5_000),
    code: "permission_denied",
    reason: "PERMISSION_DENIED",
  };
  const stranger: Refused = { ...refused, principal: undefined, reason: "UNAUTHENTICATED" };
  for (let count = 0; count < 1_000; count++) log.refused(stranger);
  assert.equal(lines.length, 100);
  log.refused(refused);
  assert.equal(lines.length, 101, "a flood of strangers hides no principal");
  assert.equal((lines[100]!["subject"] as string).length, 257);
  assert.equal(lines[100]!["principal"], "a\n\u0085\u202eb\u2028");
  assert.ok(!texts.join("").includes("s3cret"));
  clock.advance(1_000);
  log.administered({ ...IN_PROCESS, action: "key revoked", name: "shop" });
  log.refused(stranger);
  for (let count = 0; count < 150; count++) log.refused(stranger);
  log.close();
  const rest = lines.slice(101).map(({ event, of, refusals, name }) => [event, of ?? name, refusals]);
  assert.deepEqual(rest.slice(0, 3), [
    ["suppressed", "strangers", 900],
    ["admin", "shop", undefined],
    ["refused", undefined, undefined],
  ]);
  assert.deepEqual(rest.at(-1), ["suppressed", "strangers", 51]);
  assert.equal(rest.length, 2 + 100 + 1);
});
