/** Keeps one connection open: dials, and dials again whenever it is lost, until stopped. Knows no protocol. */
import { backoffMs, type BackoffLimits } from "./backoff.ts";
import type { Clock, Random } from "./clock.ts";

/** Waits between attempts. Half of each is random, so that clients that were lost together do not come back together. */
const BACKOFF: BackoffLimits = { firstMs: 50, lastMs: 800 };
/** An attempt that has come to nothing by then is given up. Milliseconds. */
const ATTEMPT_MS = 5_000;
/** A connection that ends sooner counts as a failed attempt, so that the waits grow for a server that closes each at once. */
const STABLE_MS = 5_000;

export interface RedialerOptions<C> {
  /** Opens a connection. Gives up when the signal fires. */
  readonly dial: (signal: AbortSignal) => Promise<C>;
  /** Closes a connection that came too late to be of use. */
  readonly discard: (connection: C) => void;
  readonly onOpened: (connection: C) => void;
  /** An attempt failed; another follows unless `stop` is called. */
  readonly onFailed: (error: unknown) => void;
  readonly clock: Clock;
  readonly random: Random;
}

/**
 * | state   | meaning                        | next                      |
 * |---------|--------------------------------|---------------------------|
 * | dialing | an attempt is under way        | open, waiting, stopped    |
 * | open    | the connection is in use       | waiting (`lost`), stopped |
 * | waiting | the next attempt is planned    | dialing, stopped          |
 * | stopped | nothing is tried any more      |                           |
 */
type State = "dialing" | "open" | "waiting" | "stopped";

export class Redialer<C> {
  readonly #options: RedialerOptions<C>;
  #state: State = "waiting";
  #failures = 0;
  #openedAt = 0;
  #timer: unknown;
  #abort: AbortController | undefined;

  constructor(options: RedialerOptions<C>) {
    this.#options = options;
  }

  /** Makes the first attempt. */
  start(): void {
    void this.#attempt();
  }

  /** The connection that `onOpened` got is over. */
  lost(): void {
    if (this.#state !== "open") return;
    const isStable = this.#options.clock.now() - this.#openedAt >= STABLE_MS;
    this.#retry(isStable ? 1 : this.#failures + 1);
  }

  /** Ends an attempt that is under way, and makes no other. */
  stop(): void {
    this.#state = "stopped";
    this.#options.clock.clear(this.#timer);
    this.#abort?.abort();
  }

  async #attempt(): Promise<void> {
    const { dial, discard, onOpened, onFailed, clock } = this.#options;
    const abort = new AbortController();
    this.#state = "dialing";
    this.#abort = abort;
    this.#timer = clock.after(ATTEMPT_MS, () => abort.abort(new Error(`no connection in ${ATTEMPT_MS} ms`)));
    try {
      const connection = await dial(abort.signal);
      clock.clear(this.#timer);
      if (this.#isStopped) return discard(connection);
      this.#state = "open";
      this.#openedAt = clock.now();
      onOpened(connection);
    } catch (error) {
      clock.clear(this.#timer);
      if (this.#isStopped) return;
      this.#retry(this.#failures + 1);
      onFailed(error);
    }
  }

  /** A getter: the compiler would take the state for the one set before an `await`. */
  get #isStopped(): boolean {
    return this.#state === "stopped";
  }

  #retry(failures: number): void {
    const { clock, random } = this.#options;
    this.#failures = failures;
    this.#state = "waiting";
    this.#timer = clock.after(backoffMs(BACKOFF, failures, random), () => void this.#attempt());
  }
}
