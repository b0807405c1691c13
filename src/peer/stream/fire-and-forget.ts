/**
 * What calls return that may be made without waiting for them. Such a promise never ends the process: when it rejects and
 * nobody has asked for its outcome, `unheard` is told instead.
 */
export class FireAndForget extends Promise<void> {
  #isHeard = false;

  /** Promises made from this one are ordinary ones. */
  static override get [Symbol.species](): PromiseConstructor {
    return Promise;
  }

  static of(outcome: Promise<void>, unheard: (error: unknown) => void = ignore): Promise<void> {
    const promise = new FireAndForget((resolve) => resolve(outcome));
    const failed = (error: unknown): void => {
      if (!promise.#isHeard) unheard(error);
    };
    void Promise.prototype.then.call(promise, undefined, failed);
    return promise;
  }

  // oxlint-disable-next-line unicorn/no-thenable -- `then` is called when the outcome is awaited
  override then<T = void, E = never>(
    onResolved?: ((value: void) => T | PromiseLike<T>) | null,
    onRejected?: ((reason: unknown) => E | PromiseLike<E>) | null,
  ): Promise<T | E> {
    this.#isHeard = true;
    return super.then(onResolved, onRejected);
  }
}

/** The failure shows elsewhere. */
export function ignore(): void {
  // and need not be told twice
}
