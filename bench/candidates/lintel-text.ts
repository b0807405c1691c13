/** The text gateway with the clients of `lintel/text`, written as an application would write it. */
import { createHub } from "../../src/index.ts";
import { connectText } from "../../src/text/node.ts";
import type { Caller, Candidate, Feed, Open, OpenHub, Publisher } from "./candidate.ts";

const TARGET = "Echo";
const CONCURRENCY = 1_024;

export async function openTextHub(): Promise<OpenHub> {
  const hub = await createHub({ http: false, listen: [], text: { listen: "127.0.0.1:0" } });
  const { textUrl: address } = hub;
  if (address === undefined) throw new Error("the text gateway does not listen");
  return { address, close: () => hub.close() };
}

async function openWorker(address: string): Promise<Open> {
  const peer = await connectText(address);
  peer.serve(TARGET, ({ body }) => body, { concurrency: CONCURRENCY });
  await settle(peer);
  return { close: () => peer.close() };
}

/** Returns once the gateway has acted on what was said before. */
async function settle(peer: Awaited<ReturnType<typeof connectText>>): Promise<void> {
  await new Promise<void>((resolve) => {
    const listening = peer.onPrivate(() => {
      listening.close();
      resolve();
    });
    peer.publish(`MSG:${peer.guid}`);
  });
}

async function openCaller(address: string): Promise<Caller> {
  const peer = await connectText(address);
  return {
    close: () => peer.close(),
    request: (payload) => peer.request(TARGET, Buffer.from(payload).toString("latin1")),
  };
}

async function openPublisher(address: string): Promise<Publisher> {
  const peer = await connectText(address);
  return {
    close: () => peer.close(),
    publish: (feed, payload) => {
      peer.publish(feed, Buffer.from(payload).toString("latin1"));
      return undefined;
    },
  };
}

async function openSubscriber(address: string, feeds: readonly Feed[]): Promise<Open> {
  const peer = await connectText(address);
  for (const { name, deliver } of feeds) peer.subscribe(name, () => deliver());
  await settle(peer);
  return { close: () => peer.close() };
}

export const lintelText: Candidate = {
  openHub: openTextHub,
  openWorker,
  openCaller,
  openPublisher,
  openSubscriber,
};
