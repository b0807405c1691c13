import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { grpcSettings } from "../../src/gateway/grpc/options.ts";
import { beamSettings, type BeamSettings } from "../../src/gateway/beam/options.ts";
import { parseConfig } from "../../src/config/config.ts";
import { jobsSettings } from "../../src/gateway/jobs/options.ts";
import { DEFAULT_LIMITS } from "../../src/message/limits.ts";
import { root } from "../house/root.ts";
import { pair } from "../transport/certificates.ts";

const GUIDE = new URL("../../../docs/guides/configuration.md", import.meta.url);

test("the guide's example is a legal file that uses every key", async () => {
  const guide = await readFile(GUIDE, "utf8");
  const [, example = ""] = /^```yaml\n([^]*?)^```$/m.exec(guide) ?? [];
  const { http, jobs, listen, limits, tls, beam, grpc } = await parseConfig(
    example,
    join(root, "test/certificates/the guide"),
  );
  assert.ok(http);
  assert.deepEqual(Object.keys(http), [
    "host",
    "port",
    "bodyLimit",
    "defaultMapping",
    "sessions",
    "origins",
    "timeoutMs",
    "sseKeepAliveMs",
    "streamIdleMs",
    "streamGraceMs",
    "routes",
  ]);
  assert.equal(http.routes?.length, 2);
  assert.ok(typeof jobs === "object");
  assert.deepEqual(Object.keys(jobs), [
    "maxPolls",
    "maxServices",
    "compat",
    "services",
    "waitMs",
    "maxWaitMs",
    "lingerMs",
  ]);
  for (const [name, value] of Object.entries(jobsSettings({})))
    if (typeof value === "number") assert.equal(jobs[name as "waitMs"], value, name);
  assert.equal(listen?.length, 2);
  assert.deepEqual(tls, pair("server"));
  const defaults = settable(beamSettings({ path: "/run/lintel/beam.sock" }));
  assert.deepEqual(beam, { ...defaults, prefix: "legacy" });
  const { limits: _, ...settings } = grpcSettings({ port: 4510 });
  assert.deepEqual(grpc, settings);
  for (const [name, value] of Object.entries(limits ?? {}))
    assert.equal(value, DEFAULT_LIMITS[name as "queue"], name);
});

/** Without what no file can say. */
function settable({ onError: _, clock: __, ...settings }: Partial<BeamSettings>): Partial<BeamSettings> {
  return settings;
}

test("the guide lists every limit", async () => {
  const guide = await readFile(GUIDE, "utf8");
  const [, section = ""] = /^## limits$([^]*?)^## /m.exec(guide) ?? [];
  const names = [...section.matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name);
  assert.deepEqual(names, Object.keys(DEFAULT_LIMITS));
});
