/**
 * What polls cost: memory of the hub for each that is idle; and requests per second, and time of the hub's processor, of
 * workers that poll for many jobs (`pull`), for one (`single`), or ask for one with each answer (`next`), to those of one that
 * is sent its requests (`push`), in turn.
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

/** Resident memory of the hub, in bytes, and the time of the processor it has had, in microseconds. */
async function usage({ child, lines }: Part): Promise<{ readonly rss: number; readonly cpu: number }> {
  child.stdin!.write("\n");
  return JSON.parse(String((await lines.next()).value)) as { rss: number; cpu: number };
}

/** Polls on connections of their own, opened at a pace that the backlog of the port bears. */
async function openPolls(count: number): Promise<Socket[]> {
  const sockets: Socket[] = [];
  for (let index = 0; index < count; index++) {
    const socket = connect(port, "127.0.0.1");
    socket.write(
      "GET /service/idle/jobs?wait=5m HTTP/1.1\r\nHost: localhost\r\nUser-Agent: curl/8\r\nAccept: */*\r\n\r\n",
    );
    sockets.push(socket);
    if (index % 100 === 99) await delay(20);
  }
  await delay(2_000);
  return sockets;
}

/** What requests came to, with 64 under way. */
interface Measured {
  readonly perSecond: number;
  /** Time of the hub's processor for each, in microseconds: says more than the rate where others use the machine, too. */
  readonly cpu: number;
}

async function throughput(service: string): Promise<Measured> {
  const { cpu: before } = await usage(hub);
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
  await Promise.race([delay(Number(values.seconds) * 1_000), Promise.all(loops)]);
  const took = performance.now() - began;
  stop = true;
  await Promise.all(loops);
  for (const caller of callers) caller.close();
  const { cpu } = await usage(hub);
  return { perSecond: (answered / took) * 1_000, cpu: (cpu - before) / answered };
}

function median(numbers: readonly number[]): string {
  const sorted = numbers.toSorted((one, other) => one - other);
  return sorted[sorted.length >> 1]!.toFixed(2);
}

const hub = await start("hub");
const { httpUrl, url } = JSON.parse(hub.said) as { httpUrl: string; url: string };
const port = Number(new URL(httpUrl).port);

for (const socket of await openPolls(300)) socket.destroy(); // what the first ones cost is not theirs alone
await delay(500);
const { rss } = await usage(hub);
const polls = await openPolls(Number(values.polls));
const each = ((await usage(hub)).rss - rss) / polls.length / 1_024;
console.log(`${polls.length} idle polls: ${each.toFixed(2)} KiB of the hub's resident memory each`);
for (const socket of polls) socket.destroy();
await delay(1_000);

const workers = [
  await start("push", url),
  await start("pull", String(port), String(CONCURRENCY)),
  await start("single", String(port), String(CONCURRENCY)),
  await start("next", String(port), String(CONCURRENCY)),
];
await delay(500);
const ratios: Record<string, { readonly rates: number[]; readonly costs: number[] }> = {
  pull: { rates: [], costs: [] },
  next: { rates: [], costs: [] },
  single: { rates: [], costs: [] },
};
for (const service of ["push", ...Object.keys(ratios)]) await throughput(service); // what runs first is compiled meanwhile
for (let round = 0; round < Number(values.rounds); round++) {
  const pushed = await throughput("push");
  console.log(`push: ${Math.round(pushed.perSecond)}/s, ${pushed.cpu.toFixed(1)} us of the hub each`);
  for (const [service, { rates, costs }] of Object.entries(ratios)) {
    const { perSecond, cpu } = await throughput(service);
    console.log(`${service}: ${Math.round(perSecond)}/s, ${cpu.toFixed(1)} us of the hub each`);
    rates.push(perSecond / pushed.perSecond);
    costs.push(cpu / pushed.cpu);
  }
}
for (const [service, { rates, costs }] of Object.entries(ratios))
  console.log(`${service} to push, medians: rate ${median(rates)}, cost ${median(costs)}`);
for (const { child } of [...workers, hub]) {
  child.kill();
  await once(child, "exit");
}
