import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { commandsSettings } from "../../src/gateway/commands/options.ts";
import { grpcSettings } from "../../src/gateway/grpc/options.ts";
import { beamSettings } from "../../src/gateway/beam/options.ts";
import { settingsOf } from "../../src/gateway/http/options.ts";
import { parseConfig } from "../../src/config/config.ts";
import { jobsSettings } from "../../src/gateway/jobs/options.ts";
import { DEFAULT_LIMITS } from "../../src/message/limits.ts";
import { root } from "../house/root.ts";
import { pair } from "../transport/certificates.ts";

const GUIDE = new URL("../../../docs/guides/configuration.md", import.meta.url);

test("the guide's example is a legal file that uses every key", async () => {
  const guide = await readFile(GUIDE, "utf8");
  const [, example = ""] = /^```yaml\n([^]*?)^```$/m.exec(guide) ?? [];
  const { http, jobs, listen, limits, tls, beam, grpc, commands } = await parseConfig(
    example,
    join(root, "test/certificates/the guide"),
  );
  assert.ok(http);
  assert.deepEqual(Object.keys(http).toSorted(), [
    "bodyLimit",
    "defaultMapping",
    "listen",
    "origins",
    "routes",
    "sessions",
    "sseKeepAlive",
    "streamGrace",
    "streamIdle",
    "timeout",
  ]);
  const { routes, listen: address, ...others } = http;
  assert.equal(routes?.length, 2);
  assert.equal(address, "127.0.0.1:8500");
  const { host, port, ...settings } = settingsOf({ routes });
  assert.equal(`${host}:${port}`, address);
  compare(others, settings, "origins", "sessions", "streamIdle");
  assert.ok(typeof jobs === "object");
  const ofJobs = ["compat", "linger", "maxPolls", "maxServices", "maxWait", "services", "wait"];
  assert.deepEqual(Object.keys(jobs).toSorted(), ofJobs);
  compare(jobs, jobsSettings({}), "compat", "services");
  assert.equal(listen?.length, 2);
  assert.deepEqual(tls, pair("server"));
  assert.ok(typeof beam === "object");
  compare(beam, beamSettings({ path: "/run/lintel/beam.sock" }), "mode", "prefix");
  assert.ok(typeof grpc === "object");
  compare(grpc, grpcSettings({ listen: 0 }), "listen");
  assert.ok(typeof commands === "object");
  compare(commands, commandsSettings({}), "listen", "serve", "broadcast", "stats");
  for (const [name, value] of Object.entries(limits ?? {}))
    assert.equal(value, DEFAULT_LIMITS[name as "queue"], name);
});

/** What the example says is what holds without it, but for the options that it shows. */
function compare(given: object, settings: object, ...shown: readonly string[]): void {
  const defaults = new Map<string, unknown>(Object.entries(settings));
  for (const [name, value] of Object.entries(given))
    if (!shown.includes(name)) assert.deepEqual(value, defaults.get(name) ?? defaults.get(`${name}Ms`), name);
}

test("the guide lists every limit", async () => {
  const guide = await readFile(GUIDE, "utf8");
  const [, section = ""] = /^## limits$([^]*?)^## /m.exec(guide) ?? [];
  const names = [...section.matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name);
  assert.deepEqual(names, Object.keys(DEFAULT_LIMITS));
});
