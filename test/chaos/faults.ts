/** What can happen to a hub, its workers, its callers and the network between them. Each fault ends by itself. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import type { Callers } from "./callers.ts";
import type { Scene } from "./scene.ts";

export interface Stricken {
  readonly scene: Scene;
  readonly callers: Callers;
  readonly random: () => number;
  /** Called before and after the hub cannot answer. */
  readonly hubAway: (isAway: boolean) => void;
  /** Told of what must not happen. */
  readonly complain: (text: string) => void;
}

export type Fault = (stricken: Stricken) => Promise<void>;

/** Milliseconds in which a process that drains has to end. */
const DRAIN_MS = 10_000;

export const FAULTS: Readonly<Record<string, Fault>> = {
  async "worker killed"({ scene, random }) {
    await scene.restart(pick(scene.workers, random), "SIGKILL");
  },
  async "worker drained"({ scene, random, complain }) {
    const name = pick(
      scene.workers.filter((worker) => worker.startsWith("w")),
      random,
    );
    await drained(name, scene, complain);
  },
  async "worker frozen"({ scene, random }) {
    const name = pick(scene.workers, random);
    scene.signal(name, "SIGSTOP");
    await delay(400 + random() * 800);
    scene.signal(name, "SIGCONT");
  },
  async "hub killed"({ scene, hubAway }) {
    hubAway(true);
    await scene.restart("hub", "SIGKILL");
    hubAway(false);
  },
  async "hub drained"({ scene, hubAway, complain }) {
    hubAway(true);
    await drained("hub", scene, complain);
    hubAway(false);
  },
  async "hub frozen"({ scene, random, hubAway }) {
    hubAway(true);
    scene.signal("hub", "SIGSTOP");
    await delay(200 + random() * 800);
    scene.signal("hub", "SIGCONT");
    await delay(50);
    hubAway(false);
  },
  async "callers gone"({ callers, random }) {
    for (let round = 0; round < 5; round++) {
      callers.withdraw(0.5);
      await delay(random() * 20);
    }
  },
  async "network swallows"({ scene, random }) {
    const cable = pick(scene.cables, random);
    cable.cut();
    await delay(300 + random() * 900);
    cable.mend();
  },
  async "network resets"({ scene, random }) {
    for (let round = 0; round < 3; round++) {
      pick(scene.cables, random).reset();
      await delay(random() * 50);
    }
  },
  async "large bodies"({ callers }) {
    await callers.burst(32, 700_000);
  },
  async "callers that read nothing"({ scene, random }) {
    const sockets = await Promise.all(Array.from({ length: 20 }, () => open(scene.httpPort)));
    for (const socket of sockets) {
      socket.pause();
      socket.write("GET /chaos/flood HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
    }
    await delay(200 + random() * 500);
    for (const socket of sockets) socket.destroy();
  },
  async garbage({ scene, random }) {
    for (const port of [scene.httpPort, scene.tcpPort]) {
      for (let count = 0; count < 10; count++) {
        const socket = await open(port);
        socket.write(
          Buffer.from(
            Array.from({ length: 1 + Math.floor(random() * 500) }, () => Math.floor(random() * 256)),
          ),
        );
        await delay(random() * 5);
        socket.destroy();
      }
    }
  },
};

function pick<T>(from: readonly T[], random: () => number): T {
  return from[Math.floor(random() * from.length)]!;
}

async function drained(name: string, scene: Scene, complain: Stricken["complain"]): Promise<void> {
  const before = performance.now();
  const code = await scene.restart(name, "SIGTERM");
  const took = Math.round(performance.now() - before);
  if (code !== 0) complain(`${name} was told to end and exited with ${code}`);
  if (took > DRAIN_MS) complain(`${name} was told to end and took ${took} ms`);
}

async function open(port: number): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => undefined);
  await Promise.race([once(socket, "connect"), once(socket, "close")]);
  return socket;
}
