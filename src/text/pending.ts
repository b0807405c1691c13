/** Requests of a text client that wait for their answers. Each has one outcome, at its deadline at the latest. */
import { LintelError } from "../message/failure.ts";
import type { Clock } from "../runtime/clock.ts";
import type { TextMessage } from "./message.ts";

interface Waiting {
  readonly target: string;
  readonly resolve: (answer: TextMessage) => void;
  readonly reject: (why: unknown) => void;
  readonly timer: unknown;
  readonly unlisten: (() => void) | undefined;
}

export interface PendingOptions {
  readonly target: string;
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

export class PendingRequests {
  readonly #clock: Clock;
  readonly #waiting = new Map<string, Waiting>();
  #last = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** A name that no other request of this client has. */
  nextId(): string {
    return String(++this.#last);
  }

  /** The outcome of a request. The time that it has, and `signal`, end it. */
  add(id: string, { target, timeoutMs, signal }: PendingOptions): Promise<TextMessage> {
    return new Promise((resolve, reject) => {
      const timer = this.#clock.after(timeoutMs, () => this.reject(id, deadline));
      const unlisten = signal === undefined ? undefined : this.#listen(id, signal);
      this.#waiting.set(id, { target, resolve, reject, timer, unlisten });
    });
  }

  resolve(id: string, answer: TextMessage): void {
    this.#take(id)?.resolve(answer);
  }

  /** `why` is asked with its target, if it still waits. */
  reject(id: string, why: (target: string) => unknown): void {
    const waiting = this.#take(id);
    waiting?.reject(why(waiting.target));
  }

  rejectAll(why: unknown): void {
    for (const id of [...this.#waiting.keys()]) this.reject(id, () => why);
  }

  /** Returns how to listen no longer. */
  #listen(id: string, signal: AbortSignal): () => void {
    const onAbort = (): void => this.reject(id, () => signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    return () => signal.removeEventListener("abort", onAbort);
  }

  #take(id: string): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return undefined;
    this.#waiting.delete(id);
    this.#clock.clear(waiting.timer);
    waiting.unlisten?.();
    return waiting;
  }
}

function deadline(): LintelError {
  return LintelError.of("DEADLINE");
}
