/**
 * What people use for requests and fan-out over WebSocket: Socket.IO with acknowledgements and rooms. The hub passes each
 * request on to the worker and the worker's acknowledgement back, and each publication to a room; no subjects, deadlines,
 * errors or bounds. At its best settings: WebSocket from the start, no compression, plain callbacks, and text, since bytes
 * take a second message each way and leave 0.6 of the rate.
 */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Server } from "socket.io";
import { io, type Socket } from "socket.io-client";
import type { Caller, Candidate, Feed, Open, OpenHub, Publisher } from "./candidate.ts";

type Answered = (payload: string) => void;
interface ToClients {
  request(payload: string, answered: Answered): void;
  news(feed: string, payload: string): void;
}
interface FromClients {
  request(payload: string, answered: Answered): void;
  work(ready: () => void): void;
  subscribe(feeds: readonly string[], ready: () => void): void;
  publish(feed: string, payload: string): void;
}

async function openHub(): Promise<OpenHub> {
  const http = createServer();
  const server = new Server<FromClients, ToClients>(http, {
    transports: ["websocket"],
    perMessageDeflate: false,
    serveClient: false,
  });
  let work: ((payload: string, answered: Answered) => void) | undefined;
  server.on("connection", (socket) => {
    socket.on("work", (ready) => {
      work = (payload, answered) => void socket.emit("request", payload, answered);
      ready();
    });
    socket.on("request", (payload, answered) => work?.(payload, answered));
    socket.on("subscribe", (feeds, ready) => {
      void socket.join([...feeds]);
      ready();
    });
    socket.on("publish", (feed, payload) => void server.to(feed).emit("news", feed, payload));
  });
  http.listen(0, "127.0.0.1");
  await once(http, "listening");
  const { port } = http.address() as AddressInfo; // a TCP server that listens has one
  return { address: `http://127.0.0.1:${port}`, close: () => server.close() };
}

async function dial(address: string): Promise<Socket<ToClients, FromClients>> {
  const socket: Socket<ToClients, FromClients> = io(address, { transports: ["websocket"] });
  await new Promise<void>((resolve, reject) => {
    socket.on("connect", resolve);
    socket.on("connect_error", reject);
  });
  return socket;
}

async function openWorker(address: string): Promise<Open> {
  const socket = await dial(address);
  socket.on("request", (payload, answered) => answered(payload));
  await new Promise<void>((ready) => socket.emit("work", ready));
  return { close: () => void socket.close() };
}

async function openCaller(address: string): Promise<Caller> {
  const socket = await dial(address);
  return {
    close: () => void socket.close(),
    request: (payload) => {
      return new Promise((resolve) => socket.emit("request", textOf(payload), resolve));
    },
  };
}

async function openPublisher(address: string): Promise<Publisher> {
  const socket = await dial(address);
  return {
    close: () => void socket.close(),
    publish: (feed, payload) => {
      socket.emit("publish", feed, textOf(payload));
      return undefined;
    },
  };
}

async function openSubscriber(address: string, feeds: readonly Feed[]): Promise<Open> {
  const socket = await dial(address);
  const delivering = new Map(feeds.map(({ name, deliver }) => [name, deliver]));
  socket.on("news", (feed) => delivering.get(feed)?.());
  await new Promise<void>((ready) => socket.emit("subscribe", [...delivering.keys()], ready));
  return { close: () => void socket.close() };
}

function textOf(payload: Uint8Array): string {
  return Buffer.from(payload).toString("latin1");
}

export const socketIo: Candidate = { openHub, openWorker, openCaller, openPublisher, openSubscriber };
