import assert from "node:assert/strict";
import { createHmac, generateKeyPairSync, type KeyObject } from "node:crypto";
import { test, type TestContext } from "node:test";
import { exportJWK, SignJWT } from "jose";
import type { Principal } from "../../../src/access/access.ts";
import type { JwtOptions } from "../../../src/access/jwt/options.ts";
import { JwtVerifier, type TokenIdentity } from "../../../src/access/jwt/verifier.ts";
import { LintelError } from "../../../src/message/failure.ts";
import { issuer as startIssuer } from "./issuer.ts";

const ISSUER = "https://id.example";
const AUDIENCE = "lintel";
const NOW = 1_800_000_000_000;

const rsa = generateKeyPairSync("rsa", { modulusLength: 2_048 });
const ec = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
const publicPem = rsa.publicKey.export({ type: "spki", format: "pem" }).toString();

interface Signing {
  readonly alg?: string;
  readonly kid?: string;
  readonly key?: KeyObject | Uint8Array;
}

/** A token that is good, but for what is given. A claim that is undefined is left out. */
function sign(
  claims: Record<string, unknown> = {},
  { alg = "RS256", kid, key = rsa.privateKey }: Signing = {},
): Promise<string> {
  const payload = { iss: ISSUER, aud: AUDIENCE, sub: "ada", exp: NOW / 1_000 + 600, ...claims };
  return new SignJWT(payload).setProtectedHeader(kid === undefined ? { alg } : { alg, kid }).sign(key);
}

interface Setup {
  readonly verifier: JwtVerifier;
  readonly seen: TokenIdentity[];
  readonly revoked: Principal[];
  readonly errors: unknown[];
  now: number;
}

function setUp(options: Partial<JwtOptions> = { key: publicPem }): Setup {
  const seen: TokenIdentity[] = [];
  const revoked: Principal[] = [];
  const errors: unknown[] = [];
  const setup = { seen, revoked, errors, now: NOW };
  const verifier = new JwtVerifier(
    { issuer: ISSUER, audience: AUDIENCE, ...options },
    {
      principalOf: (identity) => {
        seen.push(identity);
        const { id, tenant = "main", role, expiresAt } = identity;
        return { id, tenant, role, expiresAt };
      },
      revoke: (principal) => revoked.push(principal),
      timeOfDay: () => setup.now,
      onError: (error) => errors.push(error),
    },
  );
  return Object.assign(setup, { verifier });
}

async function refused(verifying: Promise<unknown>, reason = "UNAUTHENTICATED"): Promise<string> {
  const error = await verifying.then(
    () => assert.fail("the token was accepted"),
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof LintelError, String(error));
  assert.equal(error.reason, reason);
  return error.message;
}

test("a good token says who it is, what it may do and until when", async () => {
  const setup = setUp();
  const grants = { request: ["orders.>"] };
  const token = await sign({ role: "service", tenant: "a", grants, deny: { request: ["orders.x"] } });
  const principal = await setup.verifier.verify(token);
  assert.deepEqual(principal, { id: "ada", tenant: "a", role: "service", expiresAt: NOW + 600_000 + 30_000 });
  const [identity] = setup.seen;
  assert.deepEqual(identity?.grants, grants);
  assert.deepEqual(identity?.deny, { request: ["orders.x"] });
  assert.equal(await setup.verifier.verify(token), principal, "the same object for the same token");
  assert.equal(setup.seen.length, 1);
});

test("calls with one token at the same time get one principal", async () => {
  const setup = setUp();
  const token = await sign();
  const all = await Promise.all(Array.from({ length: 20 }, () => setup.verifier.verify(token)));
  assert.equal(new Set(all).size, 1);
});

test("refuses what is no good token", async (t) => {
  const base64 = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  const claims = { iss: ISSUER, aud: AUDIENCE, sub: "ada", exp: NOW / 1_000 + 600 };
  const confused = `${base64({ alg: "HS256" })}.${base64(claims)}`;
  const hmac = createHmac("sha256", publicPem).update(confused).digest("base64url");
  const good = await sign();
  const [head = "", body = "", signature = ""] = good.split(".");
  const other = generateKeyPairSync("rsa", { modulusLength: 2_048 }).privateKey;
  const cases: Record<string, string> = {
    "alg none": `${base64({ alg: "none" })}.${base64(claims)}.`,
    "alg None": `${base64({ alg: "None" })}.${base64(claims)}.x`,
    "no alg": `${base64({})}.${base64(claims)}.${signature}`,
    "HS256 with the public key as the secret": `${confused}.${hmac}`,
    "another key": await sign({}, { key: other }),
    "another algorithm's key": await sign({}, { alg: "ES256", key: ec.privateKey }),
    "a changed body": `${head}.${base64({ ...claims, role: "service" })}.${signature}`,
    "no signature": `${head}.${body}.`,
    "an unknown critical header": `${base64({ alg: "RS256", crit: ["x"], x: 1 })}.${body}.${signature}`,
    "wrong issuer": await sign({ iss: "https://evil.example" }),
    "no issuer": await sign({ iss: undefined }),
    "wrong audience": await sign({ aud: ["other", "another"] }),
    "no audience": await sign({ aud: undefined }),
    expired: await sign({ exp: NOW / 1_000 - 31 }),
    "good forever": await sign({ exp: undefined }),
    "not yet valid": await sign({ nbf: NOW / 1_000 + 31 }),
    "no subject": await sign({ sub: undefined }),
    "an empty subject": await sign({ sub: "" }),
    "a role that is none": await sign({ role: "root" }),
    "an administrator": await sign({ role: "admin" }),
    "a role of another type": await sign({ role: ["service"] }),
    "a tenant of another type": await sign({ tenant: 7 }),
    "three dots": "a.b.c",
    nothing: "..",
  };
  for (const [name, token] of Object.entries(cases))
    await t.test(name, async () => {
      const { verifier, seen } = setUp();
      const text = await refused(verifier.verify(token));
      assert.equal(seen.length, 0);
      assert.ok(signature === "" || !text.includes(signature));
    });
});

