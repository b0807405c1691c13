/** Real proxies in front of a hub, on ports nobody else has. */
import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathOf } from "../house/provide.ts";

/** Ports of the loopback that were free a moment ago. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"));
  await Promise.all(servers.map((server) => once(server, "listening")));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

export class Proxy implements AsyncDisposable {
  readonly folder: string = mkdtempSync(join(tmpdir(), "lintel-proxy-"));
  readonly #program: string;
  readonly #args: readonly string[];
  readonly #ports: readonly number[];
  #child: ChildProcess | undefined;

  /** `config` is given the folder for whatever files the proxy needs, and is written there itself. */
  constructor(name: "nginx" | "haproxy", ports: readonly number[], config: (folder: string) => string) {
    this.#program = pathOf(name);
    this.#ports = ports;
    const file = join(this.folder, "proxy.conf");
    writeFileSync(file, config(this.folder));
    this.#args = name === "nginx" ? ["-p", this.folder, "-e", "stderr", "-c", file] : ["-q", "-f", file];
  }

  /** Resolves when every port answers. */
  async start(): Promise<void> {
    const child = spawn(this.#program, this.#args, { stdio: ["ignore", "ignore", "pipe"] });
    this.#child = child;
    let said = "";
    child.stderr.on("data", (chunk: Buffer) => {
      said += chunk.toString();
    });
    for (const port of this.#ports) {
      while (!(await answers(port))) assert.equal(child.exitCode, null, said);
    }
  }

  async stop(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    child.kill("SIGTERM"); // the master of nginx takes its worker with it
    await exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    rmSync(this.folder, { recursive: true });
  }
}

async function answers(port: number): Promise<boolean> {
  const socket = connect({ port, host: "127.0.0.1" });
  const answered = await new Promise<boolean>((resolve) => {
    socket.on("connect", () => resolve(true));
    socket.on("error", () => resolve(false));
  });
  socket.destroy();
  return answered;
}
