import type { Clock } from "../message/clock.ts";
import { MAX_TIMEOUT } from "../message/limits.ts";

/** What every row of a pending table has. Rows are reused: hold the number, not the row. */
export interface Pending {
  /** The request's number, 0 while the row is free. */
  id: number;
  /** When it expires, by the table's clock. */
  deadline: number;
}

const FIRST_CAPACITY = 256;
/** Timers closer together than this are not worth arming one by one. */
const TIMER_STEP_MS = 5;

/**
 * Requests that wait for their outcome, by number, each with a deadline.
 *
 * Numbers count up and a row stands at `number & mask`, so that finding one is an array access and a number comes back
 * only after four thousand million others: an answer that arrives late finds nothing, never somebody else's request.
 * One timer serves all deadlines: it is armed for the earliest one and then the whole table is looked through, which
 * costs less than a timer, or a place in a wheel, for each request.
 */
export class PendingTable<E extends Pending> {
  readonly #create: () => E;
  readonly #expire: (row: E) => void;
  readonly #clock: Clock;
  readonly #limit: number;
  #rows: (E | undefined)[] = new Array<E | undefined>(FIRST_CAPACITY).fill(undefined);
  #mask = FIRST_CAPACITY - 1;
  #last = 0;
  #size = 0;
  #timer: unknown = undefined;
  #timerAt = Infinity;

  /** `expire` is called for a row whose deadline has passed, while it is still in the table; it must release it. */
  constructor(clock: Clock, limit: number, create: () => E, expire: (row: E) => void) {
    this.#clock = clock;
    this.#limit = limit;
    this.#create = create;
    this.#expire = expire;
  }

  get size(): number {
    return this.#size;
  }

  get isFull(): boolean {
    return this.#size >= this.#limit;
  }

  /** A fresh row with a new number, or undefined when the table is at its limit. */
  add(deadline: number): E | undefined {
    if (this.#size >= this.#limit) return undefined;
    if (this.#size * 2 > this.#mask) this.#grow();
    let id = this.#last;
    let row: E | undefined;
    do {
      id = (id + 1) >>> 0;
      row = this.#rows[id & this.#mask];
    } while (id === 0 || (row !== undefined && row.id !== 0));
    this.#last = id;
    if (row === undefined) {
      row = this.#create();
      this.#rows[id & this.#mask] = row;
    }
    row.id = id;
    row.deadline = deadline;
    this.#size++;
    if (deadline < this.#timerAt) this.#arm(deadline);
    return row;
  }

  get(id: number): E | undefined {
    const row = this.#rows[id & this.#mask];
    return row !== undefined && row.id === id && id !== 0 ? row : undefined;
  }

  /** Frees the row. The caller has cleared its own fields. */
  release(row: E): void {
    row.id = 0;
    this.#size--;
  }

  /** Rows in the table when the walk began that are still in it when their turn comes. */
  *live(): Generator<E> {
    for (const row of [...this.#rows]) if (row !== undefined && row.id !== 0) yield row;
  }

  /** Stops the timer. Rows stay. */
  stop(): void {
    if (this.#timer !== undefined) this.#clock.clear(this.#timer);
    this.#timer = undefined;
    this.#timerAt = Infinity;
  }

  #grow(): void {
    const old = this.#rows;
    const capacity = old.length * 2;
    const rows: (E | undefined)[] = new Array<E | undefined>(capacity).fill(undefined);
    for (const row of old) if (row !== undefined && row.id !== 0) rows[row.id & (capacity - 1)] = row;
    this.#rows = rows;
    this.#mask = capacity - 1;
  }

  #arm(deadline: number): void {
    if (this.#timer !== undefined) this.#clock.clear(this.#timer);
    this.#timerAt = deadline;
    // Rounding can put the difference past what a timer takes, and a timer that overflows fires at once.
    const delay = Math.min(MAX_TIMEOUT, Math.max(TIMER_STEP_MS, Math.ceil(deadline - this.#clock.now())));
    this.#timer = this.#clock.after(delay, () => this.#sweep());
  }

  #sweep(): void {
    this.#timer = undefined;
    this.#timerAt = Infinity;
    const now = this.#clock.now();
    for (const row of [...this.#rows]) {
      if (row !== undefined && row.id !== 0 && row.deadline <= now) this.#expire(row);
    }
    let earliest = Infinity;
    for (const row of this.#rows) {
      if (row !== undefined && row.id !== 0 && row.deadline < earliest) earliest = row.deadline;
    }
    if (this.#size === 0 && this.#rows.length > FIRST_CAPACITY) this.#shrink();
    if (earliest < this.#timerAt) this.#arm(earliest);
  }

  /** After a burst the memory goes back. */
  #shrink(): void {
    this.#rows = new Array<E | undefined>(FIRST_CAPACITY).fill(undefined);
    this.#mask = FIRST_CAPACITY - 1;
  }
}
