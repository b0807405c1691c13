/** Hubs whose messages are routed by another hub, or by an engine of the user's: every gateway in front of every engine. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { connect, createHub, type Hub, type HubConfig } from "../../src/index.ts";
import { LocalEngine } from "../../src/engine/local/local-engine.ts";
import type { RegistrationEvent, SettledRequest } from "../../src/observe/observer.ts";
import { RawCall, said } from "../gateway/grpc/raw-call.ts";
import { gatewayTest } from "../gateway/beam/harness.ts";
import { OriginalPeer } from "../gateway/beam/original-peer.ts";
import { until } from "../house/until.ts";

const QUIET: HubConfig = { http: false, jobs: false, listen: [], onError: () => undefined };

interface Hubs extends AsyncDisposable {
  /** In front of the other one. */
  readonly front: Hub;
  readonly back: Hub;
  /** Resolves when the front hub has a service for the pattern, and the other one knows of it. */
  registered(pattern: string): Promise<void>;
  /** Resolves when what either has sent before has arrived. */
  fence(): Promise<void>;
}

async function openHubs(config: HubConfig = {}): Promise<Hubs> {
  const back = await createHub({ ...QUIET, listen: ["tcp://127.0.0.1:0"] });
  const patterns = new Set<string>();
  const registration = ({ pattern }: RegistrationEvent): void => void patterns.add(pattern);
  const observer = { registration, ...config.observer };
  const front = await createHub({ ...QUIET, engine: back.urls[0]!, ...config, observer });
  await until(() => back.stats().sessions === 1, "the front hub");
  const fence = (): Promise<void> => assert.rejects(front.request("fence"), { reason: "NO_RESPONDERS" });
  return {
    front,
    back,
    async registered(pattern) {
      await until(() => patterns.has(pattern), `the service ${pattern}`);
      await fence();
    },
    fence,
    async [Symbol.asyncDispose]() {
      await front.close();
      await back.close();
    },
  };
}

const WITH_HTTP: HubConfig = {
  http: { port: 0, routes: [{ path: "/soon", subject: "slow", timeout: "50ms" }], defaultMapping: true },
  jobs: true,
};

test("HTTP requests at one hub are answered by workers of the other, by deadline and with streams", async () => {
  await using hubs = await openHubs(WITH_HTTP);
  const { front, back } = hubs;
  await back.serve("greet", (name) => `hello ${String(name)}`);
  const answer = await fetch(`${front.httpUrl}/greet`, { method: "POST", body: "Ada" });
  assert.deepEqual([answer.status, await answer.text()], [200, "hello Ada"]);

  await back.serve("tokens", () => ReadableStream.from(["one ", "two ", "three"]));
  assert.match(await (await fetch(`${front.httpUrl}/tokens`)).text(), /one [^]*two [^]*three/);

  const signals: unknown[] = [];
  await back.serve("slow", (_value, { signal }) => {
    return new Promise(() => signal.addEventListener("abort", () => signals.push(signal.reason)));
  });
  const late = await fetch(`${front.httpUrl}/soon`);
  assert.equal(late.status, 504);
  const gone = new AbortController();
  const leaving = fetch(`${front.httpUrl}/slow`, { signal: gone.signal }).catch(() => "left");
  await until(() => back.stats().inFlight === 1, "the request");
  gone.abort();
  assert.equal(await leaving, "left");
  await until(() => signals.length === 2, "both signals");
  assert.deepEqual(
    signals.map((reason) => (reason as { reason: string }).reason),
    ["DEADLINE", "CALLER_GONE"],
  );
  assert.equal((await fetch(`${front.httpUrl}/nobody`)).status, 503);
  const { requests, answered, deadline, canceled, noResponders, inFlight } = front.stats();
  assert.deepEqual([requests, answered, deadline, canceled, noResponders, inFlight], [5, 2, 1, 1, 1, 0]);
});

