/**
 * Floods the queue of a hub with large requests, by each way in, then keeps quiet and looks at the memory of its process:
 * it has to stay small under the flood, and to come back afterwards.
 *
 *   npm run soak:memory -- --megabytes N --quiet SECONDS     400 and 30 when not given
 */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { request, Agent } from "node:http";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { LintelError } from "../../src/message/failure.ts";
import { connect } from "../../src/peer/connect.ts";

const MIB = 1_048_576;
const SIZE = MIB - 4_096;
/** Requests of a flood that are under way at a time. */
const WINDOW = 300;
/** A process's memory moves by itself. */
const TOLERANCE = 0.1;

const { values } = parseArgs({
  options: {
    megabytes: { type: "string", default: "400" },
    quiet: { type: "string", default: "30" },
    most: { type: "string", default: "250" },
  },
});
const [megabytes, quiet, most] = [values.megabytes, values.quiet, values.most].map(Number) as [
  number,
  number,
  number,
];

interface Hub {
  readonly process: ChildProcess;
  readonly tcp: string;
  readonly http: string;
}

async function startHub(): Promise<Hub> {
  const main = fileURLToPath(new URL("../../../dist/cli/main.js", import.meta.url));
  const ports = ["--http", "127.0.0.1:0", "--listen", "tcp://127.0.0.1:0", "--log", "off"];
  const child = spawn(process.execPath, ["--max-old-space-size=256", main, "serve", ...ports], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [tcp, http] = ["", ""];
  for (const stream of [child.stdout, child.stderr])
    createInterface(stream).on("line", (line) => {
      tcp ||= /tcp:\/\/\S+/.exec(line)?.[0] ?? "";
      http ||= /http:\/\/\S+/.exec(line)?.[0] ?? "";
    });
  while (tcp === "" || http === "") await sleep(10);
  return { process: child, tcp, http };
}

/** Resident memory of a process, in MiB. */
function rss({ process: { pid } }: Hub): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+)/.exec(status)![1]) / 1_024;
}

type Ask = (body: Uint8Array) => Promise<string>;

async function sessionWay(url: string): Promise<[Ask, () => Promise<void>]> {
  const peer = await connect(url);
  const ask: Ask = (body) =>
    peer.request("busy", body, { timeoutMs: 10_000 }).then(
      () => "answered",
      (error: LintelError) => error.reason,
    );
  return [ask, () => peer.close()];
}

function httpWay(url: string): [Ask, () => Promise<void>] {
  const agent = new Agent({ keepAlive: true, maxSockets: WINDOW });
  const ask: Ask = (body) =>
    new Promise((resolve) => {
      const call = request(`${url}/busy`, {
        method: "POST",
        agent,
        headers: { "content-type": "application/octet-stream" },
      });
      call.on("error", () => resolve("reset"));
      call.on("response", (response) => {
        response.resume();
        response.on("end", () => resolve(String(response.statusCode)));
        response.on("error", () => resolve("reset"));
      });
      call.end(body);
    });
  return [ask, () => Promise.resolve(agent.destroy())];
}

/** Sends so many megabytes, WINDOW requests at a time, and counts how they ended. */
async function flood(ask: Ask, hub: Hub): Promise<{ peak: number; outcomes: Record<string, number> }> {
  const body = new Uint8Array(SIZE);
  const outcomes: Record<string, number> = {};
  let [left, peak] = [megabytes, 0];
  const watch = setInterval(() => (peak = Math.max(peak, rss(hub))), 20);
  await Promise.all(
    Array.from({ length: WINDOW }, async (_, index) => {
      await sleep(10 * index);
      while (left-- > 0) {
        const outcome = await ask(body);
        outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
        if (outcome !== "answered" && outcome !== "200") await sleep(50);
      }
    }),
  );
  clearInterval(watch);
  return { peak, outcomes };
}

const hub = await startHub();
const worker = await connect(hub.tcp);
await worker.serve("busy", () => sleep(20), { concurrency: 1 });
for (let n = 0; n < 20; n++) await worker.request("busy", new Uint8Array(1_000));
await sleep(2_000);

let failed = false;
for (const way of ["tcp", "ws", "http"]) {
  const before = rss(hub);
  const [ask, close] =
    way === "http"
      ? httpWay(hub.http)
      : await sessionWay(way === "ws" ? hub.http.replace("http", "ws") : hub.tcp);
  const { peak, outcomes } = await flood(ask, hub);
  await close();
  const ended = rss(hub);
  await sleep(quiet * 1_000);
  const after = rss(hub);
  const fits = peak <= most && after <= before * (1 + TOLERANCE);
  failed ||= !fits;
  const shown = [before, peak, ended, after].map((size) => size.toFixed(0));
  console.log(
    `${way}: ${shown[0]} MiB before, ${shown[1]} at most, ${shown[2]} at the end, ${shown[3]} after ${quiet} s ${JSON.stringify(outcomes)} ${fits ? "" : "FAILED"}`,
  );
}
await worker.close();
hub.process.kill();
await once(hub.process, "exit");
process.exitCode = failed ? 1 : 0;
