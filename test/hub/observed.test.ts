/** What the observer of a hub hears, by whichever gateway a request has come. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { connect, createHub, type HubConfig, type SettledRequest } from "../../src/index.ts";
import { until } from "../house/until.ts";

interface Told {
  readonly settled: SettledRequest[];
  readonly others: string[];
}

/** Options of a hub that notes what its observer hears. */
function observed(): { told: Told; config: HubConfig } {
  const told: Told = { settled: [], others: [] };
  const note = (...words: unknown[]): void => void told.others.push(words.join(" "));
  const config: HubConfig = {
    http: { port: 0, bodyLimit: 1_024 },
    listen: ["tcp://127.0.0.1:0"],
    observer: {
      settled: (request) => void told.settled.push(request),
      session: ({ event, gateway, remote, why }) => note(event, gateway, remote?.slice(0, 6), why?.reason),
      registration: ({ event, kind, pattern, gateway }) => note(event, kind, pattern, gateway),
      published: (subject, deliveries) => note("published", subject, deliveries),
      httpRequest: ({ method, path, status }) => note(method, path, status),
      poll: ({ event, subject }) => note(event, subject),
    },
  };
  return { told, config };
}

const summary = ({ subject, gateway, code, reason, worker, attempts }: SettledRequest): string =>
  [subject, gateway, code, reason ?? "-", worker?.gateway ?? "nobody", attempts].join(" ");

test("each outcome is told once, with the gateways of caller and worker", async () => {
  const { told, config } = observed();
  await using hub = await createHub(config);
  await using peer = await connect(hub.urls[0]!);
  await hub.serve("in.hub", () => "a");
  await peer.serve("in.peer", () => "b");
  await peer.serve(
    "slow",
    (_value, { signal }) => new Promise((resolve) => signal.addEventListener("abort", resolve)),
  );
  await hub.request("in.hub");
  await hub.request("in.peer");
  await peer.request("in.hub");
  await assert.rejects(peer.request("nobody"));
  assert.equal(await (await fetch(`${hub.httpUrl}/in/peer`)).text(), "b");
  assert.equal((await fetch(`${hub.httpUrl}/nobody`)).status, 503);
  assert.equal(
    (await fetch(`${hub.httpUrl}/in/hub`, { method: "POST", body: "x".repeat(2_000) })).status,
    413,
  );
  await assert.rejects(peer.request("slow", 1, { timeoutMs: 20 }), { reason: "DEADLINE" });
  await until(() => told.settled.length === 8, "it has ended at the hub too");
  const leaving = new AbortController();
  const abandoned = fetch(`${hub.httpUrl}/slow`, { signal: leaving.signal });
  await until(() => hub.stats().inFlight === 1, "it is under way");
  leaving.abort();
  await assert.rejects(abandoned);
  await until(() => told.settled.length === 9, "the hub knows");
  assert.deepEqual(told.settled.map(summary), [
    "in.hub process ok - process 1",
    "in.peer process ok - native 1",
    "in.hub native ok - process 1",
    "nobody native unavailable NO_RESPONDERS nobody 0",
    "in.peer http ok - native 1",
    "nobody http unavailable NO_RESPONDERS nobody 0",
    "in.hub http resource_exhausted TOO_LARGE nobody 0",
    told.settled[7]!.reason === "DEADLINE"
      ? "slow native deadline_exceeded DEADLINE native 1" // whoever is first to see the deadline
      : "slow native canceled CALLER_GONE native 1",
    "slow http canceled CALLER_GONE native 1",
  ]);
  for (const { queuedMs, workerMs, timeoutMs, worker, remote, gateway } of told.settled) {
    assert.ok(queuedMs >= 0 && workerMs >= 0 && timeoutMs > 0);
    assert.equal(remote === undefined, gateway === "process");
    if (worker?.gateway === "native") assert.match(worker.remote ?? "", /^tcp:\/\/127\.0\.0\.1:\d+$/);
  }
  const pending = hub.request("slow");
  pending.catch(() => undefined);
  await hub.close();
  await assert.rejects(pending);
  await assert.rejects(hub.request("slow"));
  assert.deepEqual(told.settled.slice(9).map(summary), [
    "slow process failed_precondition CLOSED native 1",
    "slow process failed_precondition CLOSED nobody 0",
  ]);
});

test("sessions, registrations, publications, polls and HTTP requests are told of", async () => {
  const { told, config } = observed();
  await using hub = await createHub(config);
  const peer = await connect(hub.urls[0]!);
  const service = await peer.serve("a.>", () => 1);
  const subscription = await peer.subscribe("news", () => undefined);
  void hub.publish("news", 1);
  assert.equal((await fetch(`${hub.httpUrl}/service/b/jobs?wait=1ms`)).status, 204);
  await service.close();
  await subscription.close();
  await peer.close();
  await until(() => told.others.some((line) => line.startsWith("closed")), "the session is over");
  assert.deepEqual(told.others, [
    "opened native tcp:// ",
    "added service a.> native",
    "added subscription news native",
    "published news 1",
    "added service b jobs",
    "polled b",
    "GET /service/b/jobs 204",
    "removed service a.> native",
    "removed subscription news native",
    "closed native tcp:// CLOSED",
  ]);
});

test("an observer that throws ends nothing, and is reported once for each method", async () => {
  const reported: string[] = [];
  await using hub = await createHub({
    http: false,
    listen: [],
    observer: {
      settled: () => {
        throw new Error("no room");
      },
    },
    onError: (error, where) => void reported.push(`${where} ${(error as Error).message}`),
  });
  await hub.serve("a", () => 1);
  for (let index = 0; index < 3; index++) assert.equal(await hub.request("a"), 1);
  assert.deepEqual(reported, ["observer.settled no room"]);
});

test("what is no observer is refused", async () => {
  for (const observer of [5, { settled: "x" }])
    await assert.rejects(createHub({ http: false, listen: [], observer } as unknown as HubConfig), {
      code: "invalid_argument",
    });
});
