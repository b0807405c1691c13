/**
 * What polls cost: memory of the hub for each that is idle, and requests per second of a worker that polls, to those of one
 * that is sent its requests, in turn.
 *
 *   npm run measure:jobs -- --polls 10000 --rounds 5 --seconds 2
 */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { RawHttp } from "./raw-http.ts";

const { values } = parseArgs({
  options: {
    polls: { type: "string", default: "10000" },
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "2" },
  },
});
const PART = fileURLToPath(new URL("measured-process.js", import.meta.url));
const CONCURRENCY = 64;
const BODY = '{"hello":"world","number":12345}';

interface Part {
  readonly child: ChildProcess;
  readonly lines: AsyncIterator<string>;
}

async function start(...args: string[]): Promise<Part & { readonly said: string }> {
  const child = spawn(process.execPath, ["--expose-gc", PART, ...args], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const { value: said } = await lines.next();
  return { child, lines, said: String(said) };
}

/** Resident memory of the hub, in bytes. */
async function memory({ child, lines }: Part): Promise<number> {
  child.stdin!.write("\n");
  return Number((await lines.next()).value);
}

/** Polls on connections of their own, opened at a pace that the backlog of the port bears. */
async function openPolls(port: number, count: number): Promise<Socket[]> {
  const sockets: Socket[] = [];
  for (let index = 0; index < count; index++) {
    const socket = connect(port, "127.0.0.1");
    socket.write(
      "GET /service/idle/jobs?wait=5m HTTP/1.1\r\nHost: hub\r\nUser-Agent: curl/8\r\nAccept: */*\r\n\r\n",
    );
    sockets.push(socket);
    if (index % 100 === 99) await delay(20);
  }
  await delay(2_000);
  return sockets;
}

/** Requests per second with so many under way. */
async function throughput(port: number, service: string, seconds: number): Promise<number> {
  const callers = Array.from({ length: CONCURRENCY }, () => new RawHttp(port));
  let answered = 0;
  let stop = false;
  const began = performance.now();
  const loops = callers.map(async (caller) => {
    while (!stop) {
      const answer = await caller.call("POST", `/service/${service}`, BODY);
      if (answer !== BODY) throw new Error(`answered ${answer}`);
      answered++;
    }
  });
  await Promise.race([delay(seconds * 1_000), Promise.all(loops)]);
  const took = performance.now() - began;
  stop = true;
  await Promise.all(loops);
  for (const caller of callers) caller.close();
  return (answered / took) * 1_000;
}

const hub = await start("hub");
const { httpUrl, url } = JSON.parse(hub.said) as { httpUrl: string; url: string };
const { port } = new URL(httpUrl);

for (const socket of await openPolls(Number(port), 300)) socket.destroy(); // what the first ones cost is not theirs alone
await delay(500);
const before = await memory(hub);
const polls = await openPolls(Number(port), Number(values.polls));
const each = ((await memory(hub)) - before) / polls.length / 1_024;
console.log(`${polls.length} idle polls: ${each.toFixed(2)} KiB of the hub's resident memory each`);
for (const socket of polls) socket.destroy();
await delay(1_000);

const push = await start("push", url);
const pull = await start("pull", port, String(CONCURRENCY));
await delay(500);
const ratios: number[] = [];
for (let round = 0; round < Number(values.rounds); round++) {
  const pushed = await throughput(Number(port), "push", Number(values.seconds));
  const pulled = await throughput(Number(port), "pull", Number(values.seconds));
  ratios.push(pulled / pushed);
  console.log(
    `pushed ${Math.round(pushed)}/s, pulled ${Math.round(pulled)}/s, ratio ${(pulled / pushed).toFixed(2)}`,
  );
}
ratios.sort((one, other) => one - other);
console.log(`median ratio ${ratios[ratios.length >> 1]!.toFixed(2)}`);
for (const { child } of [push, pull, hub]) {
  child.kill();
  await once(child, "exit");
}
