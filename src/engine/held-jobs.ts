/** The record of the jobs that a worker holds, for whatever stands between the worker and an engine. */
import type { Capacity, Registration } from "../message/delivery.ts";
import type { Failure } from "../message/failure.ts";
import type { Message } from "../message/message.ts";

/**
 * A registration, how much it takes at a time, and the jobs that it was given: how many there are, and what each of them is to
 * its owner. A job ends once, by an answer, by a failure, or because it was taken from here. The engine decides whether an
 * answer still counts (E-15).
 *
 * `J` is what an owner keeps for a job. One that keeps nothing is only counted, which costs no entry in a map.
 */
export class HeldJobs<J = never> {
  readonly #onGone: () => void;
  readonly #own = new Map<number, J>();
  #registration: Registration | undefined;
  #size = 0;
  /** Jobs at a time while it is not paused. */
  #places: number;
  #isPaused = false;
  #leaving: Promise<void> | undefined;
  /** Nothing new can come any more. */
  #hasLeft = false;

  /** `places`: jobs at a time. `onGone` is called when it has left and its last job has ended. */
  constructor(places: number, onGone: () => void = () => undefined) {
    this.#places = places;
    this.#onGone = onGone;
  }

  /** To be called with what `serve` has returned, at once. Returns its `ready`. */
  join(registration: Registration): Promise<void> {
    this.#registration = registration;
    if (this.#isPaused) registration.capacity?.resize(0);
    return registration.ready;
  }

  /** Jobs that have not ended. */
  get size(): number {
    return this.#size;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** What the owner keeps for the jobs that have not ended. */
  get own(): IterableIterator<J> {
    return this.#own.values();
  }

  /** Undefined where the engine has no capacity. */
  get capacity(): Capacity | undefined {
    return this.#registration?.capacity;
  }

  /** The engine has handed out a job. */
  hold(job: number, own?: J): void {
    this.#size++;
    if (own !== undefined) this.#own.set(job, own);
  }

  /** Ends a job that the engine has withdrawn, or whose owner answers it elsewhere. Returns what was kept for it; undefined when it has ended already. */
  take(job: number): J | undefined {
    const own = this.#own.get(job);
    if (own !== undefined && this.#own.delete(job)) this.#ended();
    return own;
  }

  /** Ends a job as `take` does, for an owner that has at hand what was kept. False when it has ended already. */
  end(job: number): boolean {
    if (!this.#own.delete(job)) return false;
    this.#ended();
    return true;
  }

  /** The engine has withdrawn a job of an owner that keeps nothing. */
  canceled(): void {
    this.#ended();
  }

  /** Answers a job. False when the engine waits for it no longer. */
  reply(job: number, answer: Message, now?: number): boolean {
    const isOwn = this.#own.size > 0 && this.#own.delete(job);
    const isTaken = this.#registration!.reply(job, answer, now);
    if (isTaken || isOwn) this.#ended();
    return isTaken;
  }

  /** Fails a job. False as for `reply`. */
  fail(job: number, why: Failure): boolean {
    const isOwn = this.#own.size > 0 && this.#own.delete(job);
    const isTaken = this.#registration!.fail(job, why);
    if (isTaken || isOwn) this.#ended();
    return isTaken;
  }

  /** Gives a job back, as `Capacity.release` does. If no worker is left to take it, it fails for the reason `otherwise`. */
  release(job: number, request: Message, executed: boolean, otherwise: Failure): void {
    this.take(job); // first, because it may come back at once, by the same number
    if (this.capacity?.release(job, request, executed) !== true) this.#registration!.fail(job, otherwise);
  }

  /** From now on so many jobs at a time; while it is paused, from when it goes on. An engine without capacity goes on as it did. */
  resize(places: number): void {
    this.#places = places;
    if (!this.#isPaused) this.#registration?.capacity?.resize(places);
  }

  /** Takes nothing new until `resume`: requests wait in the queue of the group. False when it was paused before. */
  pause(): boolean {
    if (this.#isPaused) return false;
    this.#isPaused = true;
    this.#registration?.capacity?.resize(0);
    return true;
  }

  /** False when it was not paused. */
  resume(): boolean {
    if (!this.#isPaused) return false;
    this.#isPaused = false;
    this.#registration?.capacity?.resize(this.#places);
    return true;
  }

  /** Resolves when the engine hands out nothing new any more. What is held may still be answered. */
  leave(): Promise<void> {
    this.#leaving ??= this.#leave();
    return this.#leaving;
  }

  /** Leaves at once: jobs that are held fail as `WORKER_LOST`, or go to others. */
  lose(): void {
    this.#registration?.lose();
  }

  async #leave(): Promise<void> {
    await this.#registration?.leave();
    this.#hasLeft = true;
    if (this.#size === 0) this.#onGone();
  }

  #ended(): void {
    this.#size--;
    if (this.#hasLeft && this.#size === 0) this.#onGone();
  }
}
