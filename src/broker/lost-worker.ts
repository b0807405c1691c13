/** What happens to the requests that a worker held when it was lost. */
import type { DeadlineTable } from "../collections/deadline-table.ts";
import type { SlicedWork } from "../runtime/sliced-work.ts";
import type { InFlight } from "./in-flight.ts";
import { WORKER_LOST } from "./outcomes.ts";
import type { Member } from "./queue-group.ts";
import { LOST, type Settlement } from "./settlement.ts";

export class LostWorkers {
  readonly #inFlight: DeadlineTable<InFlight>;
  readonly #settlement: Settlement;
  readonly #endings: SlicedWork;

  constructor(inFlight: DeadlineTable<InFlight>, settlement: Settlement, endings: SlicedWork) {
    this.#inFlight = inFlight;
    this.#settlement = settlement;
    this.#endings = endings;
  }

  /**
   * Ends all that a worker holds, in slices: a request may have ended in another way by the time it is looked at, but no
   * longer by the worker. The worker has left its group already.
   */
  lose(member: Member): void {
    if (member.oldest === undefined) return;
    this.#endings.run(() => {
      this.#loseOne(member);
      return member.oldest !== undefined;
    });
  }

  /** A request goes back to its queue if the group hands requests out again, and otherwise fails as `WORKER_LOST`. */
  #loseOne(member: Member): void {
    const { group } = member;
    const mayRepeat = group.attempts > 1 && group.members.length > 0;
    const held = mayRepeat ? member.newest : member.oldest; // the oldest goes back last, to the front of the queue
    const row = this.#inFlight.get(held?.id ?? 0);
    if (row === undefined) return; // the last one has ended otherwise
    if (mayRepeat && row.message !== undefined && row.attempt < group.attempts)
      this.#settlement.takeBack(row, member);
    else this.#settlement.settle(row, LOST, WORKER_LOST);
  }
}
