/** Two tenants and the hub's own use the same names for everything, at every gateway: nothing crosses. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Access } from "../../src/access/access.ts";
import { connect } from "../../src/peer/connect.ts";
import type { Peer } from "../../src/peer/peer.ts";
import { until } from "../house/until.ts";
import { GATEWAYS, PREFIXES, withHub, type Scene } from "./clients.ts";

const TENANTS = ["a", "b", "main"] as const;
type TenantName = (typeof TENANTS)[number];

/** Tokens name tenants. Callers that can show none are all of one tenant. */
class TenantAccess implements Access {
  nameless: TenantName = "main";

  authenticate({ token = this.nameless }: { readonly token?: string | undefined }): {
    id: string;
    tenant: string;
    role: string;
  } {
    return { id: "same", tenant: token, role: "service" };
  }

  may(): boolean {
    return true;
  }
}

interface Spy {
  readonly tenant: TenantName;
  readonly peer: Peer;
  readonly heard: string[];
}

/** Serves what the clients ask for, and listens to everything, in one tenant. */
async function spyIn({ hub }: Scene, tenant: TenantName): Promise<Spy> {
  const peer = await connect(hub.urls[0]!, { token: tenant });
  const heard: string[] = [];
  for (const prefix of PREFIXES)
    await peer.serve(`${prefix}.a`, (_value, context) => {
      heard.push(`asked ${context.subject}`);
      const { headers } = context;
      if (headers.has(":open") && !headers.has(":offer")) context.accept().close();
      return "answer";
    });
  await peer.subscribe(">", (_value, { subject }) => void heard.push(`published ${subject}`));
  return { tenant, peer, heard };
}

test("what is done in one tenant, by whatever gateway, no other tenant hears of", async () => {
  const access = new TenantAccess();
  await withHub(access, async (scene) => {
    const spies = await Promise.all((["a", "b"] as const).map((tenant) => spyIn(scene, tenant)));
    for (const { name, verbs, open, isNameless = false, skip = false } of GATEWAYS) {
      if (skip !== false) continue;
      for (const verb of verbs) {
        access.nameless = "b";
        const client = await open(scene, { token: isNameless ? undefined : "b", prefix: "m" });
        const ofB = spies[1]!.heard;
        const done = client.attempt(verb);
        // A tunnel's client ends when the service of the hub's own tenant has seen it, which it must not.
        const isTunnel = name === "tunnel";
        if (isTunnel) await until(() => ofB.length > 0, "the connection");
        else assert.equal(await done, "ok", `${name}, ${verb}`);
        if (verb !== "serve" && verb !== "subscribe") await until(() => ofB.length > 0, `${name}, ${verb}`);
        await spies[0]!.peer.request("m.a"); // what was sent to it before has arrived
        const [own, ...more] = spies[0]!.heard.splice(0);
        assert.deepEqual([own, more, scene.seen], ["asked m.a", [], []], `${name}, ${verb}`);
        if (isTunnel) scene.seen.push("over");
        await done;
        await client.close();
        ofB.length = 0;
        scene.seen.length = 0;
        scene.reported.length = 0;
      }
    }
    await Promise.all(spies.map(({ peer }) => peer.close()));
  });
});

/** What one tenant does with a nonce; resolves with what it got back. */
type Act = (scene: Scene, spy: Spy, nonce: string) => Promise<string>;

function ask({ hub }: Scene, tenant: string, path: string, init: RequestInit = {}): Promise<Response> {
  const headers = { ...init.headers, authorization: `Bearer ${tenant}` };
  return fetch(new URL(path, hub.httpUrl), { ...init, headers });
}

const ACTS: Readonly<Record<string, Act>> = {
  request: (_scene, { peer }, nonce) => peer.request("echo", nonce),
  "http request": async (scene, { tenant }, nonce) =>
    (await ask(scene, tenant, "/echo", { method: "POST", body: nonce })).text(),
  "kept answer": async (scene, { tenant }, nonce) => {
    const headers = { prefer: "respond-async" };
    const accepted = await ask(scene, tenant, "/echo", { method: "POST", body: nonce, headers });
    assert.equal(accepted.status, 202);
    const place = accepted.headers.get("location")!;
    for (const other of TENANTS)
      if (other !== tenant) assert.equal((await ask(scene, other, place)).status, 404, "another's answer");
    const kept = await until(async () => {
      const answer = await ask(scene, tenant, place);
      return answer.status === 202 ? undefined : answer;
    });
    return kept.text();
  },
  job: async (scene, { tenant }, nonce) => {
    const subject = `work-${nonce.split(" ")[1]!}`; // a service for each job, with the same name in all tenants
    const poll = ask(scene, tenant, `/service/${subject}/jobs?wait=30s`);
    const posted = until(async () => {
      const answer = await ask(scene, tenant, `/${subject}`, { method: "POST", body: nonce });
      return answer.status === 503 ? undefined : answer; // its poll has not come yet
    });
    const { id, originalRequest } = (await (await poll).json()) as { id: string; originalRequest: string };
    for (const other of TENANTS)
      if (other !== tenant)
        assert.equal((await ask(scene, other, `/jobs/${id}`, { method: "POST", body: "no" })).status, 404);
    const body = `${tenant}: ${originalRequest}`;
    assert.equal((await ask(scene, tenant, `/jobs/${id}`, { method: "POST", body })).status, 200);
    return (await posted).text();
  },
  publish: async (_scene, { tenant, peer, heard }, nonce) => {
    await peer.publish("news", nonce);
    return `${tenant}: ${await until(() => heard.find((one) => one === nonce))}`;
  },
  stream: async (_scene, { peer }, nonce) => {
    const answer = await peer.request<AsyncIterable<string>>("stream", nonce);
    let text = "";
    for await (const part of answer) text += part;
    return text;
  },
  channel: async (_scene, { peer }, nonce) => {
    const channel = await peer.open("channel");
    await channel.send(nonce);
    for await (const said of channel) return String(said);
    return "nothing";
  },
};

async function partner({ hub }: Scene, tenant: TenantName): Promise<Spy> {
  const peer = await connect(hub.urls[0]!, { token: tenant });
  const heard: string[] = [];
  await peer.serve<string>("echo", (value) => `${tenant}: ${value}`);
  await peer.serve<string>("stream", async function* (value) {
    yield `${tenant}: `;
    yield await Promise.resolve(value);
  });
  await peer.serve("channel", async (_value, context) => {
    const channel = context.accept();
    for await (const said of channel) await channel.send(`${tenant}: ${String(said)}`);
  });
  await peer.subscribe<string>("news", (value) => void heard.push(value));
  return { tenant, peer, heard };
}

test("answers come to the tenant that has asked, in whatever order all of them ask", async () => {
  await withHub(
    new TenantAccess(),
    async (scene) => {
      const spies = await Promise.all(TENANTS.map((tenant) => partner(scene, tenant)));
      const asked: Promise<void>[] = [];
      for (let round = 0; round < 4; round++) {
        for (const [name, act] of Object.entries(ACTS)) {
          for (const spy of spies) {
            const nonce = `${spy.tenant} ${round}`;
            const outcome = act(scene, spy, nonce);
            asked.push(outcome.then((text) => assert.equal(text, `${spy.tenant}: ${nonce}`, name)));
          }
        }
      }
      await Promise.all(asked);
      for (const { tenant, heard } of spies)
        assert.deepEqual(
          heard.toSorted(),
          [0, 1, 2, 3].map((round) => `${tenant} ${round}`),
        );
      await Promise.all(spies.map(({ peer }) => peer.close()));
    },
    { jobs: true },
  );
});
