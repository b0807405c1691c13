interface Taker<T> {
  readonly take: (item: T) => void;
  readonly fail: (error: unknown) => void;
}

/** What has come and was not taken yet, in order. */
export class Mailbox<T> {
  readonly #items: T[] = [];
  readonly #takers: Taker<T>[] = [];
  #end: { readonly why: Error } | undefined;

  /** Items that nobody has taken. */
  get waiting(): number {
    return this.#items.length;
  }

  put(item: T): void {
    const taker = this.#takers.shift();
    if (taker === undefined) this.#items.push(item);
    else taker.take(item);
  }

  /** Nothing more comes, for this reason. */
  end(why: Error): void {
    this.#end ??= { why };
    for (const { fail } of this.#takers.splice(0)) fail(why);
  }

  /** The next item, which may have come already. The runner of the matrix ends a case that waits too long. */
  next(): Promise<T> {
    if (this.#items.length > 0) return Promise.resolve(this.#items.shift()!);
    if (this.#end !== undefined) return Promise.reject(this.#end.why);
    return new Promise((take, fail) => this.#takers.push({ take, fail }));
  }
}
