import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { isCreatedKey, sha256Of } from "../../src/access/keys/key.ts";
import { lintel as run, start } from "./cli-process.ts";

function folder(context: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "lintel-cli-keys-"));
  context.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

test("a key is printed once, alone on stdout, and its digest is in the file", async (context) => {
  const cwd = folder(context);
  const { stdout, exit } = await run(["keys", "create", "shop", "--role", "service", "--expires", "90d"], {
    cwd,
  });
  assert.equal(exit, 0);
  const key = stdout.trim();
  assert.ok(isCreatedKey(key));
  const file = readFileSync(join(cwd, "keys.yaml"), "utf8");
  assert.ok(file.includes(sha256Of(key)));
  assert.ok(!file.includes(key));
  assert.equal(statSync(join(cwd, "keys.yaml")).mode & 0o777, 0o600);
  const listed = await run(["keys", "list"], { cwd });
  assert.match(listed.stdout, new RegExp(`^${sha256Of(key).slice(0, 8)} +shop +service +main `, "m"));
  assert.ok(!`${listed.stdout}${listed.stderr}`.includes(key));
});

test("keys that are made at the same time are all in the file", async (context) => {
  const cwd = folder(context);
  const names = Array.from({ length: 20 }, (_, index) => `k${index + 10}`);
  await Promise.all(names.map((name) => run(["keys", "create", name, "--role", "client"], { cwd })));
  const { stdout } = await run(["keys", "list", "--json"], { cwd });
  const listed = JSON.parse(stdout) as { name: string }[];
  assert.deepEqual(listed.map(({ name }) => name).toSorted(), names);
});

test("rotating leaves two keys for a time, revoking none, and comments stay", async (context) => {
  const cwd = folder(context);
  const path = join(cwd, "keys.yaml");
  const comment = "# the shop's";
  writeFileSync(
    path,
    `keys:\n  ${comment}\n  - { name: shop, role: service, sha256: ${sha256Of("old")}, tenant: a }\n`,
  );
  const { stdout } = await run(["keys", "rotate", "shop", "--overlap", "1h", "--json"], { cwd });
  const made = JSON.parse(stdout) as { key: string; tenant: string };
  assert.equal(made.tenant, "a");
  assert.ok(readFileSync(path, "utf8").includes(comment));
  const keys = JSON.parse((await run(["keys", "list", "--json"], { cwd })).stdout) as {
    id: string;
    expires?: string;
  }[];
  assert.equal(keys.length, 2);
  assert.ok(Date.parse(keys[0]!.expires!) > Date.now());
  assert.equal(keys[1]!.expires, undefined);
  assert.equal((await run(["keys", "revoke", "shop", "--id", keys[0]!.id], { cwd })).exit, 0);
  assert.equal((await run(["keys", "revoke", "shop"], { cwd })).exit, 0);
  const last = await run(["keys", "revoke", "shop"], { cwd });
  assert.equal(last.exit, 1);
  assert.match(last.stderr, /NOT_FOUND/);
});

test("a key that would never be good, or hardly ever end, is not made", async (context) => {
  const cwd = folder(context);
  for (const [expires, text] of Object.entries({
    "0d": /in the future/,
    "2020-01-01": /in the future/,
    "999999y": /year 10000/,
    soon: /90d/,
  })) {
    const { exit, stderr } = await run(["keys", "create", "a", "--role", "client", "--expires", expires], {
      cwd,
    });
    assert.deepEqual([exit, text.test(stderr)], [2, true], stderr);
  }
  assert.match((await run(["keys", "list"], { cwd })).stderr, /has no keys/);
});

test("an id that is none takes nothing back, and what people write into the file is no obstacle", async (context) => {
  const cwd = folder(context);
  const path = join(cwd, "keys.yaml");
  const [one, other] = [sha256Of("one").toUpperCase(), sha256Of("other")];
  const entry = (sha256: string): string =>
    `  - { name: shop, role: service, sha256: "${sha256}", created: long ago, expires: "2999-01-31" }\n`;
  writeFileSync(path, `keys:\n${entry(one)}${entry(other)}`);
  for (const id of ["", "a", "not-hex-"]) {
    const { exit, stderr } = await run(["keys", "revoke", "shop", "--id", id], { cwd });
    assert.equal(exit, 2, id);
    assert.match(stderr, /8 to 64 hexadecimal digits/);
  }
  assert.equal((await run(["keys", "rotate", "shop"], { cwd })).exit, 0);
  assert.equal((await run(["keys", "revoke", "shop", "--id", one.slice(0, 8)], { cwd })).exit, 0);
  const left = JSON.parse((await run(["keys", "list", "--json"], { cwd })).stdout) as {
    id: string;
    expires?: string;
  }[];
  assert.deepEqual([left.length, left[0]?.id, left[1]?.expires], [2, other.slice(0, 8), undefined]);
});

test("commands show the key of a file or of the environment, and never one on the command line", async (context) => {
  const cwd = folder(context);
  const key = (await run(["keys", "create", "shop", "--role", "service"], { cwd })).stdout.trim();
  writeFileSync(
    join(cwd, "lintel.yaml"),
    "http: false\nlisten: [tcp://127.0.0.1:0]\naccess: { keysFile: keys.yaml }\n",
  );
  writeFileSync(join(cwd, "key"), `${key}\n`);
  chmodSync(join(cwd, "key"), 0o600);
  await using hub = start(["serve", "--log", "json"], { cwd });
  const [line] = await hub.prints(/^.*listening.*$/m);
  const [url] = (JSON.parse(line) as { listen: string[] }).listen;
  const env = { LINTEL_HUB: url! };
  await using worker = start(["work", "env", "--key-file", "key", "--", "sh", "-c", 'echo "[$LINTEL_KEY]"'], {
    cwd,
    env,
  });
  await worker.prints(/./, "stderr").catch(() => undefined);
  const none = await run(["request", "env"], { cwd, env });
  assert.equal(none.exit, 3);
  assert.match(none.stderr, /unauthenticated|credentials|UNAUTHENTICATED/i);
  const asked = await run(["request", "env", "--timeout", "20"], { cwd, env: { ...env, LINTEL_KEY: key } });
  assert.equal(asked.stdout.trim(), "[]", asked.stderr);
  for (const text of [hub.stdout, hub.stderr, worker.stdout, worker.stderr, none.stderr, asked.stderr])
    assert.ok(!text.includes(key));
  const flag = await run(["request", "env", "--key", key], { cwd, env });
  assert.equal(flag.exit, 2);
});
