/**
 * What plain sockets can do: a hub on `node:net` that forwards length-prefixed frames and knows nothing else.
 * No subjects, headers, deadlines, errors or in-flight table; written the way one would write it by hand,
 * with a `Map` of pending requests in the client and one coalesced write per connection and loop turn.
 */
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import type { Caller, Candidate, Feed, Open, OpenHub, Publisher, Transport } from "./candidate.ts";
import {
  FrameWriter,
  HEADER_BYTES,
  KIND,
  encodeFrame,
  idOf,
  kindOf,
  readFrames,
  retarget,
  targetOf,
} from "./relay-frames.ts";

/** The state of a relay hub: who is connected, who works, who listens to which feed. */
class RelayHub {
  readonly #connections = new Map<number, FrameWriter>();
  readonly #feeds = new Map<number, FrameWriter[]>();
  readonly #sockets = new Set<Socket>();
  #worker: FrameWriter | undefined;
  #nextConnection = 1;

  accept(socket: Socket): void {
    socket.setNoDelay(true);
    const connection = this.#nextConnection++;
    const writer = new FrameWriter(socket);
    this.#connections.set(connection, writer);
    this.#sockets.add(socket);
    socket.on("error", () => socket.destroy());
    socket.on("close", () => {
      this.#connections.delete(connection);
      this.#sockets.delete(socket);
    });
    readFrames(socket, (frame) => this.#receive(connection, writer, frame));
  }

  abort(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #receive(connection: number, writer: FrameWriter, frame: Buffer): void {
    switch (kindOf(frame)) {
      case KIND.request:
        this.#worker?.send(retarget(frame, KIND.request, connection));
        break;
      case KIND.reply:
        this.#connections.get(targetOf(frame))?.send(frame);
        break;
      case KIND.publish:
        for (const subscriber of this.#feeds.get(targetOf(frame)) ?? []) subscriber.send(frame);
        break;
      case KIND.subscribe:
        this.#feeds.set(targetOf(frame), [...(this.#feeds.get(targetOf(frame)) ?? []), writer]);
        break;
      case KIND.worker:
        this.#worker = writer;
        writer.send(encodeFrame(KIND.ready, 0, 0));
        break;
      case KIND.ready:
        writer.send(frame);
        break;
    }
  }
}

async function openHub(transport: Transport, directory: string): Promise<OpenHub> {
  const hub = new RelayHub();
  const server: Server = createServer((socket) => hub.accept(socket));
  const path = join(directory, "relay.sock");
  if (transport === "unix") server.listen(path);
  else server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const bound = server.address();
  const address = bound === null || typeof bound === "string" ? path : String(bound.port);
  return {
    address,
    close: () => {
      server.close();
      hub.abort();
    },
  };
}

async function dial(address: string): Promise<Socket> {
  const socket = /^\d+$/.test(address) ? connect(Number(address), "127.0.0.1") : connect(address);
  await once(socket, "connect");
  socket.setNoDelay(true);
  return socket;
}

function closing(socket: Socket): Open {
  return { close: () => void socket.destroy() };
}

async function openWorker(address: string): Promise<Open> {
  const socket = await dial(address);
  const writer = new FrameWriter(socket);
  await new Promise<void>((ready) => {
    readFrames(socket, (frame) => {
      if (kindOf(frame) === KIND.ready) ready();
      else writer.send(encodeFrame(KIND.reply, targetOf(frame), idOf(frame), frame.subarray(HEADER_BYTES)));
    });
    writer.send(encodeFrame(KIND.worker, 0, 0));
  });
  return closing(socket);
}

async function openCaller(address: string): Promise<Caller> {
  const socket = await dial(address);
  const writer = new FrameWriter(socket);
  const pending = new Map<number, (payload: Uint8Array) => void>();
  let nextId = 1;
  readFrames(socket, (frame) => {
    const id = idOf(frame);
    const resolve = pending.get(id);
    pending.delete(id);
    resolve?.(frame.subarray(HEADER_BYTES));
  });
  return {
    ...closing(socket),
    request: (payload) =>
      new Promise((resolve) => {
        const id = nextId;
        nextId = nextId === 0xffffffff ? 1 : nextId + 1;
        pending.set(id, resolve);
        writer.send(encodeFrame(KIND.request, 0, id, payload));
      }),
  };
}

async function openPublisher(address: string): Promise<Publisher> {
  const socket = await dial(address);
  const writer = new FrameWriter(socket);
  return {
    ...closing(socket),
    publish: (feed, payload) => {
      writer.send(encodeFrame(KIND.publish, Number(feed), 0, payload));
      return undefined;
    },
  };
}

async function openSubscriber(address: string, feeds: readonly Feed[]): Promise<Open> {
  const socket = await dial(address);
  const writer = new FrameWriter(socket);
  const delivering = new Map(feeds.map(({ name, deliver }) => [Number(name), deliver]));
  await new Promise<void>((ready) => {
    readFrames(socket, (frame) => {
      if (kindOf(frame) === KIND.ready) ready();
      else delivering.get(targetOf(frame))?.();
    });
    for (const feed of delivering.keys()) writer.send(encodeFrame(KIND.subscribe, feed, 0));
    writer.send(encodeFrame(KIND.ready, 0, 0));
  });
  return closing(socket);
}

export const relay: Candidate = { openHub, openWorker, openCaller, openPublisher, openSubscriber };
