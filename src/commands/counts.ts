/** How commands ended, by action. */

export interface ActionCounts {
  /** `drs.error` replies, sent or received. */
  errors: number;
  /** `drs.exception` replies, and calls that ended without a reply. */
  exceptions: number;
  success: number;
}

/** Actions that are counted by name; the others are counted together. */
const MAX_ACTIONS = 1000;
/** Where actions without a handler are counted, too: their names may be any text. */
export const OTHER_ACTIONS = "*";

/** Counts the commands of both directions. Names come from other peers, so that only so many are kept. */
export class CommandCounts {
  readonly #actions = new Map<string, ActionCounts>();

  add(action: string, outcome: keyof ActionCounts): void {
    let counts = this.#actions.get(action);
    if (counts === undefined) {
      const name = this.#actions.size < MAX_ACTIONS ? action : OTHER_ACTIONS;
      counts = this.#actions.get(name) ?? { errors: 0, exceptions: 0, success: 0 };
      this.#actions.set(name, counts);
    }
    counts[outcome]++;
  }

  /** A copy, by action. */
  snapshot(): Record<string, ActionCounts> {
    return Object.fromEntries([...this.#actions].map(([action, counts]) => [action, { ...counts }]));
  }
}
