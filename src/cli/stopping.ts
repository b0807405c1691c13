import { constants } from "node:os";

const SIGNALS = ["SIGINT", "SIGTERM"] as const;

/** npm passes on the Ctrl-C that the terminal has sent to all already: what comes this soon is no second wish. */
const ECHO_MS = 300;

/** What was written is waited for this long after a command that a signal has ended: its reader may stand still. */
const FLUSH_MS = 1_000;

/** Watches for SIGINT and SIGTERM while a command runs. */
export class Stopping implements Disposable {
  readonly #controller = new AbortController();
  readonly #last: (() => void) | undefined;
  #firstAt = 0;
  #exit = 0;

  /** `last` runs before a second signal ends the process. */
  constructor(last?: () => void) {
    this.#last = last;
    for (const signal of SIGNALS) process.on(signal, this.#onSignal);
  }

  /** Fires at the first signal. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Exit code that names the signal, as shells do: 130 for SIGINT, 143 for SIGTERM. */
  get exit(): number {
    return this.#exit;
  }

  /** Resolves at the first signal. */
  stopped(): Promise<void> {
    const { signal } = this;
    if (signal.aborted) return Promise.resolve();
    return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
  }

  [Symbol.dispose](): void {
    for (const signal of SIGNALS) process.off(signal, this.#onSignal);
    if (this.#exit !== 0) leaveUnread();
  }

  readonly #onSignal = (name: NodeJS.Signals): void => {
    this.#exit = 128 + constants.signals[name];
    const now = performance.now();
    if (!this.#controller.signal.aborted) {
      this.#firstAt = now;
      this.#controller.abort();
    } else if (now - this.#firstAt > ECHO_MS) {
      this.#last?.();
      process.exit(this.#exit);
    }
  };
}

/** Ends the process, once its exit code is known, even if there is unread output. */
function leaveUnread(): void {
  const leave = (): void => (process.exitCode === undefined ? leaveUnread() : process.exit());
  setTimeout(leave, FLUSH_MS).unref();
}
