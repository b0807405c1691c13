/** Work that can be more than one turn of the loop may take: it is done in slices, and others are heard in between. */

/** Does one step. False when there is nothing more to do. */
export type Step = () => boolean;

/** Calls back in another turn of the loop. */
export type Later = (callback: () => void) => unknown;

/** Steps for one turn. A step may write an HTTP response, which takes some 20 microseconds. */
const STEPS_PER_TURN = 500;

/**
 * Does small work at once, and what is more than a turn's share in later turns, in the order it came. All work of one
 * queue shares the same steps of a turn: a thousand small pieces are sliced as one large piece is.
 */
export class SlicedWork {
  readonly #later: Later;
  readonly #share: number;
  #waiting: Step[] = [];
  #left: number;
  #isScheduled = false;

  constructor(later: Later, stepsPerTurn: number = STEPS_PER_TURN) {
    this.#later = later;
    this.#share = stepsPerTurn;
    this.#left = stepsPerTurn;
  }

  /** Does as much of it as this turn has left, and the rest later. A step must not throw. */
  run(step: Step): void {
    if (this.#waiting.length > 0 || !this.#finish(step)) this.#waiting.push(step);
  }

  /** True when the work is done, false when the turn has no steps left for it. */
  #finish(step: Step): boolean {
    while (this.#left > 0) {
      this.#left--;
      // Not at the first step: little work needs no other turn. Steps of earlier turns count until one was needed.
      if (this.#left * 2 < this.#share && !this.#isScheduled) {
        this.#isScheduled = true;
        this.#later(this.#next);
      }
      if (!step()) return true;
    }
    return false;
  }

  readonly #next = (): void => {
    this.#isScheduled = false;
    this.#left = this.#share;
    const waiting = this.#waiting;
    let done = 0;
    while (done < waiting.length && this.#finish(waiting[done]!)) done++;
    this.#waiting = waiting.slice(done);
  };
}
