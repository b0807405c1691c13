import type { Clock } from "../runtime/clock.ts";
import { MAX_TIMEOUT } from "../message/limits.ts";

/** What every row of a deadline table has. Rows are reused: hold the number, not the row. */
export interface Pending {
  /** The request's number, 0 while the row is free. */
  id: number;
  /** When it expires, by the table's clock. Changed by `postpone` only. */
  deadline: number;
}

/** The highest number of a row. Higher ones are for code that keeps requests in front of an engine. */
export const LAST_NUMBER = 0xefff_ffff;
const FIRST_CAPACITY = 256;
/** Timers closer together than this are not worth arming one by one. */
const TIMER_STEP_MS = 5;
/** Deadlines that end a request in one turn of the loop; the others that have passed wait for the next turns. */
const EXPIRED_PER_TURN = 500;
/** Numbers go round: one that is this far behind another is taken for one that came after it. */
const NEWER = 0x8000_0000;

/**
 * Requests that wait for their outcome, by number, each with a deadline.
 *
 * Numbers count up and a row stands at `number & mask`, so that finding one is an array access and a number comes back
 * only after four thousand million others (`LAST_NUMBER`): a late answer finds nothing, never another request.
 * One timer serves all deadlines: it is armed for the earliest one and then all of them are looked through, which costs
 * less than a timer, or a place in a wheel, for each request. They stand in an array of their own for that.
 */
export class DeadlineTable<E extends Pending> {
  readonly #create: () => E;
  readonly #expire: (row: E) => void;
  readonly #clock: Clock;
  readonly #limit: number;
  #rows: (E | undefined)[] = new Array<E | undefined>(FIRST_CAPACITY).fill(undefined);
  /** For each place in `rows` its deadline; Infinity where the row is free. */
  #deadlines = new Float64Array(FIRST_CAPACITY).fill(Infinity);
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
      id = id < LAST_NUMBER ? id + 1 : 1;
      row = this.#rows[id & this.#mask];
    } while (row !== undefined && row.id !== 0);
    this.#last = id;
    if (row === undefined) {
      row = this.#create();
      this.#rows[id & this.#mask] = row;
    }
    row.id = id;
    row.deadline = deadline;
    this.#deadlines[id & this.#mask] = deadline;
    this.#size++;
    if (deadline < this.#timerAt) this.#arm(deadline);
    return row;
  }

  get(id: number): E | undefined {
    const row = this.#rows[id & this.#mask];
    return row !== undefined && row.id === id && id !== 0 ? row : undefined;
  }

  /** Gives a row of the table a later deadline. */
  postpone(row: E, deadline: number): void {
    row.deadline = deadline;
    this.#deadlines[row.id & this.#mask] = deadline;
  }

  /** Frees the row. The caller has cleared its own fields. */
  release(row: E): void {
    this.#deadlines[row.id & this.#mask] = Infinity;
    row.id = 0;
    this.#size--;
  }

  /** Rows in the table when the walk began that are still in it when their turn comes. */
  *live(): Generator<E, undefined> {
    const rows = this.#rows; // a table that grows meanwhile has others, with the same objects in them
    const last = this.#last;
    for (const row of rows) {
      if (row !== undefined && row.id !== 0 && (last - row.id) >>> 0 < NEWER) yield row;
    }
  }

  /** Stops the timer. Rows stay. */
  stop(): void {
    if (this.#timer !== undefined) this.#clock.clear(this.#timer);
    this.#timer = undefined;
    this.#timerAt = Infinity;
  }

  #grow(): void {
    const old = this.#rows;
    this.#resize(old.length * 2);
    for (const row of old) {
      if (row === undefined || row.id === 0) continue;
      this.#rows[row.id & this.#mask] = row;
      this.#deadlines[row.id & this.#mask] = row.deadline;
    }
  }

  #resize(capacity: number): void {
    this.#rows = new Array<E | undefined>(capacity).fill(undefined);
    this.#deadlines = new Float64Array(capacity).fill(Infinity);
    this.#mask = capacity - 1;
  }

  #arm(deadline: number): void {
    if (this.#timer !== undefined) this.#clock.clear(this.#timer);
    this.#timerAt = deadline;
    // Rounding can put the difference past what a timer takes, and a timer that overflows fires at once.
    const delay = Math.min(MAX_TIMEOUT, Math.max(TIMER_STEP_MS, Math.ceil(deadline - this.#clock.now())));
    this.#timer = this.#clock.after(delay, () => this.#sweep());
  }

  /** Ends what has expired, as far as one turn may, and arms the timer for what is left. */
  #sweep(): void {
    this.#timer = undefined;
    this.#timerAt = -Infinity; // nothing that is added meanwhile arms it
    const now = this.#clock.now();
    let left = EXPIRED_PER_TURN;
    const deadlines = this.#deadlines;
    for (let at = 0; at < deadlines.length && left > 0; at++) {
      if (deadlines[at]! > now) continue;
      const row = this.#rows[at];
      // What `expire` does may make the table grow: what is left is found by the next sweep then.
      if (this.#deadlines !== deadlines || row === undefined) break;
      left--;
      this.#expire(row);
    }
    if (this.#size === 0 && this.#rows.length > FIRST_CAPACITY) this.#resize(FIRST_CAPACITY);
    this.#timerAt = Infinity;
    if (left === 0 || this.#deadlines !== deadlines) this.#again();
    else this.#armEarliest();
  }

  #again(): void {
    if (this.#size === 0) return;
    this.#timerAt = -Infinity;
    this.#timer = this.#clock.after(0, () => this.#sweep());
  }

  #armEarliest(): void {
    let earliest = Infinity;
    for (const deadline of this.#deadlines) if (deadline < earliest) earliest = deadline;
    if (earliest < Infinity) this.#arm(earliest);
  }
}
