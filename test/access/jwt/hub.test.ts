/** Tokens of an issuer at a hub that a file configures. */
import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { test, type TestContext } from "node:test";
import { exportJWK, SignJWT } from "jose";
import { parseConfig } from "../../../src/config/config.ts";
import { connect, createHub, type Hub } from "../../../src/index.ts";
import { until } from "../../house/until.ts";
import { issuer, type Issuer } from "./issuer.ts";

const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });

function sign(claims: Readonly<Record<string, unknown>>, lastsMs = 60_000): Promise<string> {
  return new SignJWT({ iss: "https://id.example", aud: "lintel", sub: "ada", ...claims })
    .setProtectedHeader({ alg: "ES256", kid: "one" })
    .setExpirationTime(new Date(Date.now() + lastsMs))
    .sign(privateKey);
}

async function setUp(context: TestContext, more = ""): Promise<{ hub: Hub; server: Issuer }> {
  const server = await issuer(context, { keys: [{ ...(await exportJWK(publicKey)), kid: "one" }] });
  const jwt = `{ jwks: "${server.url}", issuer: "https://id.example", audience: lintel${more} }`;
  const config = await parseConfig(
    `http: { listen: 0 }\nlisten: [tcp://127.0.0.1:0]\naccess:\n  jwt: ${jwt}\n`,
    "lintel.yaml",
  );
  const hub = await createHub({ ...config, onError: () => undefined });
  context.after(() => hub.close());
  return { hub, server };
}

async function status(hub: Hub, token: string): Promise<number> {
  const answer = await fetch(`${hub.httpUrl!}/orders/new`, { headers: { authorization: `Bearer ${token}` } });
  await answer.arrayBuffer();
  return answer.status;
}

test("a token lets in whom its issuer names, for what its claims grant", async (context) => {
  const { hub, server } = await setUp(context);
  await hub.serve("orders.new", () => "made");
  const worker = await connect(hub.urls[0]!, { token: () => sign({ role: "service", tenant: "a" }) });
  context.after(() => worker.close());
  await worker.serve("orders.new", () => "made in a");
  assert.equal(await status(hub, await sign({ grants: { request: ["orders.>"] } })), 200);
  assert.equal(await status(hub, await sign({ grants: { request: ["stock.>"] } })), 403);
  assert.equal(await status(hub, await sign({})), 403);
  assert.equal(await status(hub, await sign({ aud: "other" })), 401);
  assert.equal(await status(hub, await sign({ grants: { request: "orders.>" } })), 401);
  assert.equal(await status(hub, await sign({ tenant: "a.b", role: "service" })), 401);
  const client = await connect(hub.urls[0]!, {
    token: () => sign({ tenant: "a", grants: { request: ["orders.new"] } }),
  });
  context.after(() => client.close());
  assert.equal(await client.request("orders.new"), "made in a");
  assert.equal(server.asked, 1, "keys are fetched once");
});

test("a session ends when its token does, and goes on with another", async (context) => {
  const { hub } = await setUp(context, ", clockSkew: 1ms");
  let connections = 0;
  const states: string[] = [];
  const peer = await connect(hub.urls[0]!, {
    token: () => sign({ role: "service", sub: `ada ${++connections}` }, connections === 1 ? 1_500 : 60_000),
    onState: (state) => states.push(state),
    onError: () => undefined,
  });
  context.after(() => peer.close());
  await peer.serve("a", () => "yes");
  await until(() => connections === 2 && states.at(-1) === "connected", "another session");
  assert.equal(await until(() => hub.request("a").catch(() => undefined), "the worker"), "yes");
});

test("an issuer that cannot be reached is the hub's trouble: 503, and a retry helps", async (context) => {
  const { hub, server } = await setUp(context);
  server.answer = 500;
  const answer = await fetch(`${hub.httpUrl!}/a`, { headers: { authorization: `Bearer ${await sign({})}` } });
  assert.equal(answer.status, 503);
  assert.equal(((await answer.json()) as { reason: string }).reason, "ACCESS_UNAVAILABLE");
});
