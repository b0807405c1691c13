/** Two tenants that use the same names for everything. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test, type TestContext } from "node:test";
import { connect, createHub, type Hub, type Peer } from "../../src/index.ts";

const TENANTS = ["a", "b"];

async function setUp(
  context: TestContext,
): Promise<{ hub: Hub; url: string; peer: (tenant: string) => Promise<Peer> }> {
  const keys = [...TENANTS, "main"].map((tenant) => ({
    name: "same",
    role: "service" as const,
    tenant,
    sha256: createHash("sha256").update(tenant).digest("hex"),
  }));
  const hub = await createHub({
    http: { listen: 0 },
    listen: ["tcp://127.0.0.1:0"],
    jobs: true,
    access: { keys },
  });
  context.after(() => hub.close());
  const peer = async (tenant: string): Promise<Peer> => {
    const connected = await connect(hub.urls[0]!, { token: tenant });
    context.after(() => connected.close());
    return connected;
  };
  return { hub, url: hub.httpUrl!, peer };
}

function call(url: string, tenant: string, init: RequestInit = {}): Promise<Response> {
  return fetch(url, { ...init, headers: { ...init.headers, authorization: `Bearer ${tenant}` } });
}

test("requests and publications stay in their tenant, by whatever gateway", async (context) => {
  const { hub, url, peer } = await setUp(context);
  const heard: string[] = [];
  for (const tenant of TENANTS) {
    const worker = await peer(tenant);
    await worker.serve("who", () => tenant);
    await worker.subscribe(
      ">",
      (value, { subject }) => void heard.push(`${tenant} ${subject} ${String(value)}`),
    );
  }
  await hub.serve("who", () => "main");
  for (const tenant of TENANTS) {
    const caller = await peer(tenant);
    assert.equal(await caller.request("who"), tenant);
    assert.equal(await (await call(`${url}/who`, tenant)).text(), tenant);
    await caller.publish("news", tenant);
    await caller.request("who"); // what was published before has arrived
  }
  assert.equal(await hub.request("who"), "main");
  assert.equal(await (await call(`${url}/who`, "main")).text(), "main");
  assert.deepEqual(heard, ["a news a", "b news b"]);
});

test("another tenant's subject looks as one that there is not", async (context) => {
  const { url, peer } = await setUp(context);
  const worker = await peer("a");
  await worker.serve("secret", () => "a");
  const caller = await peer("b");
  const failures = await Promise.all(
    ["secret", "nothing"].map((subject) =>
      caller.request(subject).then(
        () => assert.fail("it was answered"),
        (error: unknown) => JSON.stringify(error).replaceAll(subject, "S"),
      ),
    ),
  );
  assert.equal(failures[0], failures[1]);
  const answers = await Promise.all(
    ["secret", "nothing"].map(async (subject) => {
      const answer = await call(`${url}/${subject}`, "b", { method: "POST", body: "x" });
      return [answer.status, (await answer.text()).replaceAll(subject, "S")];
    }),
  );
  assert.deepEqual(answers[0], answers[1]);
});

test("polls get the jobs of their tenant, and answer no others", async (context) => {
  const { hub, url } = await setUp(context);
  const polls = TENANTS.map((tenant) => call(`${url}/service/work/jobs?wait=10s`, tenant));
  while (hub.stats().gateways["jobs"]?.["polls"] !== 2) await new Promise((resolve) => setImmediate(resolve));
  const outcome = call(`${url}/work`, "b", { method: "POST", body: "for b" });
  const job = (await (await polls[1]!).json()) as { id: string; originalRequest: string };
  assert.equal(job.originalRequest, "for b");
  const [stolen, unknown] = await Promise.all(
    [job.id, "00000000-0000-4000-8000-000000000000"].map(async (id) => {
      const answer = await call(`${url}/jobs/${id}`, "a", { method: "POST", body: "stolen" });
      return [answer.status, await answer.text()];
    }),
  );
  assert.deepEqual(stolen, unknown);
  assert.equal((await call(`${url}/jobs/${job.id}`, "b", { method: "POST", body: "done" })).status, 200);
  assert.equal(await (await outcome).text(), "done");
  assert.equal(hub.stats().answered, 1, "the counters are of all tenants");
});

test("a kept answer is its own tenant's", async (context) => {
  const { url, peer } = await setUp(context);
  await (await peer("a")).serve("slow", () => "done");
  const headers = { prefer: "respond-async" };
  const accepted = await call(`${url}/slow`, "a", { method: "POST", body: "x", headers });
  assert.equal(accepted.status, 202);
  const location = new URL(accepted.headers.get("location")!, url).href;
  assert.equal((await call(location, "b")).status, 404);
  assert.equal((await call(location, "a")).status, 200);
});

test("a hub whose engine has no tenants does not start with one, and refuses who would need one", async (context) => {
  await using back = await createHub({ http: false, listen: ["tcp://127.0.0.1:0"] });
  const front = { engine: back.urls[0]!, http: false, listen: ["tcp://127.0.0.1:0"] } as const;
  const sha256 = createHash("sha256").update("a").digest("hex");
  const keys = [{ name: "a", role: "service", tenant: "a", sha256 }] as const;
  await assert.rejects(createHub({ ...front, access: { keys } }), { reason: "OPTION_UNSUPPORTED" });
  const hub = await createHub({
    ...front,
    access: {
      authenticate: ({ token }) => ({ id: "same", tenant: token!, role: "service" }),
      may: () => true,
    },
  });
  context.after(() => hub.close());
  const peer = await connect(hub.urls[0]!, { token: "main" });
  context.after(() => peer.close());
  await assert.rejects(connect(hub.urls[0]!, { token: "a" }), { reason: "PERMISSION_DENIED" });
});
