import { LintelError } from "../message/failure.ts";
import { AbortListeners } from "../runtime/abort-listeners.ts";
import type { Clock } from "../runtime/clock.ts";

interface PendingCall {
  readonly resolve: (body: unknown) => void;
  readonly reject: (error: unknown) => void;
  readonly timer: unknown;
  readonly signal: AbortSignal | undefined;
  readonly onAbort: (() => void) | undefined;
}

export interface WaitOptions {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** The calls of one connection that have no outcome yet, by key. Each is removed before it is settled, so that it has one outcome. */
export class PendingCalls {
  readonly #clock: Clock;
  readonly #onGivenUp: (key: string) => void;
  readonly #calls = new Map<string, PendingCall>();
  readonly #aborts = new AbortListeners();

  /** `onGivenUp` is called for calls that end by their deadline or signal. */
  constructor(clock: Clock, onGivenUp: (key: string) => void) {
    this.#clock = clock;
    this.#onGivenUp = onGivenUp;
  }

  get size(): number {
    return this.#calls.size;
  }

  has(key: string): boolean {
    return this.#calls.has(key);
  }

  /** Waits for the outcome of the call with this key. */
  wait(key: string, { timeoutMs, signal }: WaitOptions): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const fail = (error: unknown): void => {
        if (this.reject(key, error)) this.#onGivenUp(key);
      };
      const onAbort = signal && ((): void => fail(signal.reason));
      if (onAbort !== undefined) this.#aborts.add(signal!, onAbort);
      const timer = this.#clock.after(timeoutMs, () => fail(LintelError.of("DEADLINE")));
      this.#calls.set(key, { resolve, reject, timer, signal, onAbort });
    });
  }

  /** Resolves a call. False when none has this key: it has ended, or was never made on this connection. */
  resolve(key: string, body: unknown): boolean {
    const call = this.#take(key);
    call?.resolve(body);
    return call !== undefined;
  }

  reject(key: string, error: unknown): boolean {
    const call = this.#take(key);
    call?.reject(error);
    return call !== undefined;
  }

  rejectAll(error: unknown): void {
    for (const key of this.#calls.keys()) this.reject(key, error);
  }

  #take(key: string): PendingCall | undefined {
    const call = this.#calls.get(key);
    if (call === undefined) return undefined;
    this.#calls.delete(key);
    this.#clock.clear(call.timer);
    if (call.onAbort !== undefined) this.#aborts.remove(call.signal!, call.onAbort);
    return call;
  }
}
