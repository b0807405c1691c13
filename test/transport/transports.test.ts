import { mkdtempSync, rmSync } from "node:fs";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { transportSuite } from "../../src/testing/transport-suite.ts";
import { createMemoryTransport } from "../../src/transport/memory.ts";
import { tcp } from "../../src/transport/tcp.ts";
import { tls } from "../../src/transport/tls.ts";
import { unix } from "../../src/transport/unix.ts";
import { ws, wss } from "../../src/transport/ws/transport.ts";
import { withCertificates } from "./certificates.ts";

const folder = mkdtempSync(join(tmpdir(), "lintel-transport-"));
after(() => rmSync(folder, { recursive: true }));
let count = 0;

transportSuite("memory", { transport: createMemoryTransport(), freshUrl: () => `memory:${++count}` });
transportSuite("tcp", { transport: tcp, freshUrl: () => "tcp://127.0.0.1:0" });
if (hasIpv6()) transportSuite("tcp on IPv6", { transport: tcp, freshUrl: () => "tcp://[::1]:0" });
else test("transport tcp on IPv6", { skip: "this machine has no IPv6 loopback" }, () => undefined);
transportSuite("unix", { transport: unix, freshUrl: () => `unix://${join(folder, `${++count}.sock`)}` });
transportSuite("tls", { transport: withCertificates(tls), freshUrl: () => "tls://localhost:0" });
transportSuite("ws", { transport: ws, freshUrl: () => "ws://127.0.0.1:0/lintel" });
transportSuite("wss", { transport: withCertificates(wss), freshUrl: () => "wss://localhost:0" });

function hasIpv6(): boolean {
  return Object.values(networkInterfaces()).some((list) => list?.some(({ address }) => address === "::1"));
}