test("says why a token is refused only when its signature is good", async () => {
  const { verifier } = setUp();
  assert.equal(await refused(verifier.verify(await sign({ exp: 1 }))), "the token has expired");
  const forged = await sign(
    { exp: 1 },
    { key: generateKeyPairSync("rsa", { modulusLength: 2_048 }).privateKey },
  );
  assert.equal(await refused(verifier.verify(forged)), "the token is not accepted");
});

test("a token that has expired is refused though it was good before", async () => {
  const setup = setUp();
  const token = await sign();
  await setup.verifier.verify(token);
  setup.now += 600_000 + 30_000;
  assert.equal(await refused(setup.verifier.verify(token)), "the token has expired");
});

test("takes administrators only where the option roles has them, and claims by other names", async () => {
  const claims = { id: "email", role: "https://shop.example/role", tenant: "org" };
  const { verifier } = setUp({ key: publicPem, roles: ["admin"], claims });
  const token = await sign({ email: "ada@shop.example", [claims.role]: "admin", org: "shop" });
  const { id, tenant, role } = await verifier.verify(token);
  assert.deepEqual({ id, tenant, role }, { id: "ada@shop.example", tenant: "shop", role: "admin" });
  await refused(verifier.verify(await sign({ email: "ada@shop.example", role: "admin" })));
});

test("verifies with a shared secret, and then with no other kind of key", async () => {
  const secret = "s".repeat(32);
  const { verifier } = setUp({ secret });
  const key = new TextEncoder().encode(secret);
  assert.equal((await verifier.verify(await sign({}, { alg: "HS256", key }))).id, "ada");
  await refused(verifier.verify(await sign()));
});

async function withIssuer(
  context: TestContext,
  keys: readonly object[],
): Promise<Setup & { server: Awaited<ReturnType<typeof startIssuer>> }> {
  const server = await startIssuer(context, { keys });
  return Object.assign(setUp({ jwks: server.url }), { server });
}

async function jwk(key: KeyObject, kid: string): Promise<object> {
  return { ...(await exportJWK(key)), kid, use: "sig" };
}

test("fetches the keys of an issuer once, and again for a key it does not know", async (context) => {
  const first = await jwk(rsa.publicKey, "one");
  const setup = await withIssuer(context, [first]);
  const { server, verifier } = setup;
  const one = await verifier.verify(await sign({}, { kid: "one" }));
  await verifier.verify(await sign({ sub: "eve" }, { kid: "one" }));
  assert.equal(server.asked, 1);
  const rotated = await sign({ sub: "bob" }, { kid: "two", alg: "ES256", key: ec.privateKey });
  server.answer = { keys: [await jwk(ec.publicKey, "two")] };
  await refused(verifier.verify(rotated)); // the issuer was asked a moment ago
  assert.equal(server.asked, 1);
  setup.now += 5_000;
  assert.equal((await verifier.verify(rotated)).id, "bob");
  assert.equal(server.asked, 2);
  assert.deepEqual(setup.revoked.map(({ id }) => id).toSorted(), ["ada", "eve"], "their key was withdrawn");
  assert.equal(setup.revoked[0], one);
  await refused(verifier.verify(await sign({}, { kid: "one" })));
});

for (const [fault, answer] of Object.entries({
  "answers 500": 500,
  redirects: 302,
  "answers with garbage": "<html>",
  "answers with no keys": { keys: [] },
  "answers with more than it may": `{"keys":[${" ".repeat(1_100_000)}]}`,
  "is gone": undefined,
}))
  test(`uses the last good keys while the issuer ${fault}`, async (context) => {
    const setup = await withIssuer(context, [await jwk(rsa.publicKey, "one")]);
    const { server, verifier } = setup;
    await verifier.verify(await sign({}, { kid: "one" }));
    if (answer === undefined) await server.stop();
    else server.answer = answer;
    setup.now += 3_600_000;
    const exp = setup.now / 1_000 + 60;
    await verifier.verify(await sign({ exp }, { kid: "one" }));
    await refused(verifier.verify(await sign({ exp }, { kid: "unknown" })));
    assert.ok(setup.errors.length > 0, "its owner is told");
    assert.deepEqual(setup.revoked, []);
    setup.now += 86_400_000;
    await refused(
      verifier.verify(await sign({ exp: setup.now / 1_000 + 60 }, { kid: "one" })),
      "ACCESS_UNAVAILABLE",
    );
  });

test("an issuer that hangs holds nobody up who has a known key", async (context) => {
  const setup = await withIssuer(context, [await jwk(rsa.publicKey, "one")]);
  const { server, verifier } = setup;
  await verifier.verify(await sign({}, { kid: "one" }));
  server.answer = "hang";
  setup.now += 3_600_000;
  const token = await sign({ exp: setup.now / 1_000 + 60 }, { kid: "one" });
  const startedAt = performance.now();
  await verifier.verify(token);
  assert.ok(performance.now() - startedAt < 1_000);
  await server.stop();
});

test("without any keys it is the hub's fault, and the issuer is not asked for each token", async (context) => {
  const setup = await withIssuer(context, []);
  for (let count = 0; count < 5; count++)
    await refused(setup.verifier.verify(await sign({}, { kid: "one" })), "ACCESS_UNAVAILABLE");
  assert.equal(setup.server.asked, 1);
});
