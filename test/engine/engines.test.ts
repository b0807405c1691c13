/** Every engine is held to the same suite. */
import { CountingEngine } from "../../src/engine/counting-engine.ts";
import { LocalEngine } from "../../src/engine/local/local-engine.ts";
import { RemoteEngine } from "../../src/engine/remote/remote-engine.ts";
import { engineSuite, type EnginePair } from "../../src/testing/index.ts";
import { TransportRegistry, type Limits } from "../../src/index.ts";
import { startHub } from "./remote/harness.ts";

function openLocal(limits: Partial<Limits> = {}): EnginePair {
  const engine = new LocalEngine({ limits });
  return { callers: engine, workers: engine, close: () => engine.close() };
}

function openCounted(limits: Partial<Limits> = {}): EnginePair {
  const engine = new CountingEngine(new LocalEngine({ limits }), { settled: () => undefined });
  return { callers: engine, workers: engine, close: () => engine.close() };
}

engineSuite("local", { open: () => openLocal(), openWith: openLocal });
engineSuite("local, counted from outside", { open: () => openCounted(), openWith: openCounted });

for (const listen of ["tcp://127.0.0.1:0", "ws://127.0.0.1:0"])
  engineSuite(`remote, through a hub at ${listen}`, {
    open: () => openRemote(listen),
    openWith: (limits) => openRemote(listen, limits),
  });

async function openRemote(listen: string, limits: Partial<Limits> = {}): Promise<EnginePair> {
  const hub = await startHub(listen, { limits });
  const url = hub.urls[0]!;
  const transport = await new TransportRegistry().for(url);
  const [callers, workers] = [new RemoteEngine(transport, url), new RemoteEngine(transport, url)];
  await Promise.all([callers.connected(), workers.connected()]);
  const close = async (): Promise<void> => {
    await Promise.all([callers.close(), workers.close()]);
    await hub.close();
  };
  return { callers, workers, close };
}
