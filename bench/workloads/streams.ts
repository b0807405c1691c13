/** ST: a stream of bytes inside one request, against plain sockets. */
import type { StreamTransport } from "../candidates/lintel-stream.ts";
import type { Load, Sample } from "../load/sample.ts";
import type { ProcessTree, RoleProcess } from "../process.ts";
import type { Case } from "../rounds.ts";
import { against, type Entry, type Workload } from "./workload.ts";

/** Raw sockets have no other form: what TLS, WebSocket and HTTP add is compared with tcp. */
const TRANSPORTS: readonly StreamTransport[] = ["unix", "tcp", "tls", "ws", "h2c", "http1", "memory"];

const cases: readonly Case[] = TRANSPORTS.map((transport) => ({
  name: transport,
  load: { kind: "stream", transport },
}));

/** The processes of one candidate for one transport; the first one sends. */
type Cast = readonly [RoleProcess, ...RoleProcess[]];
type Casting = (tree: ProcessTree, transport: StreamTransport) => Promise<Cast | undefined>;

const socketsFor = (transport: StreamTransport): "unix" | "tcp" => (transport === "unix" ? "unix" : "tcp");

const raw: Casting = async (tree, transport) => {
  const sink = await tree.fork({
    is: "raw-sink",
    transport: socketsFor(transport),
    directory: tree.directory(),
  });
  return [await tree.fork({ is: "stream-source", of: "raw", address: sink.address }), sink];
};

const relay: Casting = async (tree, transport) => {
  const sockets = socketsFor(transport);
  const sink = await tree.fork({ is: "raw-sink", transport: sockets, directory: tree.directory() });
  const address = sink.address;
  const between = await tree.fork({
    is: "raw-relay",
    transport: sockets,
    directory: tree.directory(),
    address,
  });
  const source = await tree.fork({ is: "stream-source", of: "raw", address: between.address });
  return [source, between, sink];
};

const direct: Casting = async (tree, transport) => {
  if (transport === "memory") return undefined; // its hub is in the same process anyway
  const directory = tree.directory();
  const hub = await tree.fork({ is: "stream-hub", transport, directory, serves: true });
  return [await tree.fork({ is: "stream-source", of: "lintel", address: hub.address }), hub];
};

const throughHub: Casting = async (tree, transport) => {
  if (transport === "memory") return [await tree.fork({ is: "stream-memory" })];
  const directory = tree.directory();
  const hub = await tree.fork({ is: "stream-hub", transport, directory, serves: false });
  const worker = await tree.fork({ is: "stream-worker", address: hub.address });
  return [await tree.fork({ is: "stream-source", of: "lintel", address: hub.address }), hub, worker];
};

/** Processes are started for a transport when it is first measured. */
function entry(name: string, cast: Casting): Entry {
  return {
    name,
    needs: [],
    open: (tree) => {
      const casts = new Map<StreamTransport, Promise<Cast | undefined>>();
      return Promise.resolve(async (load: Load, seconds: number): Promise<Sample> => {
        const transport = load.kind === "stream" ? load.transport : "tcp";
        const opening = casts.get(transport) ?? cast(tree, transport);
        casts.set(transport, opening);
        const processes = await opening;
        if (processes === undefined) return { rate: 0 };
        const { rate } = await processes[0].measure(load, seconds);
        const grown = await Promise.all(processes.map((one) => one.measure({ kind: "memory" }, 0)));
        return { rate, growth: Math.max(...grown.map(({ growth = 0 }) => growth)) };
      });
    },
  };
}

export const streams: Workload = {
  name: "ST",
  title: "a stream of bytes inside one request, in chunks of 64 KiB",
  cases,
  seconds: (wanted) => wanted,
  entries: [
    entry("raw", raw),
    entry("raw relay", relay),
    entry("lintel", direct),
    entry("lintel hub", throughHub),
  ],
  tables: [
    {
      title: "bytes/s, ratio to a raw socket from process to process",
      metric: "rate",
      columns: against("raw", ["raw relay", "lintel", "lintel hub"]),
    },
    {
      title: "bytes/s, ratio to raw sockets through a process that pipes",
      metric: "rate",
      columns: against("raw relay", ["lintel hub"]),
    },
    {
      title: "what the process that grew most has taken at its peak beyond what it began with, MiB",
      metric: "growth",
      columns: ["raw", "raw relay", "lintel", "lintel hub"].map((candidate) => ({ candidate })),
    },
  ],
};
