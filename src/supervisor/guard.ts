/**
 * A process that outlives its maker to end what it has left behind: `kill -9` leaves no chance to do that oneself. It
 * waits for the end of its stdin, a pipe that the kernel closes when the process at the other end is gone.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";

const PROGRAM = fileURLToPath(new URL("guard-process.js", import.meta.url));

export class Guard {
  readonly #child: ChildProcess;
  readonly #gone: Promise<void>;

  /** Watches over the processes of a run. */
  constructor(run: string) {
    // In a session of its own: what ends the group of its maker must not end it.
    this.#child = spawn(process.execPath, [PROGRAM, run], {
      stdio: ["pipe", "ignore", "ignore"],
      detached: true,
    });
    this.#child.stdin?.on("error", () => undefined); // nothing is ever written to it
    this.#gone = new Promise((resolve) => {
      this.#child.once("error", () => resolve()).once("exit", () => resolve());
    });
    this.#child.unref();
  }

  /** Ends it: there is nothing left to watch over. */
  async dismiss(): Promise<void> {
    this.#child.kill("SIGKILL");
    this.#child.ref();
    await this.#gone;
  }
}
