/**
 * A caller, worker or subscriber of the hub at a URL, that writes down what it does:
 *
 *   node ledger-process.js ROLE NAME URL
 *
 * It tells its parent of its link, and when it does its work again after a reconnect. It answers "ledger" with what it
 * has written down since it was last asked, and ends on "stop".
 */
import { connect } from "../../../src/peer/connect.ts";
import type { Peer } from "../../../src/peer/peer.ts";
import { Watched } from "../../wire/watched.ts";

export type Role = "caller" | "worker" | "subscriber";

/** What a process tells its parent. `at` is wall-clock time: processes of one machine share it. */
export type Told =
  | { readonly kind: "connecting" | "connected" | "working"; readonly at: number }
  | { readonly kind: "ledger"; readonly ledger: Ledger };

export interface Ledger {
  /** Of a caller: nonce and outcome of every request; an answer is told by the worker's name. */
  readonly outcomes: [nonce: string, outcome: string][];
  /** Of a caller: requests made. */
  readonly sent: number;
  /** Of a worker: nonces of what it has executed. */
  readonly executed: string[];
  /** Of a subscriber: publications heard, as publisher and number. */
  readonly heard: [publisher: string, number: number][];
}

interface Job {
  readonly nonce: string;
}

interface Answer extends Job {
  readonly worker: string;
}

const AT_ONCE = 24;
/** Some requests take a few turns of the loop, so that answers overtake each other and some are lost with the hub. */
const LONGEST_TURNS = 40;

const [role, name, url] = process.argv.slice(2) as [Role, string, string];
const link = new (class extends Watched {
  isOpen = false;
})();
let ledger: { -readonly [K in keyof Ledger]: Ledger[K] } = empty();
let isWorking = false;
let isStopping = false;

function empty(): Ledger {
  return { outcomes: [], sent: 0, executed: [], heard: [] };
}

function tell(told: Told): void {
  process.send?.(told);
}

/** It does what it is for, for the first time since it was connected. */
function working(): void {
  if (isWorking) return;
  isWorking = true;
  tell({ kind: "working", at: Date.now() });
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

async function work(peer: Peer): Promise<void> {
  await peer.serve<Job>("ledger.work", async ({ nonce }): Promise<Answer> => {
    ledger.executed.push(nonce);
    working();
    for (let turns = ledger.executed.length % LONGEST_TURNS; turns > 0; turns--) await nextTurn();
    return { nonce, worker: name };
  });
}

async function listen(peer: Peer): Promise<void> {
  await peer.subscribe<number>("ledger.news.*", (value, { subject }) => {
    ledger.heard.push([subject, value]);
    working();
  });
}

let count = 0;
let published = 0;

async function call(peer: Peer): Promise<void> {
  while (!isStopping) {
    await link.until(() => link.isOpen || isStopping);
    const nonce = `${name}-${++count}`;
    ledger.sent++;
    const outcome = await peer.request<Answer>("ledger.work", { nonce }).then(
      (answer) => (answer.nonce === nonce ? answer.worker : `the answer to ${answer.nonce}`),
      (error: { reason?: string }) => error.reason ?? "an error without a reason",
    );
    ledger.outcomes.push([nonce, outcome]);
    if (outcome.startsWith("worker")) {
      working();
      if (link.isOpen && count % 8 === 0) await peer.publish(`ledger.news.${name}`, ++published);
    }
  }
}

const peer = await connect(url, {
  name,
  onState(state) {
    link.isOpen = state === "connected";
    if (state === "connected") isWorking = false;
    if (state !== "closed") tell({ kind: state, at: Date.now() });
    link.changed();
  },
});
if (role === "worker") await work(peer);
if (role === "subscriber") await listen(peer);
const calls = role === "caller" ? Array.from({ length: AT_ONCE }, () => call(peer)) : [];

process.on("message", (message) => {
  if (message === "ledger") {
    tell({ kind: "ledger", ledger });
    ledger = empty();
    return;
  }
  isStopping = true;
  link.changed();
  // A channel that is closed too soon drops what the pipe had no room for.
  void Promise.all(calls)
    .then(() => new Promise((sent) => process.send!({ kind: "ledger", ledger } satisfies Told, sent)))
    .then(() => peer.close())
    .then(() => process.disconnect());
});
