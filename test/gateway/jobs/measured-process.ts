/**
 * One part of what `measure.ts` measures. Prints a line when it is ready.
 *
 *   node measured-process.js hub             a hub; prints its URLs, and for each line it reads what it has used
 *   node measured-process.js push URL        a program that serves "push", 64 requests at a time
 *   node measured-process.js single PORT N   N workers that poll "single" for one job, and answer it
 *   node measured-process.js next PORT N     the same for "next", asking for the next job with each answer
 *   node measured-process.js pull PORT N     a worker that polls "pull" for N jobs at a time, and answers them in one call
 */
import { createInterface } from "node:readline";
import { connect, createHub } from "../../../src/index.ts";
import { RawHttp } from "./raw-http.ts";
import type { GivenJob } from "./harness.ts";

const [part, where = "", max = "1"] = process.argv.slice(2);

async function hub(): Promise<void> {
  const { httpUrl, urls } = await createHub({ http: { port: 0 }, listen: ["tcp://127.0.0.1:0"] });
  console.log(JSON.stringify({ httpUrl, url: urls[0] }));
  createInterface(process.stdin).on("line", () => {
    for (let round = 0; round < 6; round++) globalThis.gc?.();
    const { user, system } = process.cpuUsage();
    console.log(JSON.stringify({ rss: process.memoryUsage.rss(), cpu: user + system }));
  });
}

async function push(): Promise<void> {
  const peer = await connect(where);
  await peer.serve("push", (value) => value, { concurrency: 64 });
  console.log("ready");
}

async function pull(): Promise<void> {
  const worker = new RawHttp(Number(where));
  console.log("ready");
  for (;;) {
    const body = await worker.call("GET", `/service/pull/jobs?max=${max}`);
    if (body === "") continue;
    const jobs = JSON.parse(body) as GivenJob[];
    await worker.call(
      "POST",
      "/jobs",
      JSON.stringify(jobs.map(({ id, originalRequest }) => ({ id, response: originalRequest }))),
    );
  }
}

async function single(): Promise<void> {
  const worker = new RawHttp(Number(where));
  for (;;) {
    const body = await worker.call("GET", "/service/single/jobs");
    if (body === "") continue;
    const { id, originalRequest } = JSON.parse(body) as GivenJob;
    await worker.call("POST", `/jobs/${id}`, JSON.stringify(originalRequest));
  }
}

async function next(): Promise<void> {
  const worker = new RawHttp(Number(where));
  for (;;) {
    let body = await worker.call("GET", "/service/next/jobs");
    while (body !== "") {
      const { id, originalRequest } = JSON.parse(body) as GivenJob;
      body = await worker.call("POST", `/jobs/${id}?next=1`, JSON.stringify(originalRequest));
    }
  }
}

/** As many of a worker as may have jobs at a time. */
async function many(worker: () => Promise<void>): Promise<void> {
  console.log("ready");
  await Promise.all(Array.from({ length: Number(max) }, worker));
}

const parts = { hub, push, pull, single: () => many(single), next: () => many(next) };
await parts[part as keyof typeof parts]();
