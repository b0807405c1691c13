import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import type { KeyOptions } from "../../src/access/access-options.ts";
import { createKey, isCreatedKey, sha256Of } from "../../src/access/keys/key.ts";
import { KeysFileWatch, parseKeysFile } from "../../src/config/keys-file.ts";
import { connect, createHub } from "../../src/index.ts";
import { until } from "../house/until.ts";

function folder(context: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "lintel-keys-"));
  context.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

function fileOf(...names: readonly string[]): string {
  return `keys:\n${names.map((name) => `  - { name: ${name}, role: service, sha256: ${sha256Of(name)} }\n`).join("")}`;
}

interface Watched {
  readonly names: () => string;
  readonly errors: unknown[];
}

async function watched(context: TestContext, path: string): Promise<Watched> {
  let keys: readonly KeyOptions[] = [];
  const errors: unknown[] = [];
  const file = await KeysFileWatch.open(path, {
    onKeys: (now) => (keys = now),
    onError: (error) => errors.push(error),
  });
  context.after(() => file.close());
  return { names: () => keys.map(({ name }) => name).join(" "), errors };
}

test("keys that are made have a checksum, and no two are the same", () => {
  const keys = Array.from({ length: 1_000 }, createKey);
  assert.equal(new Set(keys).size, keys.length);
  for (const key of keys) {
    assert.match(key, /^lkey_[0-9A-Za-z]{38}$/);
    assert.ok(isCreatedKey(key));
    const changed = key.replace(/.$/, (last) => (last === "a" ? "b" : "a"));
    assert.ok(!isCreatedKey(changed), changed);
  }
  assert.ok(!isCreatedKey("lkey_"));
});

test("says where a file is wrong, and never repeats what may be a key", async () => {
  const secret = createKey();
  const wrong = `keys:\n  - { name: a, role: service, sha256: ${secret} }\n  - { name: b, rol: service, sha256: ${sha256Of("b")} }\n`;
  await assert.rejects(parseKeysFile(wrong, "keys.yaml"), (error: Error) => {
    assert.match(error.message, /keys\.yaml:2:\d+: sha256 must be the SHA-256/);
    assert.match(error.message, /keys\.yaml:3:\d+: .*"rol"; did you mean "role"\?/);
    assert.ok(!error.message.includes(secret));
    return true;
  });
  assert.deepEqual(await parseKeysFile("", "keys.yaml"), []);
  for (const text of ["[]", "keys: 1", "keys: [", "key: []"])
    await assert.rejects(parseKeysFile(text, "keys.yaml"), { reason: "BAD_CONFIG" }, text);
});

test("follows a file that is written, replaced, broken, removed and made again", async (context) => {
  const path = join(folder(context), "keys.yaml");
  writeFileSync(path, fileOf("a"));
  const file = await watched(context, path);
  assert.equal(file.names(), "a");
  writeFileSync(path, fileOf("a", "b"));
  await until(() => file.names() === "a b", "what was written");
  writeFileSync(`${path}.new`, fileOf("c"));
  renameSync(`${path}.new`, path);
  await until(() => file.names() === "c", "what it was replaced with");
  writeFileSync(path, "keys: [");
  await until(() => file.errors.length === 1, "what is wrong with it");
  assert.equal(file.names(), "c");
  rmSync(path);
  await until(() => file.names() === "", "that it was removed");
  writeFileSync(path, fileOf("d"));
  await until(() => file.names() === "d", "that it is there again");
});

test("follows links as Kubernetes swaps them", async (context) => {
  const root = folder(context);
  for (const name of ["one", "two"]) {
    mkdirSync(join(root, name));
    writeFileSync(join(root, name, "keys.yaml"), fileOf(name));
  }
  symlinkSync("one", join(root, "..data"));
  symlinkSync(join("..data", "keys.yaml"), join(root, "keys.yaml"));
  const file = await watched(context, join(root, "keys.yaml"));
  assert.equal(file.names(), "one");
  symlinkSync("two", join(root, "..new"));
  renameSync(join(root, "..new"), join(root, "..data"));
  await until(() => file.names() === "two", "the other link");
});

