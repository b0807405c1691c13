import assert from "node:assert/strict";
import { test } from "node:test";
import { parseConfig } from "../../src/config/config.ts";
import type { LintelError } from "../../src/message/failure.ts";

const SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
const OTHER = SHA256.replace("9", "8");
const SECRET = "lkey_this_is_the_key_itself";

test("reads who may do what", async () => {
  const { access } = await parseConfig(
    `access:
  anonymous: client
  keys:
    - { name: shop, role: service, sha256: ${SHA256}, tenant: a, grants: { request: ["orders.>"] } }
    - { name: ci, role: service, sha256: ${OTHER}, expires: 2027-01-31, deny: { serve: [a] } }
  jwt: { jwks: "https://id.example/jwks.json", issuer: https://id.example, audience: [lintel], clockSkew: 5s }
  certificates: [ { san: "worker-*.shop.example", role: service } ]
  unix: [ { uid: 1000, role: service } ]
  limits: { client: { connections: 20, requestsPerSecond: 100, burst: 200, bytesPerSecond: 1MB } }
`,
    "lintel.yaml",
  );
  assert.deepEqual(access, {
    anonymous: "client",
    keys: [
      { name: "shop", role: "service", sha256: SHA256, tenant: "a", grants: { request: ["orders.>"] } },
      { name: "ci", role: "service", sha256: OTHER, expires: "2027-01-31", deny: { serve: ["a"] } },
    ],
    jwt: {
      jwks: "https://id.example/jwks.json",
      issuer: "https://id.example",
      audience: ["lintel"],
      clockSkew: 5_000,
    },
    certificates: [{ san: "worker-*.shop.example", role: "service" }],
    unix: [{ uid: 1_000, role: "service" }],
    limits: { client: { connections: 20, requestsPerSecond: 100, burst: 200, bytesPerSecond: 1_000_000 } },
  });
});

for (const [name, source, place, text] of [
  [
    "a key in place of its digest",
    `keys: [{ name: a, role: client, sha256: ${SECRET} }]`,
    "2:45",
    /never the key itself/,
  ],
  [
    "a role that is none",
    `keys: [{ name: a, role: root, sha256: ${SHA256} }]`,
    "2:30",
    /service, client, observer, admin/,
  ],
  [
    "a verb that is none",
    `keys: [{ name: a, role: client, sha256: ${SHA256}, grants: { requests: [a] } }]`,
    "2:122",
    /request/,
  ],
  [
    "a pattern that is none",
    `keys: [{ name: a, role: client, sha256: ${SHA256}, grants: { request: [a..b] } }]`,
    "2:132",
    /pattern/,
  ],
  ["an issuer without TLS", `jwt: { jwks: "http://id.example", issuer: a, audience: b }`, "2:8", /https/],
  [
    "two sources of keys",
    `jwt: { jwks: "https://id.example", secret: ${SECRET.repeat(2)}, issuer: a, audience: b }`,
    "2:8",
    /one of/,
  ],
  [
    "a secret that is short",
    `jwt: { secret: ${SECRET}, issuer: a, audience: b }`,
    "2:8",
    /at least 32 bytes/,
  ],
  ["a key in place of a map", `keys: [${SECRET}]`, "2:10", /must be a map/],
  ["a key in place of a list", `keys: ${SECRET}`, "2:9", /must be a list/],
  [
    "the digest of nothing",
    "keys: [{ name: a, role: client, sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 }]",
    "2:45",
    /empty key/,
  ],
  [
    "a digest twice",
    `keys: [{ name: a, role: client, sha256: ${SHA256} }, { name: b, role: admin, sha256: ${SHA256.toUpperCase()} }]`,
    "2:150",
    /another key too/,
  ],
  [
    "a day that is none",
    `keys: [{ name: a, role: client, sha256: ${SHA256}, expires: 90d }]`,
    "2:122",
    /a date such as/,
  ],
  ["a certificate without a name", "certificates: [{ role: client }]", "2:18", /either san or subject/],
  ["a name that is none", 'certificates: [{ role: client, san: "a b" }]', "2:18", /san must be a name/],
  ["a unix peer without a number", "unix: [{ role: client }]", "2:10", /uid or gid/],
  ["a misspelled key", `key: []`, "2:3", /keys/],
] as const)
  test(`says where there is ${name}, and does not repeat it`, async () => {
    await assert.rejects(parseConfig(`access:\n  ${source}\n`, "lintel.yaml"), (error: LintelError) => {
      assert.equal(error.reason, "BAD_CONFIG");
      assert.match(error.message, text);
      assert.ok(error.message.startsWith(`lintel.yaml:${place.split(":")[0]}:`), error.message);
      assert.ok(!JSON.stringify([error.message, error.details]).includes(SECRET), error.message);
      return true;
    });
  });

test("variables say it, too", async () => {
  const environment = {
    LINTEL_ACCESS_ANONYMOUS: "client",
    LINTEL_ACCESS_KEYS_FILE: "keys.yaml",
    LINTEL_ACCESS_KEYS: `[{ name: shop, role: service, sha256: ${SHA256} }]`,
    LINTEL_ACCESS_CERTIFICATES: "[{ san: a.example, role: client }]",
    LINTEL_ACCESS_JWT_JWKS: "https://id.example/jwks.json",
    LINTEL_ACCESS_JWT_ISSUER: "https://id.example",
    LINTEL_ACCESS_JWT_AUDIENCE: "lintel",
    LINTEL_ACCESS_LIMITS_CLIENT_REQUESTS_PER_SECOND: "100",
  };
  const { access } = await parseConfig("access: { anonymous: none }", "lintel.yaml", { environment });
  assert.deepEqual(access, {
    anonymous: "client",
    keysFile: "keys.yaml",
    keys: [{ name: "shop", role: "service", sha256: SHA256 }],
    certificates: [{ san: "a.example", role: "client" }],
    jwt: { jwks: "https://id.example/jwks.json", issuer: "https://id.example", audience: "lintel" },
    limits: { client: { requestsPerSecond: 100 } },
  });
  for (const wrong of [{ LINTEL_ACCESS_KEYS: SECRET }, { LINTEL_ACCESS_KEYS: `[{ sha256: ${SECRET} }]` }])
    await assert.rejects(parseConfig("", "lintel.yaml", { environment: wrong }), (error: LintelError) => {
      assert.match(error.message, /^LINTEL_ACCESS_KEYS: /);
      assert.ok(!JSON.stringify([error.message, error.details]).includes(SECRET), error.message);
      return true;
    });
});
