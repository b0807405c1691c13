/**
 * A token bucket: so many tokens a second, at most as many as it holds. It fills when it is looked at, without a timer. Levels
 * are thousandths of a token, so that whole rates and whole milliseconds make no rounding error.
 */
const TOKEN = 1_000;

export class TokenBucket {
  #rate: number;
  #capacity: number;
  #level: number;
  #at: number;

  /** `rate` is in tokens a second; `now`, here and below, in milliseconds. It is full at first. */
  constructor(rate: number, capacity: number, now: number) {
    this.#rate = rate;
    this.#capacity = capacity * TOKEN;
    this.#level = this.#capacity;
    this.#at = now;
  }

  get capacity(): number {
    return this.#capacity / TOKEN;
  }

  /** Seconds in which an empty one fills. */
  get window(): number {
    return this.#capacity / TOKEN / this.#rate;
  }

  /** Tokens that are in it; below 0 while more was taken than there was. */
  tokens(now: number): number {
    this.#fill(now);
    return this.#level / TOKEN;
  }

  isFull(now: number): boolean {
    this.#fill(now);
    return this.#level >= this.#capacity;
  }

  /** Takes tokens, also more than there are: then none is there for as long as it takes to make up for them. */
  take(tokens: number, now: number): void {
    this.#fill(now);
    this.#level -= tokens * TOKEN;
  }

  /** Puts tokens back. What it cannot hold is lost. */
  give(tokens: number): void {
    this.#level = Math.min(this.#capacity, this.#level + tokens * TOKEN);
  }

  /** Milliseconds until so many tokens are there; 0 when they are. */
  wait(tokens: number, now: number): number {
    this.#fill(now);
    const missing = tokens * TOKEN - this.#level;
    if (missing <= 0) return 0;
    if (tokens * TOKEN > this.#capacity) return Infinity;
    return missing / this.#rate;
  }

  /** Milliseconds until it is full. */
  waitUntilFull(now: number): number {
    this.#fill(now);
    return this.#level >= this.#capacity ? 0 : (this.#capacity - this.#level) / this.#rate;
  }

  /** From now on it has another rate and capacity. No token is added for that. */
  change(rate: number, capacity: number, now: number): void {
    this.#fill(now);
    this.#rate = rate;
    this.#capacity = capacity * TOKEN;
    this.#level = Math.min(this.#level, this.#capacity);
  }

  #fill(now: number): void {
    const elapsed = now - this.#at;
    if (elapsed <= 0) return;
    this.#at = now;
    this.#level = Math.min(this.#capacity, this.#level + elapsed * this.#rate);
  }
}
