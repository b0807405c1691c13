import assert from "node:assert/strict";
import { test } from "node:test";
import { sha256Of } from "../../src/access/keys/key.ts";
import { accessLog } from "../../src/cli/access-log.ts";
import { connect, createHub } from "../../src/index.ts";
import type { Refused } from "../../src/observe/observer.ts";
import { TestAccess } from "../../src/testing/index.ts";

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

test("the log is a line of JSON each, and a flood is counted", () => {
  const lines: Record<string, unknown>[] = [];
  let now = 1_000_000;
  const log = accessLog(
    (line) => {
      assert.match(line, /^[^\n]*\n$/);
      lines.push(JSON.parse(line) as Record<string, unknown>);
    },
    () => now,
  );
  const event: Refused = {
    gateway: "http",
    remote: "10.0.0.1",
    principal: { id: "a\nb", tenant: "main", role: "client" },
    verb: "request",
    subject: "x".repeat(5_000),
    code: "permission_denied",
    reason: "PERMISSION_DENIED",
  };
  for (let count = 0; count < 1_000; count++) log.refused!(event);
  assert.equal(lines.length, 200);
  assert.equal((lines[0]!["subject"] as string).length, 256);
  assert.equal(lines[0]!["principal"], "a\nb");
  now += 1_000;
  log.administered!({ action: "key revoked", name: "shop" });
  assert.deepEqual(
    lines.slice(200).map(({ time: _, ...rest }) => rest),
    [
      { event: "suppressed", lines: 800 },
      { event: "admin", action: "key revoked", name: "shop" },
    ],
  );
});
