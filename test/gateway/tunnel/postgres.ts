/** A real PostgreSQL on a port nobody else has, and its programs. */
import assert from "node:assert/strict";
import { execFile, spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { chownSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pathOf } from "../../house/provide.ts";
import { freePorts } from "../../proxy/proxy-process.ts";

/** A test needs no disk that survives it. */
const FAST = ["fsync=off", "full_page_writes=off", "synchronous_commit=off", "max_connections=150"];

export class Postgres implements AsyncDisposable {
  readonly folder: string;
  readonly port: number;
  readonly #child: ChildProcess;

  private constructor(folder: string, port: number, child: ChildProcess) {
    this.folder = folder;
    this.port = port;
    this.#child = child;
  }

  static async start(): Promise<Postgres> {
    const binaries = dirname(realpathSync(pathOf("postgres")));
    const folder = mkdtempSync(join(tmpdir(), "lintel-pg-"));
    const owner = servant();
    if (owner !== undefined) chownSync(folder, owner.uid, owner.gid);
    const data = join(folder, "data");
    const made = spawnSync(
      join(binaries, "initdb"),
      ["-D", data, "-U", "postgres", "-A", "trust", "--no-sync", "--no-locale", "-E", "UTF8"],
      { encoding: "utf8", cwd: folder, ...owner },
    );
    assert.equal(made.status, 0, made.stderr);
    const [port] = (await freePorts(1)) as [number];
    const settings = [
      ...FAST,
      "listen_addresses=127.0.0.1",
      `port=${port}`,
      `unix_socket_directories=${folder}`,
    ];
    const child = spawn(join(binaries, "postgres"), ["-D", data, ...settings.flatMap((one) => ["-c", one])], {
      cwd: folder,
      stdio: ["ignore", "ignore", "pipe"],
      ...owner,
    });
    await new Promise<void>((resolve, reject) => {
      let said = "";
      child.stderr.setEncoding("utf8").on("data", (text: string) => {
        said += text;
        if (said.includes("ready to accept connections")) resolve();
      });
      child.once("exit", () => reject(new Error(said)));
    });
    return new Postgres(folder, port, child);
  }

  /** Its socket in the file system. */
  get path(): string {
    return join(this.folder, `.s.PGSQL.${this.port}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const exited = once(this.#child, "exit");
    this.#child.kill("SIGQUIT"); // at once, sessions and all
    await exited;
    rmSync(this.folder, { recursive: true });
  }
}

/** PostgreSQL refuses to run as root. */
function servant(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  for (const name of ["postgres", "nobody"]) {
    const [uid, gid] = ["-u", "-g"].map((flag) => spawnSync("id", [flag, name], { encoding: "utf8" }).stdout);
    if (uid !== undefined && uid !== "") return { uid: Number(uid), gid: Number(gid) };
  }
  throw new Error("there is no user to run PostgreSQL as");
}

/** Runs a client such as `psql` against a port of the loopback. Resolves with what it prints; rejects when it fails. */
export function client(program: string, port: number, args: readonly string[], stdin = ""): Promise<string> {
  const where = ["-h", "127.0.0.1", "-p", String(port), "-U", "postgres"];
  return new Promise((resolve, reject) => {
    const options = { encoding: "utf8", maxBuffer: 1 << 26, timeout: 30_000 } as const;
    const child = execFile(program, [...where, ...args], options, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(`${program}: ${stderr}`, { cause: error }));
    });
    child.stdin?.on("error", () => undefined); // it ended without reading; its exit code tells
    child.stdin?.end(stdin);
  });
}
