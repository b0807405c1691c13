/** What the matrix is made of: one entry for each transport; the codecs have their own file. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { KnownFailure, TransportEntry } from "../../src/testing/index.ts";
import { createMemoryTransport } from "../../src/transport/memory.ts";
import { http1, http1s } from "../../src/transport/http1/transport.ts";
import { h2, h2c } from "../../src/transport/http2/transport.ts";
import { tcp } from "../../src/transport/tcp.ts";
import { tls } from "../../src/transport/tls.ts";
import { unix } from "../../src/transport/unix.ts";
import { ws, wss } from "../../src/transport/ws/transport.ts";
import { withCertificates } from "../transport/certificates.ts";

const folder = mkdtempSync(join(tmpdir(), "lintel-conformance-"));
process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
let count = 0;

export { CODECS } from "./codecs.ts";

export const TRANSPORTS: readonly TransportEntry[] = [
  { name: "memory", transport: createMemoryTransport(), freshUrl: () => `memory:${++count}` },
  { name: "unix", transport: unix, freshUrl: () => `unix://${join(folder, `${++count}.sock`)}` },
  { name: "tcp", transport: tcp, freshUrl: () => "tcp://127.0.0.1:0" },
  { name: "tls", transport: withCertificates(tls), freshUrl: () => "tls://localhost:0" },
  { name: "ws", transport: ws, freshUrl: () => "ws://127.0.0.1:0" },
  { name: "wss", transport: withCertificates(wss), freshUrl: () => "wss://localhost:0" },
  { name: "h2", transport: withCertificates(h2), freshUrl: () => "h2://localhost:0" },
  { name: "h2c", transport: h2c, freshUrl: () => "h2c://127.0.0.1:0" },
  { name: "http1", transport: http1, freshUrl: () => "http1://127.0.0.1:0" },
  { name: "http1s", transport: withCertificates(http1s), freshUrl: () => "http1s://localhost:0" },
];

export const KNOWN_FAILURES: readonly KnownFailure[] = [];
