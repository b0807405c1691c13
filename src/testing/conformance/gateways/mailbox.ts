/** What has come and was not taken yet, in order. */
export class Mailbox<T> {
  readonly #items: T[] = [];
  readonly #takers: ((item: T) => void)[] = [];

  /** Items that nobody has taken. */
  get waiting(): number {
    return this.#items.length;
  }

  put(item: T): void {
    const take = this.#takers.shift();
    if (take === undefined) this.#items.push(item);
    else take(item);
  }

  /** The next item, which may have come already. The runner of the matrix ends a case that waits too long. */
  next(): Promise<T> {
    if (this.#items.length > 0) return Promise.resolve(this.#items.shift()!);
    return new Promise((resolve) => this.#takers.push(resolve));
  }
}
