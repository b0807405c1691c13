/**
 * A worker that records each request before it executes it; it drains on SIGTERM.
 *
 *   node worker-process.js NAME URL LEDGER
 */
import { openSync, writeSync } from "node:fs";
import { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { connect } from "../../src/index.ts";

/** What callers ask: a body to be echoed, and how long that takes. */
export interface Question {
  readonly nonce: string;
  readonly body: string;
  readonly ms: number;
}

export interface Echo {
  readonly nonce: string;
  readonly body: string;
  readonly worker: string;
}

const [name, url, path] = process.argv.slice(2) as [string, string, string];
const ledger = openSync(path, "a");
const peer = await connect(url, {
  name,
  limits: { heartbeat: 300, heartbeatTimeout: 300 },
  onError: () => undefined,
  onState: (state) => void process.send?.(state),
});
await peer.serve<Question>("chaos.echo.*", async ({ nonce, body, ms }): Promise<Echo> => {
  writeSync(ledger, `${nonce} ${name}\n`);
  if (ms > 0) await delay(ms);
  return { nonce, body, worker: name };
});
await peer.serve("chaos.flood", () => Readable.from(pages(), { objectMode: false }));
process.once("SIGTERM", () => void peer.drain().then(() => process.exit(0)));
process.send?.("serving");

function* pages(): Generator<Uint8Array> {
  const page = new Uint8Array(65_536).fill(97);
  for (let index = 0; index < 1_000; index++) yield page;
}
