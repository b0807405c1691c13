/** A real proxy in front of a hub, with a configuration of its own, on loopback, in a folder that goes with it. */
import { spawn, type ChildProcess } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect, createServer, type AddressInfo } from "node:net";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readDocument } from "../docs/markdown.ts";
import { findProgram } from "../house/provide.ts";

/** What differs from run to run. */
interface Place {
  readonly port: number;
  /** The port of the hub. */
  readonly target: number;
  /** Connections that are silent for so long are cut. */
  readonly idleSeconds: number;
  /** For the proxy's own files. */
  readonly folder: string;
}

export interface ProxyKind {
  /** The program, also the name by which scripts/provide.js knows it. */
  readonly program: string;
  readonly configure: (place: Place) => string;
  readonly args: (config: string, folder: string) => string[];
}

const GUIDE = readDocument("docs/guides/transports.md");

/** The guide's configuration for a proxy, with the ports and the timeout of a test. */
function fromGuide(language: string, { port, target, idleSeconds }: Place): string {
  const block = new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, "ms").exec(GUIDE)?.[1];
  if (block === undefined) throw new Error(`the guide has no configuration for ${language}`);
  return block
    .replaceAll("127.0.0.1:4580", `127.0.0.1:${target}`)
    .replaceAll("127.0.0.1:8080", `127.0.0.1:${port}`)
    .replaceAll("60s", `${idleSeconds}s`);
}

export const PROXIES: readonly ProxyKind[] = [
  {
    program: "nginx",
    configure: (place) => {
      const { port, folder } = place;
      const folders = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
      return [
        "daemon off; master_process off; error_log stderr; events {}",
        `pid ${folder}/nginx.pid;`,
        "http { access_log off;",
        ...folders.map((name) => `${name}_temp_path ${folder}/${name};`),
        `server { listen 127.0.0.1:${port};`,
        fromGuide("nginx", place),
        "} }\n",
      ].join("\n");
    },
    args: (config, folder) => ["-e", "stderr", "-p", folder, "-c", config],
  },
  {
    program: "haproxy",
    configure: (place) => fromGuide("haproxy", place),
    args: (config) => ["-db", "-f", config],
  },
];

export class Proxy {
  readonly port: number;
  readonly #process: ChildProcess;
  readonly #folder: string;

  private constructor(port: number, process: ChildProcess, folder: string) {
    this.port = port;
    this.#process = process;
    this.#folder = folder;
  }

  /** Starts the proxy and waits until it listens. Rejects with what it printed when it ends instead. */
  static async start(kind: ProxyKind, target: number, idleSeconds: number): Promise<Proxy> {
    const folder = await mkdtemp(join(tmpdir(), "lintel-proxy-"));
    const port = await freePort();
    const config = join(folder, "proxy.conf");
    await writeFile(config, kind.configure({ port, target, idleSeconds, folder }));
    const child = spawn(findProgram(kind.program)!, kind.args(config, folder), {
      stdio: ["ignore", "pipe", "pipe"],
    });
    let printed = "";
    child.stderr.on("data", (text: Buffer) => (printed += text.toString()));
    child.stdout.resume();
    const proxy = new Proxy(port, child, folder);
    while (!(await answers(port))) {
      if (child.exitCode !== null)
        throw new Error(`${kind.program} ended with ${child.exitCode}: ${printed}`);
    }
    return proxy;
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode === null) {
      this.#process.kill("SIGKILL");
      await once(this.#process, "exit");
    }
    await rm(this.#folder, { recursive: true });
  }
}

/** A port nobody has. It is free again when the proxy takes it, which has no way to choose one and tell. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
