/** Options have the names and shapes in code that they have in a file; the names of before still work. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { beamSettings } from "../../src/gateway/beam/options.ts";
import { grpcSettings } from "../../src/gateway/grpc/options.ts";
import { settingsOf } from "../../src/gateway/http/options.ts";
import { jobsSettings } from "../../src/gateway/jobs/options.ts";
import { createHub, type HubConfig } from "../../src/index.ts";
import { parseConfig } from "../../src/config/config.ts";

/** What JSON has for a file is what a program may give. */
const OPTIONS: HubConfig = {
  http: {
    listen: "127.0.0.1:0",
    timeout: "5s",
    bodyLimit: "64KiB",
    keepAlive: 5_000,
    asyncAnswers: { keep: "1m", maxBytes: "1MiB" },
    routes: [{ path: "/a", subject: "a", mode: "app", bodyLimit: "1MiB", timeout: "1s" }],
  },
  jobs: { wait: "1s", services: { mail: { delivery: "at-least-once", lease: "5s" } } },
  listen: ["tcp://127.0.0.1:0", { url: "ws://127.0.0.1:0", handshakeTimeout: "2s" }],
  tunnel: [{ listen: "127.0.0.1:0", subject: "db.main", idleTimeout: "1m" }],
  limits: { payload: "2MiB", timeout: "10s", queue: 50 },
};

test("a hub takes what a file says, as it is written there", async () => {
  await using hub = await createHub(OPTIONS);
  assert.match(hub.httpUrl ?? "", /^http:\/\/127\.0\.0\.1:\d+$/);
  assert.equal(hub.urls.length, 2);
  await parseConfig(JSON.stringify(OPTIONS), "lintel.yaml"); // JSON is YAML
});

test("an address stands for a gateway", async () => {
  for (const http of [0, "127.0.0.1:0"]) {
    await using hub = await createHub({ http, listen: [] });
    assert.match(hub.httpUrl ?? "", /^http:\/\/127\.0\.0\.1:\d+$/);
  }
  await assert.rejects(
    createHub({ http: "nowhere", listen: [] }),
    /http option listen is "nowhere", it must be HOST:PORT/,
  );
  await assert.rejects(createHub({ limits: { payload: "much" } }), /limits\.payload is "much", it must be/);
});

test("the names of before mean the same, and give way to those of now", () => {
  const old = settingsOf({ host: "::1", port: 1, timeoutMs: 2, stallMs: 3, asyncAnswers: { keepMs: 4 } });
  const now = settingsOf({ listen: "[::1]:1", timeout: 2, stall: "3ms", asyncAnswers: { keep: 4 } });
  const plain = ({ access: _, clock: __, ...settings }: typeof old): object => settings;
  assert.deepEqual(plain(old), plain(now));
  assert.equal(settingsOf({ timeout: 1, timeoutMs: 2 }).timeoutMs, 1);
  assert.deepEqual(
    jobsSettings({ waitMs: 1, services: { a: { leaseMs: 2 } } }),
    jobsSettings({ wait: "1ms", services: { a: { lease: 2 } } }),
  );
  assert.deepEqual(grpcSettings({ host: "::1", port: 1 }), grpcSettings({ listen: "[::1]:1" }));
  assert.equal(beamSettings({ path: "b", timeoutMs: 5, mode: "0660" }).timeoutMs, 5);
  assert.equal(beamSettings({ path: "b", mode: "0660" }).mode, 0o660);
  assert.throws(() => settingsOf({ timeoutMs: 0 }), /http option timeoutMs is 0, it must be/);
  assert.throws(() => settingsOf({ timeout: "0s" }), /http option timeout is "0s", it must be/);
});
