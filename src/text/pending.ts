/** Requests of a text client that wait for their answers. */
import { LintelError } from "../message/failure.ts";
import type { TextMessage } from "./message.ts";

interface Waiting {
  readonly resolve: (answer: TextMessage) => void;
  readonly reject: (why: Error) => void;
  readonly timer: ReturnType<typeof setTimeout>;
  readonly unlisten: () => void;
}

export class PendingRequests {
  readonly #waiting = new Map<string, Waiting>();
  #last = 0;

  get size(): number {
    return this.#waiting.size;
  }

  /** A name for a request, and its outcome. `signal` and the time end it. */
  add(timeoutMs: number, signal: AbortSignal | undefined): { id: string; outcome: Promise<TextMessage> } {
    const id = String(++this.#last);
    const outcome = new Promise<TextMessage>((resolve, reject) => {
      const onAbort = (): void => void this.reject(id, signal!.reason as Error); // what the caller gave
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#waiting.set(id, {
        resolve,
        reject,
        timer: setTimeout(() => this.reject(id, LintelError.of("DEADLINE")), timeoutMs),
        unlisten: () => signal?.removeEventListener("abort", onAbort),
      });
    });
    return { id, outcome };
  }

  resolve(id: string, answer: TextMessage): void {
    this.#take(id)?.resolve(answer);
  }

  /** False when nobody waits for it. */
  reject(id: string, why: Error): boolean {
    const waiting = this.#take(id);
    waiting?.reject(why);
    return waiting !== undefined;
  }

  rejectAll(why: Error): void {
    for (const id of [...this.#waiting.keys()]) this.reject(id, why);
  }

  #take(id: string): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return undefined;
    this.#waiting.delete(id);
    clearTimeout(waiting.timer);
    waiting.unlisten();
    return waiting;
  }
}
