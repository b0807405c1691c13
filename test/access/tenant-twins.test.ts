/**
 * Two hubs, one of which another tenant is busy on with the same names: what a tenant is told is the same on both, to the byte.
 */
import assert from "node:assert/strict";
import { randomBytes, randomUUID } from "node:crypto";
import { request as httpRequest } from "node:http";
import { test } from "node:test";
import type { Access } from "../../src/access/access.ts";
import { createHub, type Hub } from "../../src/hub/hub.ts";
import { connect } from "../../src/peer/connect.ts";
import type { Peer } from "../../src/peer/peer.ts";
import { RawCall, said } from "../gateway/grpc/raw-call.ts";
import { RawClient } from "../gateway/native/raw-client.ts";
import { until } from "../house/until.ts";
import {
  LIMITS,
  bindBytes,
  helloBytes,
  publishBytes,
  replyBytes,
  requestBytes,
  serveBytes,
  subscribeBytes,
} from "../wire/frame-bytes.ts";

const access: Access = {
  authenticate: ({ token = "main" }) => ({ id: "same", tenant: token, role: "service" }),
  may: () => true,
};

/** What only the busy tenant knows, and the other one has somehow learned. */
interface Ids {
  readonly job: string;
  readonly endedJob: string;
  readonly answer: string;
}

/** Ids of what never was. */
const NOTHING: Ids = {
  job: randomUUID(),
  endedJob: randomUUID(),
  answer: randomBytes(18).toString("base64url"),
};

interface Answer {
  readonly status: number;
  readonly headers: readonly string[];
  readonly body: string;
}

function ask(
  hub: Hub,
  token: string,
  line: string,
  body = "",
  headers: Record<string, string> = {},
): Promise<Answer> {
  const [method = "", path = ""] = line.split(" ");
  return new Promise((resolve, reject) => {
    const options = { method, headers: { ...headers, authorization: `Bearer ${token}` }, agent: false };
    const request = httpRequest(new URL(path, hub.httpUrl), options, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
      response.on("end", () =>
        resolve({ status: response.statusCode!, headers: response.rawHeaders, body: text }),
      );
    });
    request.on("error", reject).end(body);
  });
}

function open(): Promise<Hub> {
  return createHub({
    listen: ["tcp://127.0.0.1:0"],
    http: {
      port: 0,
      routes: [{ method: "POST", path: "/tell", subject: "news", mode: "publish" }],
    },
    jobs: { services: { known: { lease: 60_000 } } },
    grpc: { port: 0 },
    access,
    onError: () => undefined,
  });
}

/** A tenant that does everything there is, and has some of all of it under way. */
async function beBusy(hub: Hub): Promise<{ ids: Ids; peer: Peer }> {
  const peer = await connect(hub.urls[0]!, { token: "busy" });
  await peer.serve("x", () => "of another tenant");
  await peer.serve("held", () => new Promise(() => undefined), { concurrency: 1 });
  await peer.subscribe(">", () => undefined);
  await peer.enable("request", "x");
  for (let count = 0; count < 40; count++) {
    await peer.publish(`news.${count}`, count);
    assert.equal(await peer.request("x"), "of another tenant");
  }
  for (let count = 0; count < 3; count++) peer.request("held").catch(() => undefined);
  const jobs: string[] = [];
  for (const subject of ["known", "work"]) {
    const poll = ask(hub, "busy", `GET /service/${subject}/jobs?wait=30s`);
    void until(async () => (await ask(hub, "busy", `POST /${subject}`, "x")).status !== 503);
    jobs.push((JSON.parse((await poll).body) as { id: string }).id);
  }
  const [endedJob = "", job = ""] = jobs;
  assert.equal((await ask(hub, "busy", `POST /jobs/${endedJob}`, "done")).status, 200);
  const kept = await ask(hub, "busy", "POST /x", "x", { prefer: "respond-async" });
  const place = kept.headers[kept.headers.indexOf("Location") + 1]!;
  const call = new RawCall(hub.grpcUrl!, { authorization: "Bearer busy" }).listen();
  const room = { case: "concurrency", value: 5 } as const;
  call.stream.write(said({ case: "register", value: { registration: 1, subject: "g", room } }));
  await until(() => call.heard.length > 0);
  peer.request("g").catch(() => undefined);
  await until(() => call.heard.length > 1);
  return { ids: { job, endedJob, answer: place.split("/").at(-1)! }, peer };
}

