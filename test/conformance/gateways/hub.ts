/** The hub of the matrix: every gateway there is, and keys for its programs. */
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createHub, type HubConfig } from "../../../src/index.ts";
import type { Observer } from "../../../src/index.ts";
import type { Counted, MatrixHub } from "../../../src/testing/index.ts";
import { CALLER_KEY, DRS_KEY } from "./commands.ts";
import { canPassDescriptors } from "../../../src/transport/descriptors/libc.ts";

/** How long a service that nobody polls any more keeps its queue. Milliseconds. */
const LINGER_MS = 1_000;

const KEYS = { service: "key-of-the-services", client: "key-of-the-clients" } as const;
/** What clients of DRS are asked, that announce nothing. */
const DRS_REQUESTS = "x.request.*.DRS.>";
const paths = new WeakMap<MatrixHub, string>();

/** Where a hub has its socket for beam. */
export function beamPathOf(matrix: MatrixHub): string {
  return paths.get(matrix)!;
}

/** A hub of its own, or one in front of another. */
export async function openMatrixHub(home?: MatrixHub): Promise<MatrixHub> {
  const folder = mkdtempSync(join(tmpdir(), "lintel-gateways-"));
  const path = join(folder, "beam.sock");
  const counts = new Counts();
  const beam = { path, plain: "publish", maxConnections: 1_024, maxAttachments: 1_024 } as const;
  const hub = await createHub({
    listen: ["tcp://127.0.0.1:0"],
    http: {
      port: 0,
      // A subject of the matrix has five parts.
      routes: [
        {
          method: "POST",
          path: "/publish/{a}/{b}/{c}/{d}/{e}",
          subject: "{a}.{b}.{c}.{d}.{e}",
          mode: "publish",
        },
      ],
    },
    jobs: { linger: LINGER_MS },
    grpc: { port: 0 },
    text: true,
    commands: {
      listen: "tcp://127.0.0.1:0",
      serve: [DRS_REQUESTS],
      broadcast: ["x.publish.*.DRS.>"],
    },
    ...(canPassDescriptors() ? { beam } : {}),
    access: accessOptions(),
    limits: { callerShare: 100 },
    observer: counts.observer,
    onError: () => undefined,
    ...(home === undefined ? {} : { engine: { url: home.hub.urls[0]!, token: DRS_KEY } }),
  });
  const matrix: MatrixHub = {
    hub,
    keyOf: (role) => KEYS[role],
    // What is there at a hub in front of another is there when the other knows of it.
    counted: home?.counted ?? ((what, pattern, count) => counts.reach(what, pattern, count)),
    async [Symbol.asyncDispose]() {
      await hub.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  paths.set(matrix, path);
  return matrix;
}

/** Programs of beam have no keys, and are all the same: they are clients, and services below two of the subjects. */
function accessOptions(): NonNullable<HubConfig["access"]> {
  const below = ["x.request.>", "x.publish.>"];
  const sha256 = (key: string): string => createHash("sha256").update(key).digest("hex");
  return {
    keys: [
      { name: "service", role: "service", sha256: sha256(KEYS.service), deny: { serve: [DRS_REQUESTS] } },
      { name: "drs", role: "service", sha256: sha256(DRS_KEY) },
      {
        name: "caller",
        role: "client",
        sha256: sha256(CALLER_KEY),
        grants: { request: ["x.request.>"], subscribe: ["x.publish.>"] },
      },
      { name: "client", role: "client", sha256: sha256(KEYS.client) },
    ],
    unix: [
      {
        uid: process.getuid?.() ?? 0,
        role: "client",
        grants: { request: below, open: below, publish: below, serve: below },
      },
    ],
  };
}

/** What the observer of the hub has told, counted. */
class Counts {
  readonly #counts = new Map<string, number>();
  readonly #waiting = new Set<() => void>();

  readonly observer: Observer = {
    registration: ({ event, kind, pattern }) => this.#add(kind, pattern, event === "added" ? 1 : -1),
    administered: ({ action, verb, name }) => {
      if (action === "enabled" || action === "disabled")
        this.#add(verb as Counted, name, action === "enabled" ? 1 : -1);
    },
  };

  reach(what: Counted, pattern: string, count: number): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if ((this.#counts.get(`${what} ${pattern}`) ?? 0) !== count) return;
        this.#waiting.delete(look);
        resolve();
      };
      this.#waiting.add(look);
      look();
    });
  }

  #add(what: Counted, pattern: string, by: number): void {
    const key = `${what} ${pattern}`;
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + by);
    for (const look of this.#waiting) look();
  }
}
