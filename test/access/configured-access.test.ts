import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { createAccess } from "../../src/access/create-access.ts";
import type { AccessOptions, KeyOptions } from "../../src/access/access-options.ts";
import type { Principal } from "../../src/access/access.ts";
import { connect, createHub } from "../../src/index.ts";
import type { LintelError } from "../../src/message/failure.ts";

const KEY = "lkey_for_tests_only";
const FROM = { gateway: "http", remote: "127.0.0.1" };

function sha256(key: string): string {
  return createHash("sha256").update(key).digest("hex");
}

const KEYS: readonly KeyOptions[] = [
  { name: "shop", role: "service", sha256: sha256(KEY) },
  { name: "page", role: "client", sha256: sha256("page"), grants: { request: ["orders.>"] } },
  { name: "old", role: "service", sha256: sha256("old"), expires: "2020-01-01" },
];

test("a key is a principal, and the same one each time", async () => {
  const access = await createAccess({ keys: KEYS });
  const principal = await access.authenticate({ ...FROM, token: KEY });
  assert.deepEqual(
    { ...principal, rights: undefined },
    {
      id: "shop",
      tenant: "main",
      role: "service",
      expiresAt: undefined,
      limits: undefined,
      rights: undefined,
    },
  );
  assert.equal(await access.authenticate({ ...FROM, token: KEY }), principal);
});

test("what is no key is refused, and anonymous callers unless they are let in", async () => {
  const access = await createAccess({ keys: KEYS });
  for (const token of [undefined, "", "guess", `${KEY} `, KEY.slice(0, -1), sha256(KEY)])
    assert.throws(() => access.authenticate({ ...FROM, token }), { code: "unauthenticated" });
  const open = await createAccess({ anonymous: "client", keys: KEYS });
  assert.equal((await open.authenticate(FROM)).role, "client");
  assert.throws(() => open.authenticate({ ...FROM, token: "guess" }), { code: "unauthenticated" });
});

test("options that are wrong are refused, and no text repeats them", async () => {
  const base = KEYS[0]!;
  const wrong: Record<string, readonly KeyOptions[]> = {
    ".keys[0].sha256": [{ ...base, sha256: KEY }],
    ".keys[0].name": [{ ...base, name: "" }],
    ".keys[0].role": [{ ...base, role: "root" as "admin" }],
    ".keys[0].tenant": [{ ...base, tenant: "a.b" }],
    ".keys[0].grants": [{ ...base, grants: { request: ["a b"] } }],
    ".keys[0].expires": [{ ...base, expires: "soon" }],
  };
  for (const [where, keys] of Object.entries(wrong))
    await assert.rejects(createAccess({ keys }), (error: LintelError) => {
      assert.equal(error.code, "invalid_argument");
      assert.ok(error.message.startsWith(`createHub: access${where}`), error.message);
      assert.ok(!error.message.includes(KEY));
      return true;
    });
});

test("a hub lets in whom it has a key of, for what was granted", async (context) => {
  const hub = await createHub({ listen: ["tcp://127.0.0.1:0"], http: false, access: { keys: KEYS } });
  context.after(() => hub.close());
  const [url] = hub.urls;
  await hub.serve("orders.new", () => "made");
  await hub.serve("stock.new", () => "made");
  const page = await connect(url!, { token: "page" });
  context.after(() => page.close());
  assert.equal(await page.request("orders.new"), "made");
  await assert.rejects(page.request("stock.new"), { code: "permission_denied" });
  for (const token of [undefined, "guess", "old"])
    await assert.rejects(connect(url!, token === undefined ? {} : { token }), { code: "unauthenticated" });
});

test("keys of a file that go or change are revoked, and no others", async () => {
  const access = await createAccess({});
  const revoked: string[] = [];
  access.onRevoked(({ id, role }: Principal) => revoked.push(`${id} ${role}`));
  const [shop, page] = KEYS;
  access.replaceFileKeys([shop!, page!]);
  const principal = await access.authenticate({ ...FROM, token: KEY });
  access.replaceFileKeys([{ ...shop! }, { ...page!, role: "observer" }]);
  assert.deepEqual(revoked, ["page client"]);
  assert.equal(await access.authenticate({ ...FROM, token: KEY }), principal);
  access.replaceFileKeys([]);
  assert.deepEqual(revoked, ["page client", "shop service", "page observer"]);
  assert.throws(() => access.authenticate({ ...FROM, token: KEY }), { code: "unauthenticated" });
});

test("no option is passed over, and limits are numbers", async () => {
  const base = KEYS[0]!;
  const wrong: readonly (readonly [string, unknown])[] = [
    [" must be an object", []],
    [' has no option "key"', { key: [] }],
    [".keys must be a list", { keys: base }],
    [".keys[0] must be an object", { keys: [KEY] }],
    ['.keys[0] has no option "denied"', { keys: [{ ...base, denied: { request: [">"] } }] }],
    [
      ".keys[1].sha256 is the digest of another",
      { keys: [base, { ...base, sha256: base.sha256.toUpperCase() }] },
    ],
    [".keys[0].sha256 is that of an empty key", { keys: [{ ...base, sha256: sha256("") }] }],
    [".keys[0].expires", { keys: [{ ...base, expires: "2027" }] }],
    [".keys[0].expires", { keys: [{ ...base, expires: "2027-01-31T12:00:00" }] }],
    [".keys[0].limits.burst", { keys: [{ ...base, limits: { burst: -1 } }] }],
    ['.keys[0].limits has no option "requests"', { keys: [{ ...base, limits: { requests: 1 } }] }],
    [".limits.client.inFlight", { limits: { client: { inFlight: "1" } } }],
    ['.limits has no option "root"', { limits: { root: {} } }],
    [".keysFile", { keysFile: "" }],
    [".jwt must be an object", { jwt: "https://id.example" }],
  ];
  for (const [text, options] of wrong)
    await assert.rejects(createAccess(options as AccessOptions), (error: LintelError) => {
      assert.ok(error.message.startsWith(`createHub: access${text}`), error.message);
      assert.ok(!error.message.includes(KEY));
      return true;
    });
});
