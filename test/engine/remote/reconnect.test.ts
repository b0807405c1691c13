import assert from "node:assert/strict";
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { Cable, later, outcome, startHub, startPeer } from "./harness.ts";
import { refusalOf } from "../../house/refusal.ts";

async function forkProcess(file: string, ...args: string[]): Promise<{ child: ChildProcess; said: string }> {
  const child = fork(fileURLToPath(new URL(file, import.meta.url)), args);
  const [said] = (await once(child, "message")) as [string];
  return { child, said };
}

test("P-101, P-102: a hub that is killed and started again on its port: everything is back", async () => {
  const first = await forkProcess("hub-process.js", "tcp://127.0.0.1:0");
  const url = first.said;
  const worker = await startPeer(url);
  const caller = await startPeer(url);
  const heard: unknown[] = [];
  await worker.peer.serve("echo", (value) => value);
  await worker.peer.serve("never", () => new Promise(() => undefined));
  await worker.peer.subscribe("news.*", (value) => heard.push(value));
  assert.equal(await caller.peer.request("echo", 1), 1);

  const inFlight = [1, 2, 3].map((value) => outcome(caller.peer.request("never", value)));
  // An answer on the same session says that the requests before it are at the hub.
  await caller.peer.request("echo", 2);
  first.child.kill("SIGKILL");
  assert.deepEqual(await Promise.all(inFlight), ["CONNECTION_LOST", "CONNECTION_LOST", "CONNECTION_LOST"]);
  await caller.link.reached("connecting");
  assert.equal(await outcome(caller.peer.request("echo", 3)), "NOT_CONNECTED");
  assert.throws(() => caller.peer.publish("news.a", 1), { reason: "NOT_CONNECTED" });

  const second = await forkProcess("hub-process.js", url);
  await Promise.all([worker.link.reached("connected", 2), caller.link.reached("connected", 2)]);
  let answer: unknown;
  do answer = await outcome(caller.peer.request("echo", 4));
  while (answer === "NO_RESPONDERS"); // the worker's SERVE is on its way
  assert.equal(answer, 4);
  void caller.peer.publish("news.b", "back");
  while (heard.length === 0) await caller.peer.request("echo", 5);
  assert.deepEqual(heard, ["back"], "subscriptions are announced again, once");
  second.child.kill("SIGKILL");
  await Promise.all([worker.peer.close(), caller.peer.close()]);
});

test("a worker process that is killed: its requests fail at once as WORKER_LOST", async () => {
  const hub = await startHub("tcp://127.0.0.1:0");
  const { child } = await forkProcess("worker-process.js", hub.urls[0]!);
  const { peer } = await startPeer(hub.urls[0]!);
  const requests = Array.from({ length: 100 }, () => outcome(peer.request("stuck", 1)));
  assert.equal(await peer.request("ready"), "ready"); // behind the others
  child.kill("SIGKILL");
  assert.deepEqual(new Set(await Promise.all(requests)), new Set(["WORKER_LOST"]));
  assert.equal(await outcome(peer.request("stuck", 1)), "NO_RESPONDERS");
  await peer.close();
  await hub.close();
});

test("a network that goes dead is noticed by both ends within heartbeat and timeout, and healed", async () => {
  const limits = { heartbeat: 500, heartbeatTimeout: 500 };
  const hub = await startHub("tcp://127.0.0.1:0", { limits });
  await using cable = await Cable.to(hub.urls[0]!);
  const worker = await startPeer(cable.url, { limits });
  const local = await startPeer(hub.urls[0]!, { limits });
  const held = later<void>();
  await worker.peer.serve("slow", () => {
    held.resolve();
    return new Promise(() => undefined);
  });
  await worker.peer.serve("echo", (value) => value);
  const stuck = outcome(local.peer.request("slow"));
  await held.promise;
  const cutAt = performance.now();
  cable.cut();
  assert.equal(await stuck, "WORKER_LOST");
  await worker.link.reached("connecting");
  const noticed = performance.now() - cutAt;
  assert.ok(noticed >= 490, `noticed after ${noticed} ms`); // what was heard last was heard before the cut
  cable.mend();
  await worker.link.reached("connected", 2);
  let answer: unknown;
  do answer = await outcome(local.peer.request("echo", "healed"));
  while (answer === "NO_RESPONDERS");
  assert.equal(answer, "healed");
  await Promise.all([worker.peer.close(), local.peer.close()]);
  await hub.close();
});

test("serve and subscribe while there is no connection are kept until there is", async () => {
  const first = await startHub("tcp://127.0.0.1:0");
  const url = first.urls[0]!;
  const { peer, link } = await startPeer(url);
  await first.close();
  await link.reached("connecting");
  const serving = peer.serve("later", () => "served");
  const abandoned = peer.serve("never", () => "never");
  const second = await startHub(url);
  await Promise.all([serving, abandoned]);
  assert.equal(await second.request("later"), "served");
  await peer.close();
  await second.close();
});

test("what waits when a peer is closed is settled: serve, subscribe, publish", async () => {
  const hub = await startHub("tcp://127.0.0.1:0");
  const { peer, link } = await startPeer(hub.urls[0]!);
  await hub.close();
  await link.reached("connecting");
  const waiting = [outcome(peer.serve("a", () => 1)), outcome(peer.subscribe("b", () => 1))];
  await peer.close();
  assert.deepEqual(await Promise.all(waiting), ["CLOSED", "CLOSED"]);
  assert.equal(await outcome(peer.request("a")), "CLOSED");
});

test("serve while there is no connection, then drain: it is settled", async () => {
  const hub = await startHub("tcp://127.0.0.1:0");
  const { peer, link } = await startPeer(hub.urls[0]!);
  await hub.close();
  await link.reached("connecting");
  const waiting = outcome(peer.serve("a", () => 1));
  await peer.drain();
  assert.equal(await waiting, "CLOSED");
});

test("a peer that cannot connect says why", async () => {
  const hub = await startHub("tcp://127.0.0.1:0");
  const url = hub.urls[0]!;
  await hub.close();
  const { reason, message } = await refusalOf((timeoutMs) => startPeer(url, { timeoutMs }));
  assert.equal(reason, "NOT_CONNECTED");
  assert.match(message, /ECONNREFUSED/);
});
