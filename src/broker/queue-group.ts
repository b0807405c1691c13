import type { Worker } from "../message/delivery.ts";

/** A worker in a group. */
export interface Member {
  readonly worker: Worker;
  readonly group: QueueGroup;
  /** It keeps the bytes of what it holds. */
  readonly keeps?: boolean;
  /** Requests it takes at a time. */
  concurrency: number;
  /** Requests it holds now that take a place. */
  held: number;
  /** Requests it holds besides. */
  aside: number;
  /** False once it leaves: it gets nothing new. */
  serving: boolean;
  /** The requests it holds, as a list, so that a lost worker ends its own without a search. */
  oldest?: Held | undefined;
  newest?: Held | undefined;
}

/** A request as its member has it. */
export interface Held {
  id: number;
  member: Member | undefined;
  /** True when it takes no place of the worker that holds it. */
  aside: boolean;
  /** Neighbours among all that its member holds. */
  previous: Held | undefined;
  next: Held | undefined;
}

/** The member holds the request from now on. */
export function giveTo(member: Member, row: Held): void {
  const { newest } = member;
  row.member = member;
  row.previous = newest;
  if (newest === undefined) member.oldest = row;
  else newest.next = row;
  member.newest = row;
  member.held++;
}

/** The member does not hold the request any longer. */
export function takeFrom(member: Member, row: Held): void {
  const { previous, next } = row;
  if (previous === undefined) member.oldest = next;
  else previous.next = next;
  if (next === undefined) member.newest = previous;
  else next.previous = previous;
  row.previous = undefined;
  row.next = undefined;
  row.member = undefined;
  if (row.aside) member.aside--;
  else member.held--;
  row.aside = false;
}

/** Candidates looked at before the best one so far is taken: choosing must not slow down with the group's size. */
const CANDIDATES = 16;

/** Workers that share the requests of one pattern, and the requests that wait for one of them. */
export class QueueGroup {
  readonly pattern: string;
  readonly queue: string;
  readonly members: Member[] = [];
  /** Numbers of queued requests, oldest first. Ended ones stay in the list until their turn or the next compaction. */
  #waiting: number[] = [];
  #head = 0;
  /** Queued requests that are still alive. */
  waitingCount = 0;
  /** Times a request is handed out when workers are lost. */
  attempts = 1;
  /** True while queued requests are handed out, so that a worker that answers at once does not start it again. */
  pulling = false;
  #cursor = 0;

  constructor(pattern: string, queue: string) {
    this.pattern = pattern;
    this.queue = queue;
  }

  add(member: Member): void {
    this.members.push(member);
  }

  remove(member: Member): void {
    const index = this.members.indexOf(member);
    if (index >= 0) this.members.splice(index, 1);
  }

  /** True when a member could take a request now. */
  get isReady(): boolean {
    return this.members.some((member) => member.held < member.concurrency);
  }

  /**
   * The member with the least load, counted as the share of its concurrency in use; members of equal load take turns.
   * Undefined when all are busy.
   */
  choose(): Member | undefined {
    const { members } = this;
    const count = members.length;
    if (count === 1) {
      const only = members[0]!;
      return only.held < only.concurrency ? only : undefined;
    }
    let best: Member | undefined;
    let bestLoad = 1;
    const start = this.#cursor < count ? this.#cursor : 0;
    let index = start;
    for (let seen = 0; seen < count; seen++) {
      const member = members[index]!;
      const load = member.held / member.concurrency;
      if (load < bestLoad) {
        best = member;
        bestLoad = load;
        this.#cursor = index + 1;
        if (load === 0) break;
      }
      if (seen >= CANDIDATES && best !== undefined) break;
      index = index + 1 < count ? index + 1 : 0;
    }
    return best;
  }

  /** Puts a request at the end of the queue. `isAlive` tells of a number whether it still waits. */
  enqueue(id: number, isAlive: (id: number) => boolean): void {
    this.#waiting.push(id);
    this.waitingCount++;
    if (this.#waiting.length - this.#head > 64 + 2 * this.waitingCount) {
      this.#waiting = this.#waiting.slice(this.#head).filter(isAlive);
      this.#head = 0;
    }
  }

  /** Puts a request that was handed out before all that wait. */
  requeue(id: number): void {
    if (this.#head === 0) this.#makeRoomInFront();
    this.#waiting[--this.#head] = id;
    this.waitingCount++;
  }

  /** As much as there is in the queue, so that many that come back cost little each. */
  #makeRoomInFront(): void {
    const room = Math.max(64, this.#waiting.length);
    this.#waiting = [...new Array<number>(room).fill(0), ...this.#waiting];
    this.#head = room;
  }

  /** The oldest number in the queue, which may have ended meanwhile; undefined when there is none. */
  dequeue(): number | undefined {
    if (this.#head === this.#waiting.length) {
      if (this.#head > 0) {
        this.#waiting = [];
        this.#head = 0;
      }
      return undefined;
    }
    const id = this.#waiting[this.#head++];
    if (this.#head > 1024 && this.#head * 2 > this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#head);
      this.#head = 0;
    }
    return id;
  }
}

/** A group with a free worker, else the one with the shortest queue. */
export function pickGroup(groups: readonly QueueGroup[]): QueueGroup | undefined {
  let shortest = groups[0];
  for (const group of groups) {
    if (group.isReady) return group;
    if (group.waitingCount < shortest!.waitingCount) shortest = group;
  }
  return shortest;
}
