/**
 * Who is to hear that a signal was aborted. However many requests share a signal it has one listener of this object, as long
 * as one of them is under way: Node warns of a leak when there are many, and each costs more than an entry of a set.
 */
export class AbortListeners {
  readonly #bySignal = new WeakMap<AbortSignal, Listeners>();

  add(signal: AbortSignal, onAbort: () => void): void {
    let listeners = this.#bySignal.get(signal);
    if (listeners === undefined) {
      listeners = new Listeners();
      this.#bySignal.set(signal, listeners);
    }
    if (listeners.size === 0) signal.addEventListener("abort", listeners);
    listeners.add(onAbort);
  }

  remove(signal: AbortSignal, onAbort: () => void): void {
    const listeners = this.#bySignal.get(signal);
    if (listeners === undefined || !listeners.delete(onAbort) || listeners.size > 0) return;
    signal.removeEventListener("abort", listeners);
  }
}

/** Those of one signal, in the order they came. */
class Listeners extends Set<() => void> {
  handleEvent(): void {
    for (const onAbort of this) onAbort();
  }
}