test("notices a change of what a link to another folder leads to", async (context) => {
  const [here, there] = [folder(context), folder(context)];
  writeFileSync(join(there, "real.yaml"), fileOf("a"));
  symlinkSync(join(there, "real.yaml"), join(here, "keys.yaml"));
  const file = await watched(context, join(here, "keys.yaml"));
  writeFileSync(join(there, "real.yaml"), fileOf("b"));
  await until(() => file.names() === "b", "the change");
});

test("never takes a file that is still written for one with fewer keys", async (context) => {
  const path = join(folder(context), "keys.yaml");
  writeFileSync(path, fileOf("a", "b"));
  const seen: string[] = [];
  const errors: unknown[] = [];
  const file = await KeysFileWatch.open(path, {
    onKeys: (keys) => void seen.push(keys.map(({ name }) => name).join(" ")),
    onError: (error) => void errors.push(error),
  });
  context.after(() => file.close());
  writeFileSync(path, "");
  await until(() => errors.length === 1, "what is said of an empty file");
  assert.match(String(errors[0]), /is empty; its last keys stay good/);
  writeFileSync(path, fileOf("a", "b", "c"));
  await until(() => seen.at(-1) === "a b c", "the whole file");
  assert.deepEqual(seen, ["a b", "a b c"]);
  writeFileSync(path, "keys: []\n");
  await until(() => seen.at(-1) === "", "that there are none");
});

test("a file that cannot be looked at is reported once, and its keys stay", async (context) => {
  const path = join(folder(context), "keys.yaml");
  writeFileSync(path, fileOf("a"));
  const file = await watched(context, path);
  rmSync(path);
  symlinkSync("keys.yaml", path); // a link to itself
  await until(() => file.errors.some((error) => String(error).includes("ELOOP")), "the error");
  rmSync(path);
  writeFileSync(path, fileOf("b"));
  await until(() => file.names() === "b", "that it is there again");
});

test("a file that is not there yet has no keys, and one that is wrong stops the start", async (context) => {
  const path = join(folder(context), "keys.yaml");
  const file = await watched(context, path);
  assert.equal(file.names(), "");
  writeFileSync(path, fileOf("a"));
  await until(() => file.names() === "a", "its first keys");
  writeFileSync(path, "keys: 1");
  await assert.rejects(createHub({ listen: [], http: false, access: { keysFile: path } }), {
    reason: "BAD_CONFIG",
  });
});

test("a hub ends the session of a key that leaves the file, and no other", async (context) => {
  const path = join(folder(context), "keys.yaml");
  writeFileSync(path, fileOf("stays", "goes"));
  const hub = await createHub({ listen: ["tcp://127.0.0.1:0"], http: false, access: { keysFile: path } });
  context.after(() => hub.close());
  const [url] = hub.urls;
  const [stays, goes] = await Promise.all(
    ["stays", "goes"].map((token) => connect(url!, { token, onError: () => undefined })),
  );
  context.after(() => Promise.all([stays!.close(), goes!.close()]));
  await stays!.serve("a", () => "yes");
  assert.equal(await goes!.request("a"), "yes");
  writeFileSync(path, fileOf("stays", "comes"));
  const startedAt = performance.now();
  let refused: unknown;
  await until(async () => {
    refused = await goes!.request("a").then(
      () => undefined,
      (error: unknown) => error,
    );
    return (refused as { code?: string } | undefined)?.code === "unauthenticated";
  }, "the end of the session");
  assert.ok(performance.now() - startedAt < 5_000);
  const comes = await connect(url!, { token: "comes" });
  context.after(() => comes.close());
  assert.equal(await comes.request("a"), "yes");
});
