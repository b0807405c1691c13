/** Reads `lintel.yaml`: every mistake in it is reported at once, with its line and what is allowed there. */
import { readFile } from "node:fs/promises";
import { dirname } from "node:path";
import type { BeamOptions } from "../gateway/beam/options.ts";
import type { GrpcOptions } from "../gateway/grpc/options.ts";
import type { HttpOptions } from "../gateway/http/options.ts";
import type { JobsOptions } from "../gateway/jobs/options.ts";
import { LintelError } from "../message/failure.ts";
import { MAX_HEADERS, MAX_TIMEOUT, type Limits } from "../message/limits.ts";
import type { TlsOptions } from "../transport/transport.ts";
import { parseDocument, type Node, type Problem, type Report } from "./document.ts";
import { beam } from "./beam.ts";
import { grpc } from "./grpc.ts";
import { jobs } from "./jobs.ts";
import { hosts, listen, origins, tls } from "./listen.ts";
import { routes } from "./routes.ts";
import { services, type ServiceDefinition } from "./services.ts";
import { boolean, duration, integer, map, scalar, size, type Shape } from "./shape.ts";
import { HOST_PORT_FORM, parseHostPort, type HostPort } from "../transport/host-port.ts";
import type { ListenAt } from "../transport/transport.ts";

const MAX_COUNT = 1_000_000_000;
const MAX_BYTES = 1_073_741_824;

const count = (name: string): Shape<number> => integer(name, 1, MAX_COUNT);
const bytes = (name: string): Shape<number> => size(name, MAX_BYTES);
const time = (name: string): Shape<number> => duration(name, MAX_TIMEOUT);

/** Every limit has an entry, so that a new one cannot be forgotten here. */
const LIMITS = {
  payload: bytes("payload"),
  headers: size("headers", MAX_HEADERS),
  timeout: time("timeout"),
  inFlight: count("inFlight"),
  sessionInFlight: count("sessionInFlight"),
  httpBodies: bytes("httpBodies"),
  queue: count("queue"),
  queueBytes: bytes("queueBytes"),
  callerShare: count("callerShare"),
  concurrency: count("concurrency"),
  sessionBuffer: bytes("sessionBuffer"),
  sessionBuffers: bytes("sessionBuffers"),
  stallTimeout: time("stallTimeout"),
  bindings: count("bindings"),
  registrations: count("registrations"),
  streams: count("streams"),
  sessions: count("sessions"),
  helloTimeout: time("helloTimeout"),
  heartbeat: time("heartbeat"),
  heartbeatTimeout: time("heartbeatTimeout"),
} as const satisfies Record<keyof Limits, Shape<number>>;

/** What a config file says, in the form a hub takes. */
export interface FileConfig {
  http?: false | HttpOptions;
  jobs?: boolean | JobsOptions;
  listen?: (string | ListenAt)[];
  tls?: TlsOptions;
  beam?: BeamOptions;
  grpc?: GrpcOptions;
  limits?: Partial<Limits>;
  /** What `lintel up` starts next to the hub. */
  services?: ServiceDefinition[];
}

const toAddress = (value: string | number | boolean | null): HostPort | undefined =>
  typeof value === "string" || typeof value === "number" ? parseHostPort(String(value)) : undefined;

const httpAddress = scalar("http", `${HOST_PORT_FORM}, or false, or a map`, toAddress);

/** `directory` is where paths of certificates begin. */
const http = (directory: string): Shape<false | HttpOptions> => {
  const certificates = tls(directory);
  const fields = map("http", {
    listen: scalar("listen", HOST_PORT_FORM, toAddress),
    bodyLimit: size("bodyLimit", 2 ** 31 - 1),
    timeout: time("timeout"),
    defaultMapping: boolean("defaultMapping"),
    sseKeepAlive: time("sseKeepAlive"),
    streamIdle: time("streamIdle"),
    streamGrace: time("streamGrace"),
    sessions: boolean("sessions"),
    origins,
    hosts,
    tls: (node, report) =>
      node.kind === "scalar" && node.value === false ? false : certificates(node, report),
  });
  return (node, report) => {
    if (node.kind === "scalar" && node.value === false) return false;
    if (node.kind !== "map") return httpAddress(node, report);
    const {
      listen: address,
      timeout,
      sseKeepAlive,
      streamIdle,
      streamGrace,
      ...rest
    } = fields(node, report) ?? {};
    return {
      ...address,
      ...rest,
      ...(timeout === undefined ? {} : { timeoutMs: timeout }),
      ...(sseKeepAlive === undefined ? {} : { sseKeepAliveMs: sseKeepAlive }),
      ...(streamIdle === undefined ? {} : { streamIdleMs: streamIdle }),
      ...(streamGrace === undefined ? {} : { streamGraceMs: streamGrace }),
    };
  };
};

const file = (directory: string) =>
  map("the file", {
    http: http(directory),
    jobs,
    listen: listen(directory),
    tls: tls(directory),
    beam,
    grpc: grpc(directory),
    limits: map("limits", LIMITS),
    routes,
    services: services(directory),
  });

/**
 * Reads the text of a config file; `name` is its path, from whose folder paths in it lead. Rejects with `invalid_argument` / `BAD_CONFIG`
 * that lists every problem as `name:line:column: message`; `details` has them as data.
 */
export async function parseConfig(source: string, name: string): Promise<FileConfig> {
  const document = await parseDocument(source);
  const config = document.root === undefined ? {} : toConfig(document.root, document.report, dirname(name));
  const problems = document.problems();
  if (problems.length > 0) throw badConfig(problems, name);
  return config;
}

/** Reads a config file. Rejects as `parseConfig` does, and with `NO_CONFIG` when the file cannot be read. */
export async function readConfig(path: string): Promise<FileConfig> {
  let source: string;
  try {
    source = await readFile(path, "utf8");
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new LintelError("not_found", `cannot read ${path}: ${why}`, { reason: "NO_CONFIG", cause });
  }
  return parseConfig(source, path);
}

function toConfig(root: Node, report: Report, directory: string): FileConfig {
  const { routes: found, http: door, ...rest } = file(directory)(root, report) ?? {};
  if (door === false && found !== undefined)
    report(root, "routes are for the HTTP gateway, which `http: false` closes");
  if (door === undefined && found === undefined) return rest;
  return {
    ...rest,
    http: door === false ? false : { ...door, ...(found === undefined ? {} : { routes: found }) },
  };
}

function badConfig(problems: readonly Problem[], name: string): LintelError {
  const lines = problems.map(({ line, column, message }) => `${name}:${line}:${column}: ${message}`);
  return new LintelError("invalid_argument", lines.join("\n"), { reason: "BAD_CONFIG", details: problems });
}
