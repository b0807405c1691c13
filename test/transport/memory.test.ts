/** `memory:NAME` without a registry that both ends share: the names are the process's. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { TransportRegistry, connect, createHub, type Hub } from "../../src/index.ts";
import * as memory from "../../src/transport/memory.ts";
import { refusalOf } from "../house/refusal.ts";

const SILENT = { http: false, listen: [] as string[] } as const;

function hubAt(...listen: string[]): Promise<Hub> {
  return createHub({ ...SILENT, listen });
}

/** What the process keeps. */
function names(): string[] {
  const shared = globalThis as unknown as Record<symbol, Map<string, unknown> | undefined>;
  return [...(shared[Symbol.for("lintel.memory.v1")]?.keys() ?? [])];
}

async function answered(url: string, options = {}): Promise<unknown> {
  const peer = await connect(url, { timeoutMs: 1_000, ...options });
  const answer = await peer.request("double", 21);
  await peer.close();
  return answer;
}

test("a hub and a peer in one process find each other by the name alone, whatever registries they have", async () => {
  const transports = new TransportRegistry();
  for (const ofHub of [{}, { transports }, { transports: new TransportRegistry() }]) {
    const hub = await createHub({ ...SILENT, listen: ["memory:alone"], ...ofHub });
    await hub.serve("double", (n) => Number(n) * 2);
    assert.deepEqual(hub.urls, ["memory:alone"]);
    for (const ofPeer of [{}, { transports }]) assert.equal(await answered("memory:alone", ofPeer), 42);
    assert.equal(await answered("memory://alone"), 42);
    await hub.close();
  }
  assert.deepEqual(names(), []);
});

test("two copies of the package in one process share the names", async () => {
  const copy = new URL("../../src/transport/memory.js?copy", import.meta.url).href;
  const other = (await import(copy)) as typeof memory;
  assert.notEqual(other.createMemoryTransport, memory.createMemoryTransport);
  const hub = await hubAt("memory:copies");
  await hub.serve("double", (n) => Number(n) * 2);
  const transports = new TransportRegistry();
  transports.add(other.createMemoryTransport(other.processNames()));
  assert.equal(await answered("memory:copies", { transports }), 42);
  await assert.rejects(createHub({ ...SILENT, listen: ["memory:copies"], transports }), {
    code: "EADDRINUSE",
  });
  await hub.close();
});

test("a peer that dials before the hub listens is connected once it does, and again after a restart", async () => {
  const states: string[] = [];
  let reconnected: () => void = () => undefined;
  const dialing = connect("memory:later", {
    onState: (state) => {
      states.push(state);
      if (state === "connected") reconnected();
    },
  });
  await new Promise((resolve) => setImmediate(resolve));
  const first = await hubAt("memory:later");
  const peer = await dialing;
  await peer.serve("where", () => "here");
  assert.equal(await first.request("where"), "here");
  const again = new Promise<void>((resolve) => (reconnected = resolve));
  await first.close();
  const second = await hubAt("memory:later");
  await again;
  await peer.subscribe("ready", () => undefined); // what was announced before it is there too
  assert.equal(await second.request("where"), "here");
  await peer.close();
  await second.close();
});

test("a name is taken once, and free again whatever ended the one who had it", async () => {
  const taken = { code: "EADDRINUSE", syscall: "listen", address: "memory:taken", message: /memory:taken/ };
  const hub = await hubAt("memory:taken");
  await assert.rejects(hubAt("memory:taken"), taken);
  await assert.rejects(hubAt("memory:other", "memory:taken"), taken);
  await assert.rejects(hub.listen("memory:taken"), taken);
  assert.deepEqual(names(), ["taken"]); // and "other" is free again
  await hub.drain();
  const second = await hubAt("memory:taken");
  await second.close();
  const third = await hubAt();
  const gateway = await third.listen("memory:taken");
  await gateway.close();
  await (await hubAt("memory:taken")).close();
  await third.close();
  assert.deepEqual(names(), []);
});

test("nobody listens: the error names the URL", async () => {
  const { reason, message } = await refusalOf((timeoutMs) => connect("memory:nobody", { timeoutMs }));
  assert.equal(reason, "NOT_CONNECTED");
  assert.match(message, /nothing in this process listens on memory:nobody/);
});

for (const url of ["memory:", "memory://", "memory:a b", "memory:/x", "memory: "]) {
  test(`"${url}" is no name, for both ends`, async () => {
    await assert.rejects(hubAt(url), TypeError);
    await assert.rejects(connect(url, { timeoutMs: 1_000 }), TypeError);
  });
}