test("workers that poll one hub answer callers of the other", async () => {
  await using hubs = await openHubs(WITH_HTTP);
  const { front, back } = hubs;
  const polled = fetch(`${front.httpUrl}/service/resize/jobs?wait=20s`);
  await hubs.registered("resize");
  const asked = back.request("resize", "a cat");
  const job = (await (await polled).json()) as { id: string };
  const answered = await fetch(`${front.httpUrl}/jobs/${job.id}`, { method: "POST", body: "a small cat" });
  assert.equal(answered.status, 200);
  assert.equal(await asked, "a small cat");

  const next = fetch(`${front.httpUrl}/service/resize/jobs?wait=20s`);
  const signal = AbortSignal.timeout(50);
  await assert.rejects(back.request("resize", "no time", { signal }));
  const withdrawn = (await (await next).json()) as { id: string };
  await hubs.fence();
  const late = await fetch(`${front.httpUrl}/jobs/${withdrawn.id}`, { method: "POST", body: "late" });
  assert.equal(late.status, 410, await late.text());
});

test("workers over gRPC at one hub answer callers of the other; credit, which it cannot keep, is refused", async () => {
  await using hubs = await openHubs({ grpc: { port: 0 } });
  const { front, back } = hubs;
  await using raw = new RawCall(front.grpcUrl!).listen();
  raw.stream.write(said({ case: "register", value: { registration: 1, subject: "work" } }));
  const credit = { case: "credit", value: 1 } as const;
  raw.stream.write(said({ case: "register", value: { registration: 2, subject: "paid", room: credit } }));
  await until(() => raw.heard.length === 2, "both registrations");
  const refused = raw.heard.find(({ message }) => message.case === "refused")?.message.value as {
    failure?: { reason: string };
  };
  assert.equal(refused.failure?.reason, "OPTION_UNSUPPORTED");
  const asked = back.request("work", "x");
  await until(() => raw.heard.length === 3, "the job");
  const job = raw.heard[2]!.message as { value: { job: number; payload: Uint8Array } };
  assert.equal(Buffer.from(job.value.payload).toString(), "x");
  const payload = Buffer.from("done");
  raw.stream.write(
    said({ case: "answer", value: { job: job.value.job, payload, contentType: "text/plain" } }),
  );
  assert.equal(await asked, "done");
});

gatewayTest("callers and workers over beam at one hub reach those of the other", async () => {
  const folder = mkdtempSync(join(tmpdir(), "lintel-two-hubs-"));
  after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "beam.sock");
  await using hubs = await openHubs({ beam: { path } });
  await hubs.back.serve("later", (args) => args);
  await using original = new OriginalPeer();
  const connection = await original.connect(path);
  const call = await connection.attach("R", "later", "x");
  assert.ok(((await call.hears()) ?? []).includes("x"));
  const registered = await connection.attach("RW", "register", "legacy.>");
  await hubs.registered("legacy.>");
  const asked = hubs.back.request("legacy.print", ["a", "b"]);
  const request = (await registered.receive())!;
  assert.deepEqual(request.message, ["legacy.print", "a", "b"]);
  await request.attached!.send("set", "c", "d");
  assert.deepEqual(await asked, ["c", "d"]);
});

test("sessions of one hub publish to and hear those of the other, and open channels there", async () => {
  await using hubs = await openHubs({ listen: ["tcp://127.0.0.1:0"] });
  await using near = await connect(hubs.front.urls[0]!);
  await using far = await connect(hubs.back.urls[0]!);
  const heard: unknown[] = [];
  await near.subscribe("news.>", (value) => heard.push(value), { overflow: "drop-oldest" });
  await near.subscribe("news.>", (value) => heard.push(value), { overflow: "disconnect" });
  await far.publish("news.rome", "from far");
  await near.publish("news.oslo", "from near");
  await until(() => heard.length === 4, "both publications, twice");
  assert.deepEqual(heard, ["from far", "from far", "from near", "from near"]);
  await near.serve("chat", async (_value, context) => {
    for await (const value of context.accept()) return value;
    return undefined;
  });
  const channel = await far.open("chat");
  await channel.send("hello");
  channel.close();
});

