/**
 * The text gateway with clients as middleman's are: a WebSocket and messages put together by hand, a map of requests by
 * their ids, and no deadline.
 */
import { once } from "node:events";
import { WebSocket } from "ws";
import type { Caller, Candidate, Feed, Open, Publisher } from "./candidate.ts";
import { openTextHub } from "./lintel-text.ts";

const TARGET = "Echo";
const REQUEST_ID = "\r\nReqID:";
const RESPONDER_ID = "\r\nrid:";

interface Dialed {
  readonly socket: WebSocket;
  readonly guid: string;
}

/** A connection that has been greeted. */
async function dial(address: string): Promise<Dialed> {
  const socket = new WebSocket(address, { perMessageDeflate: false });
  await once(socket, "open");
  const greeting: string[] = [];
  await new Promise<void>((resolve, reject) => {
    socket.once("close", (code) => reject(new Error(`the text gateway closed with ${code}`)));
    socket.on("message", (data: Buffer) => {
      if (greeting.push(data.toString()) === 2) resolve();
    });
    socket.send("any key");
  });
  socket.removeAllListeners("message");
  return { socket, guid: greeting[1] ?? "" };
}

/** Sends commands, and returns once the gateway has acted on them. */
async function settle({ socket, guid }: Dialed, ...commands: readonly string[]): Promise<void> {
  const settled = once(socket, "message");
  for (const command of [...commands, `PUB MSG:${guid}`]) socket.send(`${command}\r\n\r\n\r\n.\r\n`);
  await settled;
}

/** The value behind a name that is known to be there, up to the end of its line. */
function valueAfter(text: string, name: string): string {
  const from = text.indexOf(name) + name.length;
  return text.slice(from, text.indexOf("\r\n", from));
}

/** The body, of which is known that it has no dots at the start of a line. */
function bodyOf(text: string): string {
  return text.slice(text.indexOf("\r\n\r\n") + 4, -5);
}

async function openWorker(address: string): Promise<Open> {
  const dialed = await dial(address);
  const { socket } = dialed;
  await settle(dialed, `EREQ ${TARGET}`);
  socket.on("message", (data: Buffer) => {
    const text = data.toString();
    socket.send(
      `RES ${TARGET}${RESPONDER_ID}${valueAfter(text, RESPONDER_ID)}\r\n\r\n${bodyOf(text)}\r\n.\r\n`,
    );
  });
  return { close: () => socket.close() };
}

async function openCaller(address: string): Promise<Caller> {
  const { socket } = await dial(address);
  const pending = new Map<string, (body: string) => void>();
  let last = 0;
  socket.on("message", (data: Buffer) => {
    const text = data.toString();
    const id = valueAfter(text, REQUEST_ID);
    pending.get(id)?.(bodyOf(text));
    pending.delete(id);
  });
  return {
    close: () => socket.close(),
    request: (payload) => {
      const id = String(++last);
      const text = Buffer.from(payload).toString("latin1");
      return new Promise((resolve) => {
        pending.set(id, resolve);
        socket.send(`REQ ${TARGET}${REQUEST_ID}${id}\r\n\r\n${text}\r\n.\r\n`);
      });
    },
  };
}

async function openPublisher(address: string): Promise<Publisher> {
  const { socket } = await dial(address);
  return {
    close: () => socket.close(),
    publish: (feed, payload) => {
      socket.send(`PUB ${feed}\r\n\r\n${Buffer.from(payload).toString("latin1")}\r\n.\r\n`);
      return undefined;
    },
  };
}

async function openSubscriber(address: string, feeds: readonly Feed[]): Promise<Open> {
  const dialed = await dial(address);
  await settle(dialed, ...feeds.map(({ name }) => `SUB ${name}`));
  const delivering = new Map(feeds.map(({ name, deliver }) => [name, deliver]));
  dialed.socket.on("message", (data: Buffer) => {
    const text = data.toString();
    delivering.get(text.slice("PUB ".length, text.indexOf("\r\n")))?.();
  });
  return { close: () => dialed.socket.close() };
}

export const textByHand: Candidate = {
  openHub: openTextHub,
  openWorker,
  openCaller,
  openPublisher,
  openSubscriber,
};
