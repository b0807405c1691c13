import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { until } from "../house/until.ts";
import { lintel, start } from "./cli-process.ts";

test("serve --access-log writes who was refused and which keys have changed, and no key", async (context) => {
  const cwd = mkdtempSync(join(tmpdir(), "lintel-access-log-"));
  context.after(() => rmSync(cwd, { recursive: true, force: true }));
  writeFileSync(
    join(cwd, "lintel.yaml"),
    "http: { listen: 0 }\nlisten: []\naccess: { keysFile: keys.yaml }\n",
  );
  await using hub = start(["serve", "--log", "json", "--access-log", "access.log"], { cwd });
  const [line] = await hub.prints(/^.*listening.*$/m);
  const { http, access } = JSON.parse(line) as { http: string; access: { keysFile: string } };
  assert.ok(access.keysFile.endsWith("keys.yaml"));
  const key = (await lintel(["keys", "create", "shop", "--role", "client"], { cwd })).stdout.trim();
  const read = (): string => readFileSync(join(cwd, "access.log"), "utf8");
  await until(() => read().includes("key added"), "the new key");
  for (const token of ["lkey_guess", key])
    await fetch(`${http}/a`, { headers: { authorization: `Bearer ${token}` } });
  await lintel(["keys", "revoke", "shop"], { cwd });
  await until(() => read().includes("key revoked"), "the end of the key");
  const events = read()
    .trimEnd()
    .split("\n")
    .map((text) => JSON.parse(text) as Record<string, unknown>)
    .map(({ event, action, name, principal, verb, subject, reason }) => [
      event,
      action ?? reason,
      name ?? principal,
      verb,
      subject,
    ]);
  assert.deepEqual(events, [
    ["admin", "key added", "shop", undefined, undefined],
    ["refused", "UNAUTHENTICATED", undefined, undefined, undefined],
    ["refused", "PERMISSION_DENIED", "shop", "request", "a"],
    ["admin", "key revoked", "shop", undefined, undefined],
  ]);
  assert.ok(!read().includes(key) && !read().includes("lkey_"));
  assert.equal(statSync(join(cwd, "access.log")).mode & 0o777, 0o600);
});
