/** nats-server with the official Node client, `@nats-io/transport-node`. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { connect, createInbox, type Msg, type NatsConnection } from "@nats-io/transport-node";
import { findTool } from "../tools.ts";
import type { Answer, Caller, Candidate, Feed, Open, OpenHub, Publisher, Transport } from "./candidate.ts";

const NATS_SUBJECT = "bench.echo";

/**
 * The ways to make a request with the client. `mux` is its default; `mux-no-traces` and `no-mux` do without a stack trace
 * per request (`noAsyncTraces`), and `no-mux` gives each request a subscription of its own.
 * `inbox` is not the client's `request` at all: one subscription of ours for all answers and a `Map` of request ids,
 * without timeouts and without noticing that nobody serves. It shows what the client's publish and subscribe can carry.
 */
export const NATS_SETTINGS = ["inbox", "mux", "mux-no-traces", "no-mux"] as const;
export type NatsSetting = (typeof NATS_SETTINGS)[number];

const REQUEST_TIMEOUT_MS = 30_000;
const START_TIMEOUT_MS = 10_000;
const POLL_MS = 20;

async function openHub(_transport: Transport, directory: string): Promise<OpenHub> {
  const tool = findTool("nats-server");
  if (tool === undefined) throw new Error("nats-server is not on PATH");
  const server = spawn(tool, ["-a", "127.0.0.1", "-p", "-1", "--ports_file_dir", directory], {
    stdio: "ignore",
  });
  process.once("exit", () => server.kill("SIGKILL"));
  const file = join(directory, `nats-server_${server.pid}.ports`);
  const deadline = Date.now() + START_TIMEOUT_MS;
  let address = readAddress(file);
  while (address === undefined) {
    if (server.exitCode !== null || Date.now() > deadline) {
      server.kill("SIGKILL");
      throw new Error("nats-server did not start");
    }
    await sleep(POLL_MS);
    address = readAddress(file);
  }
  return { address, close: () => stop(server) };
}

/** The server writes the port it chose to a file; a file that is not whole yet counts as none. */
function readAddress(file: string): string | undefined {
  if (!existsSync(file)) return undefined;
  return /"nats:\/\/([^"]+)"/.exec(readFileSync(file, "utf8"))?.[1];
}

async function stop(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  const exited = once(server, "exit");
  server.kill("SIGKILL");
  await exited;
}

async function openNats(address: string, noAsyncTraces = true): Promise<NatsConnection> {
  return await connect({ servers: address, noAsyncTraces, reconnect: false });
}

async function openWorker(address: string, answer?: Answer): Promise<Open> {
  const connection = await openNats(address);
  const respond =
    answer === undefined
      ? (message: Msg): boolean => message.respond(message.data)
      : (message: Msg): boolean => message.respond(JSON.stringify(answer));
  connection.subscribe(NATS_SUBJECT, { callback: (_error, message) => void respond(message) });
  await connection.flush();
  return connection;
}

/** Requests over one wildcard subscription, as a careful user of the client would write it. */
function requestByInbox(connection: NatsConnection, subject: string): (payload: Uint8Array) => Promise<Msg> {
  const prefix = `${createInbox()}.`;
  const pending = new Map<string, (message: Msg) => void>();
  let nextId = 1;
  connection.subscribe(`${prefix}*`, {
    callback: (_error, message) => {
      const id = message.subject.slice(prefix.length);
      const resolve = pending.get(id);
      pending.delete(id);
      resolve?.(message);
    },
  });
  return (payload) =>
    new Promise((resolve) => {
      const id = String(nextId++);
      pending.set(id, resolve);
      connection.publish(subject, payload, { reply: prefix + id });
    });
}

/** A caller whose answers are the client's own messages. */
export interface NatsCaller extends Caller {
  request(payload: Uint8Array): Promise<Msg>;
}

export async function openNatsCaller(address: string, setting: NatsSetting): Promise<NatsCaller> {
  const connection = await openNats(address, setting !== "mux");
  const close = (): Promise<void> => connection.close();
  if (setting === "inbox") return { close, request: requestByInbox(connection, NATS_SUBJECT) };
  const noMux = setting === "no-mux";
  return {
    close,
    request: (payload) => connection.request(NATS_SUBJECT, payload, { timeout: REQUEST_TIMEOUT_MS, noMux }),
  };
}

async function openPublisher(address: string): Promise<Publisher> {
  const connection = await openNats(address);
  return {
    close: () => connection.close(),
    publish: (feed, payload) => {
      connection.publish(`bench.feed.${feed}`, payload);
      return undefined;
    },
  };
}

async function openSubscriber(address: string, feeds: readonly Feed[]): Promise<Open> {
  const connection = await openNats(address);
  for (const { name, deliver } of feeds)
    connection.subscribe(`bench.feed.${name}`, { callback: () => deliver() });
  await connection.flush();
  return connection;
}

/** The candidate with one setting of the client; see NatsSetting. */
export function natsWith(setting: NatsSetting): Candidate {
  return {
    openHub,
    openWorker,
    openCaller: (address) => openNatsCaller(address, setting),
    openPublisher,
    openSubscriber,
  };
}
