/**
 * Fan-out with a window. Subscribers tell the publisher how far they are over a unix socket of the bench's own,
 * so that flow control costs every candidate the same and nothing has to be dropped.
 * An acknowledgement is `u32 subscribers | u32 received`; `received` counts messages that all of them got.
 */
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { Candidate, Open, Publisher } from "../candidates/candidate.ts";
import type { FanoutLoad, Sample } from "./sample.ts";

const ACK_BYTES = 8;
/** Acknowledging every quarter of a window keeps the publisher busy while one is under way. */
const ACKS_PER_WINDOW = 4;
const LEAD_IN_SHARE = 0.15;
const DRAIN_TIMEOUT_MS = 10_000;

/** A feed is named by its number of subscribers: "10" is received by ten connections. */
export function feedName(load: FanoutLoad): string {
  return String(load.subscribers);
}

function ackEvery(load: FanoutLoad): number {
  return Math.max(1, load.window / ACKS_PER_WINDOW);
}

/** Opens as many connections as the largest load asks for and acknowledges what they receive. */
export async function openSubscribers(
  candidate: Candidate,
  address: string,
  loads: readonly FanoutLoad[],
  ackPath: string,
): Promise<Open> {
  const publishers = new Set<Socket>();
  const server = createServer((socket) => publishers.add(socket));
  server.listen(ackPath);
  await once(server, "listening");

  const feeds = loads.map((load) => ({
    load,
    name: feedName(load),
    deliver: countDeliveries(load, publishers),
  }));
  const connections: Open[] = [];
  const most = Math.max(...loads.map((load) => load.subscribers));
  for (let index = 0; index < most; index++) {
    const listening = feeds.filter(({ load }) => load.subscribers > index);
    connections.push(await candidate.openSubscriber(address, listening));
  }
  return {
    close: async () => {
      server.close();
      for (const publisher of publishers) publisher.destroy();
      await Promise.all(connections.map(async (connection) => await connection.close()));
    },
  };
}

/** Counts messages of a feed, over all subscribers, and acknowledges each quarter of a window. */
function countDeliveries(load: FanoutLoad, publishers: ReadonlySet<Socket>): () => void {
  const step = load.subscribers * ackEvery(load);
  let left = step;
  let received = 0;
  return () => {
    if (--left > 0) return;
    left = step;
    received += ackEvery(load);
    const ack = Buffer.allocUnsafe(ACK_BYTES);
    ack.writeUInt32LE(load.subscribers, 0);
    ack.writeUInt32LE(received, 4);
    for (const publisher of publishers) publisher.write(ack);
  };
}

/** The publisher's view of one feed. */
interface Progress {
  sent: number;
  received: number;
  /** When the last acknowledgement came, by `performance.now()`. */
  receivedAt: number;
  wake: (() => void) | undefined;
}

/** Publishes within the window and turns acknowledgements into a rate of deliveries. */
export class FanoutMeter implements Open {
  readonly #publisher: Publisher;
  readonly #acks: Socket;
  readonly #feeds = new Map<number, Progress>();

  private constructor(publisher: Publisher, acks: Socket) {
    this.#publisher = publisher;
    this.#acks = acks;
    let rest = Buffer.alloc(0);
    acks.on("data", (chunk: Buffer) => {
      const bytes = Buffer.concat([rest, chunk]);
      const whole = bytes.length - (bytes.length % ACK_BYTES);
      for (let at = 0; at < whole; at += ACK_BYTES)
        this.#acknowledge(bytes.readUInt32LE(at), bytes.readUInt32LE(at + 4));
      rest = bytes.subarray(whole);
    });
  }

  static async open(candidate: Candidate, address: string, ackPath: string): Promise<FanoutMeter> {
    const acks = connect(ackPath);
    await once(acks, "connect");
    return new FanoutMeter(await candidate.openPublisher(address), acks);
  }

  /** Rejects when the last messages are not all received in time: a candidate that drops has no rate. */
  async measure(load: FanoutLoad, seconds: number): Promise<Sample> {
    const progress = this.#progress(load.subscribers);
    let stopped = false;
    const publishing = this.#publishUntil(load, progress, () => stopped);
    const counted = rateOf(load, progress, seconds).finally(() => (stopped = true));
    const [sample] = await Promise.all([counted, Promise.race([publishing, counted.then(lossAfterTimeout)])]);
    return sample;
  }

  async close(): Promise<void> {
    this.#acks.destroy();
    await this.#publisher.close();
  }

  async #publishUntil(load: FanoutLoad, progress: Progress, stopped: () => boolean): Promise<void> {
    const payload = new Uint8Array(load.payloadBytes).fill(0x61);
    const feed = feedName(load);
    const step = ackEvery(load);
    while (!stopped()) {
      while (progress.sent + step <= progress.received + load.window) {
        for (let count = 0; count < step; count++) {
          const backpressure = this.#publisher.publish(feed, payload);
          if (backpressure !== undefined) await backpressure;
        }
        progress.sent += step;
      }
      await acknowledged(progress);
    }
    while (progress.received < progress.sent) await acknowledged(progress);
  }

  #progress(subscribers: number): Progress {
    const progress = this.#feeds.get(subscribers) ?? {
      sent: 0,
      received: 0,
      receivedAt: performance.now(),
      wake: undefined,
    };
    this.#feeds.set(subscribers, progress);
    return progress;
  }

  #acknowledge(subscribers: number, received: number): void {
    const progress = this.#progress(subscribers);
    progress.received = received;
    progress.receivedAt = performance.now();
    progress.wake?.();
    progress.wake = undefined;
  }
}

/** Counts from one acknowledgement to another: between two points of time it would round to whole steps. */
async function rateOf(load: FanoutLoad, progress: Readonly<Progress>, seconds: number): Promise<Sample> {
  await sleep(seconds * LEAD_IN_SHARE * 1_000);
  const { received: before, receivedAt: from } = progress;
  await sleep(seconds * 1_000);
  const messages = progress.received - before;
  if (messages <= 0) throw new Error("nothing was acknowledged while measuring");
  return { rate: (messages * load.subscribers * 1_000) / (progress.receivedAt - from) };
}

async function acknowledged(progress: Progress): Promise<void> {
  await new Promise<void>((resolve) => {
    progress.wake = resolve;
  });
}

async function lossAfterTimeout(): Promise<never> {
  await sleep(DRAIN_TIMEOUT_MS, undefined, { ref: false });
  throw new Error("deliveries were lost: not every message was received");
}
