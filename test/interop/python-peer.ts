/** A Python process that speaks the protocol by interop/python, told what to do and heard by lines of JSON. */
import { spawn, type ChildProcessWithoutNullStreams } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { root } from "../house/root.ts";
import { PATIENCE_MS } from "../house/until.ts";

/** What is waited for comes within this, or never. */

export interface Said {
  readonly event?: string;
  readonly n?: number;
  readonly value?: unknown;
  readonly echo?: string;
  readonly error?: {
    readonly code: string;
    readonly reason: string;
    readonly message: string;
    readonly retryable: boolean;
    readonly details: unknown;
  };
  readonly why?: string;
  readonly text?: string;
  readonly pattern?: string;
  readonly subject?: string;
}

export class PythonPeer implements AsyncDisposable {
  readonly child: ChildProcessWithoutNullStreams;
  /** Everything it has said so far. */
  readonly said: Said[] = [];
  readonly #checks = new Set<() => void>();
  #last = 0;

  private constructor(url: string, heartbeat: number) {
    this.child = spawn("python3", [`${root}/test/interop/python_peer.py`, url, String(heartbeat)]);
    this.child.stdin.on("error", () => undefined); // it was killed
    this.child.stderr.pipe(process.stderr);
    createInterface(this.child.stdout).on("line", (line) => {
      this.said.push(JSON.parse(line) as Said);
      for (const check of this.#checks) check();
    });
  }

  /** The number of the last command. */
  get count(): number {
    return this.#last;
  }

  /** Starts one and waits until it serves. `heartbeat` is in seconds. */
  static async start(url: string, heartbeat = 2.5): Promise<PythonPeer> {
    const peer = new PythonPeer(url, heartbeat);
    await peer.hears((said) => said.event === "serving");
    return peer;
  }

  /** As many of the things it says, from a place in `said` on, as are asked for. */
  hears(wanted: (said: Said) => boolean, count = 1, from = 0): Promise<Said[]> {
    return new Promise((resolve, reject) => {
      const check = (): void => {
        const found = this.said.slice(from).filter(wanted);
        if (found.length < count) return;
        finish();
        resolve(found);
      };
      const timer = setTimeout(() => {
        finish();
        reject(new Error(`not heard in time; heard ${JSON.stringify(this.said.slice(-5))}`));
      }, PATIENCE_MS);
      const finish = (): void => {
        clearTimeout(timer);
        this.#checks.delete(check);
      };
      this.#checks.add(check);
      check();
    });
  }

  /** Has it do something, and waits for what comes of it. */
  async does(command: Readonly<Record<string, unknown>>): Promise<Said> {
    const n = ++this.#last;
    this.child.stdin.write(`${JSON.stringify({ n, ...command })}\n`);
    const [answer] = await this.hears((said) => said.n === n);
    return answer!;
  }

  async kill(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    this.child.kill("SIGKILL");
    await once(this.child, "exit");
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }
}
