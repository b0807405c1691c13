/** Lintel itself, through its public API only, written as an application would write it. */
import { join } from "node:path";
import { connect, createHub } from "../../src/index.ts";
import type { Answer, Caller, Candidate, Feed, Open, OpenHub, Publisher, Transport } from "./candidate.ts";

export const LINTEL_SUBJECT = "bench.echo";

const REQUEST_TIMEOUT_MS = 30_000;
/** More than any load has in flight, so that the worker's own limit is never what is measured. */
const CONCURRENCY = 1_024;

async function openHub(transport: Transport, directory: string): Promise<OpenHub> {
  const url =
    transport === "unix" ? `unix://${join(directory, "lintel.sock")}` : `${transport}://127.0.0.1:0`;
  const hub = await createHub({ http: false, listen: [url] });
  const [address] = hub.urls;
  if (address === undefined) throw new Error(`the hub does not listen on ${url}`);
  return { address, close: () => hub.close() };
}

async function openWorker(address: string, answer?: Answer): Promise<Open> {
  const peer = await connect(address);
  await peer.serve(LINTEL_SUBJECT, answer === undefined ? (value) => value : () => answer, {
    concurrency: CONCURRENCY,
  });
  return { close: () => peer.close() };
}

async function openCaller(address: string): Promise<Caller> {
  const peer = await connect(address);
  const options = { timeoutMs: REQUEST_TIMEOUT_MS };
  return {
    close: () => peer.close(),
    request: (payload) => peer.request(LINTEL_SUBJECT, payload, options),
  };
}

async function openPublisher(address: string): Promise<Publisher> {
  const peer = await connect(address);
  return {
    close: () => peer.close(),
    publish: (feed, payload) => peer.publish(`bench.feed.${feed}`, payload),
  };
}

async function openSubscriber(address: string, feeds: readonly Feed[]): Promise<Open> {
  const peer = await connect(address);
  for (const { name, deliver } of feeds) await peer.subscribe(`bench.feed.${name}`, () => deliver());
  return { close: () => peer.close() };
}

export const lintel: Candidate = { openHub, openWorker, openCaller, openPublisher, openSubscriber };
