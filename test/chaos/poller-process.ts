/**
 * A worker that polls over HTTP. It records each job before it executes it, and answers some of them twice.
 *
 *   node poller-process.js NAME PORT LEDGER
 */
import { openSync, writeSync } from "node:fs";
import { Agent, request } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import type { Echo, Question } from "./worker-process.ts";

interface Job {
  readonly id: string;
  readonly originalRequest: Question;
}

/** Polls at a time. */
const POLLS = 4;

const [name, port, path] = process.argv.slice(2) as [string, string, string];
const ledger = openSync(path, "a");
const agent = new Agent({ keepAlive: true });
let count = 0;

function call(method: string, target: string, body?: string): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const options = { host: "127.0.0.1", port, method, path: target, agent };
    const sent = request(options, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => void chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () =>
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() }),
      );
    });
    sent.on("error", reject);
    if (body !== undefined) sent.setHeader("content-type", "application/json");
    sent.end(body);
  });
}

async function workOnce(): Promise<void> {
  const given = await call("GET", "/service/chaos.job/jobs?wait=2");
  if (given.status === 503) return delay(20);
  if (given.status !== 200) return;
  const { id, originalRequest } = JSON.parse(given.body) as Job;
  const { nonce, body, ms } = originalRequest;
  writeSync(ledger, `${nonce} ${name}\n`);
  if (ms > 0) await delay(ms);
  const echo: Echo = { nonce, body, worker: name };
  const first = await call("POST", `/jobs/${id}`, JSON.stringify(echo));
  if (++count % 7 !== 0) return;
  const second = await call("POST", `/jobs/${id}`, '"an answer too many"');
  if (first.status === 200 && second.status !== 409) throw new Error(`a second answer got ${second.status}`);
}

async function work(): Promise<void> {
  for (;;) {
    try {
      await workOnce();
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === undefined) throw error;
      await delay(20); // the hub is away
    }
  }
}

for (let index = 0; index < POLLS; index++) void work();
process.send?.("serving");
