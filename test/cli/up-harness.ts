/** `lintel up` in a project of its own, as real processes. */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "../../src/index.ts";
import { Control, type ControlStatus } from "../../src/supervisor/control.ts";
import type { InstanceStatus } from "../../src/supervisor/instance.ts";
import { controlUrl } from "../../src/supervisor/runtime-directory.ts";
import { processesWith } from "../supervisor/process-tree.ts";
import { until } from "../house/until.ts";
import { root } from "../house/root.ts";
import { MAIN, Running, lintel, start, type Outcome } from "./cli-process.ts";

export class Project implements AsyncDisposable {
  readonly path: string;
  /** Every process that was started from here has this in its environment. */
  readonly runtime: string;
  readonly #own: string;

  private constructor(own: string, path: string) {
    this.#own = own;
    this.path = path;
    this.runtime = join(own, "rt # 1");
  }

  /** With a manifest of its own, or where there is one already. */
  static async create(place: { readonly manifest: string } | { readonly path: string }): Promise<Project> {
    const own = await mkdtemp(join(tmpdir(), "lintel-up-"));
    const project = new Project(own, "path" in place ? place.path : join(own, "project"));
    await mkdir(project.runtime);
    await mkdir(project.path, { recursive: true });
    if ("manifest" in place) await project.write(place.manifest);
    return project;
  }

  write(manifest: string): Promise<void> {
    return writeFile(join(this.path, "lintel.yaml"), manifest);
  }

  start(...args: string[]): Running {
    return start(args, this.#options);
  }

  /** Starts everything, without a port for HTTP unless it is asked for. */
  up(...args: string[]): Running {
    return this.start("up", "--http", args.includes("--http") ? args[1]! : "off");
  }

  /** The same, by a line for a shell that ends with `exec "$@"`, and by a program before it, if any. */
  upBy(script: string, ...before: string[]): Running {
    const [program, ...args] = [...before, "/bin/sh", "-c", script, "sh"];
    return new Running(program, [...args, process.execPath, MAIN, "up", "--http", "off"], this.#options);
  }

  /** Starts everything in a terminal, which hangs up when the pattern has been printed. */
  inTerminal(pattern: string, env: Readonly<Record<string, string>> = {}): Running {
    const { cwd, env: own } = this.#options;
    const args = [join(root, "test/cli/terminal.py"), pattern, process.execPath, MAIN, "up", "--http", "off"];
    return new Running("python3", args, { cwd, env: { ...own, TERM: "xterm-256color", ...env } });
  }

  run(...args: string[]): Promise<Outcome> {
    return lintel(args, this.#options);
  }

  /** What `lintel ps` shows, asked for as it does, without a process for it. */
  async ps(): Promise<readonly InstanceStatus[]> {
    process.env["XDG_RUNTIME_DIR"] = this.runtime; // read when the URL is made
    await using peer = await connect(controlUrl(this.path));
    return (await peer.request<ControlStatus>(Control.status)).instances;
  }

  /** The instance when it is in this state. */
  becomes(instance: string, state: InstanceStatus["state"]): Promise<InstanceStatus> {
    return until(
      async () => (await this.ps()).find((one) => one.instance === instance && one.state === state),
      `${instance} is ${state}`,
    );
  }

  /** Numbers of all processes that were started from here, or by those. */
  processes(): number[] {
    return processesWith(this.runtime);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const pid of this.processes()) process.kill(pid, "SIGKILL");
    await rm(this.#own, { recursive: true, force: true });
  }

  get #options(): { readonly cwd: string; readonly env: Readonly<Record<string, string>> } {
    return { cwd: this.path, env: { XDG_RUNTIME_DIR: this.runtime } };
  }
}
