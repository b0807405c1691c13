/**
 * What people use for requests over WebSocket: Socket.IO with acknowledgements. The hub passes each request on to the
 * worker and the worker's acknowledgement back; no subjects, deadlines, errors or bounds. At its best settings:
 * WebSocket from the start, no compression, plain callbacks, and text, since bytes take a second message each way and
 * leave 0.6 of the rate.
 */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Server } from "socket.io";
import { io, type Socket } from "socket.io-client";
import type { Caller, Open, OpenHub, RequestCandidate } from "./candidate.ts";

type Answered = (payload: string) => void;
interface Requests {
  request(payload: string, answered: Answered): void;
}
interface FromClients extends Requests {
  work(ready: () => void): void;
}

async function openHub(): Promise<OpenHub> {
  const http = createServer();
  const server = new Server<FromClients, Requests>(http, {
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
  });
  http.listen(0, "127.0.0.1");
  await once(http, "listening");
  const { port } = http.address() as AddressInfo; // a TCP server that listens has one
  return { address: `http://127.0.0.1:${port}`, close: () => server.close() };
}

async function dial(address: string): Promise<Socket<Requests, FromClients>> {
  const socket: Socket<Requests, FromClients> = io(address, { transports: ["websocket"] });
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
      const text = Buffer.from(payload).toString("latin1");
      return new Promise((resolve) => socket.emit("request", text, resolve));
    },
  };
}

export const socketIo: RequestCandidate = { openHub, openWorker, openCaller };
