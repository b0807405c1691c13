/** A stream in a request, through Lintel's public API. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { connect, createHub, type Hub, type Peer } from "../../src/index.ts";
import type { StreamSource } from "../load/streams.ts";
import { TransportRegistry } from "../../src/transport/registry.ts";
import type { Open, OpenHub } from "./candidate.ts";

export type StreamTransport = "unix" | "tcp" | "tls" | "ws" | "h2c" | "http1" | "memory";

const SUBJECT = "bench.bytes";
const TIMEOUT_MS = 120_000;
const HOST = "127.0.0.1";

interface Bytes {
  readonly bytes: ReadableStream<Uint8Array>;
}

/** From build/bench/candidates; the certificates are those of the tests. */
function pem(file: string): string {
  const folder = new URL("../../../test/certificates/", import.meta.url);
  return readFileSync(join(fileURLToPath(folder), file), "utf8");
}

async function count({ bytes }: Bytes): Promise<number> {
  let counted = 0;
  for await (const chunk of bytes) counted += chunk.length;
  return counted;
}

async function listen(transport: StreamTransport, directory: string): Promise<Hub> {
  const url = transport === "unix" ? `unix://${join(directory, "streams.sock")}` : `${transport}://${HOST}:0`;
  if (transport !== "tls") return await createHub({ http: false, listen: [url] });
  const tls = { cert: pem("server.pem"), key: pem("server.key") };
  return await createHub({ http: false, listen: [{ url, tls }] });
}

function dial(address: string): Promise<Peer> {
  return connect(address, address.startsWith("tls:") ? { tls: { ca: pem("authority.pem") } } : {});
}

/** A hub; `serves`: which takes the streams itself, so that there is no other process. */
export async function openStreamHub(
  transport: StreamTransport,
  directory: string,
  serves: boolean,
): Promise<OpenHub> {
  const hub = await listen(transport, directory);
  if (serves) await hub.serve(SUBJECT, count);
  return { address: hub.urls[0] ?? "", close: () => hub.close() };
}

export async function openStreamWorker(address: string): Promise<Open> {
  const peer = await dial(address);
  await peer.serve(SUBJECT, count);
  return { close: () => peer.close() };
}

export async function openStreamCaller(address: string): Promise<StreamSource & Open> {
  return sourceOf(await dial(address));
}

/** Hub, worker and caller in this process, joined by a memory transport. */
export async function openStreamMemory(): Promise<StreamSource & Open> {
  const transports = new TransportRegistry();
  const hub = await createHub({ http: false, listen: ["memory:bench"], transports });
  const worker = await connect("memory:bench", { transports });
  await worker.serve(SUBJECT, count);
  const caller = sourceOf(await connect("memory:bench", { transports }));
  const close = async (): Promise<void> => {
    await caller.close();
    await worker.close();
    await hub.close();
  };
  return { ...caller, close };
}

function sourceOf(peer: Peer): StreamSource & Open {
  return {
    close: () => peer.close(),
    send: (next) => {
      const bytes = new ReadableStream<Uint8Array>({
        pull(controller) {
          const chunk = next();
          if (chunk === undefined) controller.close();
          else controller.enqueue(chunk);
        },
      });
      return peer.request<number>(SUBJECT, { bytes }, { timeoutMs: TIMEOUT_MS });
    },
  };
}
