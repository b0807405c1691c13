import assert from "node:assert/strict";
import { mkdtempSync, readlinkSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { createHub, type HubConfig } from "../../src/index.ts";

/** Files that this process has open in a folder. */
function openIn(folder: string): string[] {
  return readdirSync("/proc/self/fd").flatMap((number) => {
    try {
      const path = readlinkSync(`/proc/self/fd/${number}`);
      return path.startsWith(folder) ? [path] : [];
    } catch {
      return []; // it was closed meanwhile
    }
  });
}

test("a hub that cannot be started leaves no file open and looks at none any more", async (context) => {
  const folder = mkdtempSync(join(tmpdir(), "lintel-failed-start-"));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  const keysFile = join(folder, "keys.yaml");
  writeFileSync(keysFile, "keys: []\n");
  const base: HubConfig = {
    http: false,
    listen: [],
    accessLog: join(folder, "access.log"),
    access: { keysFile },
  };
  const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;
  const before = timers();
  const wrong: Readonly<Record<string, HubConfig>> = {
    "an engine that is none": { ...base, engine: "nowhere" },
    "an address that is none": { ...base, listen: ["tcp://256.0.0.1:1"] },
    "keys that are none": { ...base, access: { keysFile, keys: [{ name: "", role: "client", sha256: "" }] } },
  };
  for (const [name, config] of Object.entries(wrong)) {
    await assert.rejects(createHub(config), name);
    assert.deepEqual(openIn(folder), [], name);
    assert.equal(timers(), before, name);
  }
});