test("a hub starts before the hub behind it, serves what it can, and finds it when it comes", async () => {
  const url = "memory:other-engine-test";
  const reported: unknown[] = [];
  const onError = (error: unknown): void => void reported.push((error as { reason?: string }).reason);
  await using front = await createHub({ ...QUIET, ...WITH_HTTP, engine: { url }, onError });
  const away = await fetch(`${front.httpUrl}/greet`);
  assert.equal(away.status, 503);
  assert.equal(((await away.json()) as { reason: string }).reason, "NOT_CONNECTED");
  assert.throws(() => front.publish("news", 1), { reason: "NOT_CONNECTED" });
  const serving = front.serve("here", () => "from the front");
  await until(() => reported.length > 0, "the report");
  assert.deepEqual(reported, ["NOT_CONNECTED"], "once, however often it is dialed");
  await using back = await createHub({ ...QUIET, listen: [url] });
  await serving;
  assert.equal(await back.request("here"), "from the front");
  await back.serve("greet", () => "hello");
  assert.equal(await (await fetch(`${front.httpUrl}/greet`)).text(), "hello");
});

test("a hub in front of another drains: what is under way is answered, also from there", async () => {
  await using hubs = await openHubs(WITH_HTTP);
  const { front, back } = hubs;
  const answers: ((value: string) => void)[] = [];
  const later = (): Promise<string> => new Promise((resolve) => answers.push(resolve));
  await back.serve("behind", later);
  await front.serve("here", later);
  const asked = [fetch(`${front.httpUrl}/behind`).then((answer) => answer.text()), back.request("here")];
  await until(() => answers.length === 2, "both requests");
  const drained = front.drain();
  for (const answer of answers) answer("answered");
  assert.deepEqual(await Promise.all(asked), ["answered", "answered"]);
  await drained;
  await until(() => back.stats().sessions === 0, "the end of its session");
});

test("an observer hears of each outcome once, whatever routes the messages", async () => {
  const settled: string[] = [];
  const observer = {
    settled: ({ subject, code }: SettledRequest) => void settled.push(`${subject} ${code}`),
  };
  await using hubs = await openHubs({ ...WITH_HTTP, observer });
  await hubs.back.serve("greet", () => "hello");
  await fetch(`${hubs.front.httpUrl}/greet`);
  await fetch(`${hubs.front.httpUrl}/nobody`);
  await assert.rejects(hubs.front.request("nobody"));
  assert.deepEqual(settled, ["greet ok", "nobody unavailable", "nobody unavailable"]);
});

test("an engine of the user's routes, and ends with the hub", async () => {
  const engine = new LocalEngine();
  const hub = await createHub({ ...QUIET, ...WITH_HTTP, engine });
  await hub.serve("greet", () => "hello");
  assert.equal(await (await fetch(`${hub.httpUrl}/greet`)).text(), "hello");
  assert.equal(engine.stats.answered, 1);
  await hub.drain();
  assert.throws(() => engine.publish(engine.route("x"), undefined!), { reason: "CLOSED" });
});

test("what is no engine, and a service that it cannot keep, is refused at the start", async () => {
  for (const engine of [1, {}, { url: 4500 }, null, []])
    await assert.rejects(createHub({ ...QUIET, engine: engine as never }), {
      code: "invalid_argument",
      message: /createHub: engine is/,
    });
  for (const engine of ["tcp://", "tcp://127.0.0.1:99999", "nothing://x"])
    await assert.rejects(createHub({ ...QUIET, engine }), TypeError, engine);
  await using back = await createHub({ ...QUIET, listen: ["tcp://127.0.0.1:0"] });
  const jobs = { services: { again: { delivery: "at-least-once" as const } } };
  await assert.rejects(createHub({ ...QUIET, engine: back.urls[0]!, jobs }), {
    reason: "OPTION_UNSUPPORTED",
    message: /services\["again"\]\.delivery/,
  });
});
