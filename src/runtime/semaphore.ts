/**
 * Places for jobs. The hub counts a canceled job as ended at once; its process may need a moment more, and keeps its
 * place until it is gone, so that there are never more of them than was asked for.
 */
export class Semaphore {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  /** Runs the job when there is a place for it. Rejects with the signal's reason when it fires before that. */
  async run<T>(signal: AbortSignal, job: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      signal.throwIfAborted();
      return await job();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free += 1;
      else next();
    }
  }
}