const LINES = (ids: Ids): readonly [line: string, body?: string, headers?: Record<string, string>][] => [
  ...["x", "held", "work", "known", "g", "nothing"].flatMap((subject) =>
    ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"].map((method): [string] => [`${method} /${subject}`]),
  ),
  ["POST /x", "body", { prefer: "respond-async" }],
  ["POST /x", "body", { prefer: "wait=1" }],
  ["POST /tell", "news"],
  ["POST /service/work", "x"],
  ["GET /service/work/jobs?wait=0"],
  ["GET /service/known/jobs?wait=0&max=5"],
  ["OPTIONS /service/x/jobs"],
  ...[ids.job, ids.endedJob].flatMap((id): [string, string?][] => [
    [`POST /jobs/${id}`, "stolen"],
    [`POST /jobs/${id}/response?next=1&wait=0`, "stolen"],
    [`POST /jobs/${id}/error`, "{}"],
    [`POST /jobs/${id}/lease?lease=10s`],
    [`DELETE /jobs/${id}`],
    ["POST /jobs", JSON.stringify([{ id, response: 1 }])],
  ]),
  ...["HEAD", "GET", "DELETE", "OPTIONS"].map((method): [string] => [
    `${method} /.lintel/answers/${ids.answer}`,
  ]),
];

async function overHttp(hub: Hub, ids: Ids): Promise<string[]> {
  const heard: string[] = [];
  for (const [line, body, more] of LINES(ids)) {
    const { status, headers, body: text } = await ask(hub, "quiet", line, body, more);
    const shown = headers.filter((_, index) => headers[index - (index % 2)] !== "Date").join(" ");
    const all = `${line} => ${status} ${shown} ${text}`;
    heard.push(Object.entries(ids).reduce((now, [name, id]) => now.replaceAll(id, name), all));
  }
  return heard;
}

/** Every frame that a session gets; of requests without the time that is left. */
async function overSession(hub: Hub): Promise<string[]> {
  const client = await RawClient.dial(Number(new URL(hub.urls[0]!).port));
  client.send(helloBytes({ ...LIMITS, token: "quiet" }));
  client.send(subscribeBytes(1, ">"), serveBytes(2, "mine"), subscribeBytes(3, "news"));
  const binds = ["x", "held", "mine", "news", "g"].map((subject, index) =>
    bindBytes(40_000 + index, subject),
  );
  client.send(...binds, requestBytes(40_000, 1), requestBytes(40_001, 2), requestBytes(40_004, 3));
  await until(() => client.of(18).length === 3, "three failures");
  client.send(publishBytes(40_003, "mine"), requestBytes(40_002, 4, "question"));
  const asked = await client.next(16);
  for (let id = 1; id < 64; id++) if (id !== asked.id) client.send(replyBytes(2, id, "not mine"));
  client.send(replyBytes(2, asked.id, "answer"));
  await client.next(17);
  client.socket.destroy();
  return client.frames
    .filter(({ type }) => type !== 5 && type !== 6)
    .map(({ type, flags, aux, target, id, body }) => {
      const bytes = type === 16 ? body.subarray(4) : body;
      return [type, flags, aux, target, id, bytes.toString("latin1")].join(" ");
    });
}

async function overGrpc(hub: Hub): Promise<string[]> {
  await using call = new RawCall(hub.grpcUrl!, { authorization: "Bearer quiet" }).listen();
  const room = { case: "concurrency", value: 1 } as const;
  call.stream.write(said({ case: "register", value: { registration: 1, subject: "g", room } }));
  for (let job = 1; job < 64; job++) call.stream.write(said({ case: "failed", value: { job } }));
  await until(() => call.heard.length === 64, "63 rejections");
  const peer = await connect(hub.urls[0]!, { token: "quiet" });
  peer.request("g").catch(() => undefined);
  await until(() => call.heard.length === 65, "a job");
  const { message } = call.heard[64]!;
  assert.equal(message.case, "job");
  await peer.close();
  const heard = call.messages.slice(0, 64).map((bytes) => Buffer.from(bytes).toString("latin1"));
  return [...heard, `job ${String((message.value as { job: number }).job)}`];
}

async function quiet(hub: Hub, ids: Ids): Promise<string[]> {
  return [...(await overHttp(hub, ids)), ...(await overSession(hub)), ...(await overGrpc(hub))];
}

test("a tenant is told the same, to the byte, whether there is another one with the same names or none", async () => {
  await using alone = await open();
  await using shared = await open();
  const { ids, peer } = await beBusy(shared);
  const [told, toldBeside] = [await quiet(alone, NOTHING), await quiet(shared, ids)];
  assert.deepEqual(toldBeside, told);
  // Nothing of it has changed anything for the other.
  assert.equal(await peer.request("x"), "of another tenant");
  assert.equal((await ask(shared, "busy", `POST /jobs/${ids.job}`, "done")).status, 200);
  assert.equal((await ask(shared, "busy", `GET /.lintel/answers/${ids.answer}`)).body, "of another tenant");
  await peer.close();
});
