/** W3: the HTTP edge, loaded by wrk over 64 connections. */
import type { LintelEdge } from "../candidates/lintel-local.ts";
import { HTTP_ANSWER } from "../candidates/answer.ts";
import { measureByWrk } from "../load/wrk.ts";
import type { ProcessTree } from "../process.ts";
import type { Contender } from "../rounds.ts";
import { NATS_BEST, against, type Entry, type Workload } from "./workload.ts";

const CONNECTIONS = 64;
const PROBE_TIMEOUT_MS = 5_000;

/** A candidate must answer both methods with the same object before it may race. */
async function load(tree: ProcessTree, url: string): Promise<Contender["measure"]> {
  for (const method of ["GET", "POST"]) {
    const response = await fetch(url, { method, signal: AbortSignal.timeout(PROBE_TIMEOUT_MS) });
    const text = await response.text();
    if (response.status !== 200 || text !== JSON.stringify(HTTP_ANSWER)) {
      throw new Error(`${method} was answered with ${response.status} ${text.slice(0, 200)}`);
    }
  }
  return measureByWrk(tree, url);
}

function lintelEdge(name: string, edge: LintelEdge): Entry {
  return {
    name,
    needs: ["wrk"],
    open: async (tree) => {
      const hub = await tree.fork({ is: "lintel-edge", edge, directory: tree.directory() });
      if (edge === "worker")
        await tree.fork({ is: "worker", of: "lintel", address: hub.workerAddress, answer: HTTP_ANSWER });
      return await load(tree, hub.address);
    },
  };
}

const bare: Entry = {
  name: "node:http",
  needs: ["wrk"],
  open: async (tree) => await load(tree, (await tree.fork({ is: "bare-http" })).address),
};

const natsEdge: Entry = {
  name: "node:http + nats",
  needs: ["wrk", "nats-server"],
  open: async (tree) => {
    const hub = await tree.fork({
      is: "hub",
      of: `nats-${NATS_BEST}`,
      transport: "tcp",
      directory: tree.directory(),
    });
    await tree.fork({ is: "worker", of: `nats-${NATS_BEST}`, address: hub.address, answer: HTTP_ANSWER });
    return await load(
      tree,
      (await tree.fork({ is: "nats-edge", address: hub.address, setting: NATS_BEST })).address,
    );
  },
};

const LINTEL = ["lintel constant", "lintel in process", "lintel worker"] as const;

export const w3: Workload = {
  name: "W3",
  title: "HTTP edge, wrk with 64 connections",
  cases: [
    { name: "GET", load: { kind: "http", method: "GET", connections: CONNECTIONS } },
    { name: "POST 256 B", load: { kind: "http", method: "POST", connections: CONNECTIONS } },
  ],
  // wrk counts whole seconds.
  seconds: (wanted) => Math.max(1, Math.round(wanted)),
  entries: [
    bare,
    lintelEdge(LINTEL[0], "constant"),
    lintelEdge(LINTEL[1], "in-process"),
    lintelEdge(LINTEL[2], "worker"),
    natsEdge,
  ],
  tables: [
    {
      title: "req/s, ratio to a bare node:http with a constant",
      metric: "rate",
      columns: against("node:http", [...LINTEL, "node:http + nats"]),
    },
    {
      title: "req/s, ratio to node:http -> NATS client -> nats-server -> worker",
      metric: "rate",
      columns: against("node:http + nats", [LINTEL[2]]),
    },
  ],
};
