import { PatternTrie } from "../collections/pattern-trie.ts";

/**
 * Which patterns are served at a hub, and through which of its sockets: each instance of a service has one of its own. Workers
 * that ask for jobs over HTTP come by no socket of theirs: they are known by their subject alone.
 */
export class ReadinessTracker {
  readonly #served = new Map<string, PatternTrie<string>>();
  readonly #polled = new Set<string>();
  readonly #watching = new Map<string, Set<(polled?: string) => void>>();

  /** For `onService` of a hub. */
  readonly note = (event: "serving" | "left", pattern: string, remote: string): void => {
    let patterns = this.#served.get(remote);
    if (patterns === undefined) {
      patterns = new PatternTrie();
      this.#served.set(remote, patterns);
    }
    if (event === "serving") patterns.add(pattern, pattern);
    else patterns.remove(pattern, pattern);
    if (patterns.isEmpty) this.#served.delete(remote);
    for (const changed of this.#watching.get(remote) ?? []) changed();
  };

  /** For `onPoll` of a hub. */
  readonly notePoll = (event: "polled" | "left", subject: string): void => {
    if (event === "left") {
      this.#polled.delete(subject);
      return;
    }
    this.#polled.add(subject);
    for (const watching of this.#watching.values()) for (const changed of watching) changed(subject);
  };

  /** True when a pattern that is served through this socket is, or covers, the subject, or workers ask for jobs of it. */
  isServed(remote: string, subject: string): boolean {
    return this.#polled.has(subject) || this.#isServedThrough(remote, subject);
  }

  /**
   * Resolves when each of the subjects is served through this socket, or jobs of it have been asked for since the call: who
   * did so before may be gone. Never, once the signal has fired.
   */
  async until(remote: string, subjects: readonly string[], signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve) => {
      const watching = this.#watching.get(remote) ?? new Set();
      this.#watching.set(remote, watching);
      const forget = (): void => {
        watching.delete(changed);
        if (watching.size === 0) this.#watching.delete(remote);
      };
      const polled = new Set<string>();
      const changed = (subject?: string): void => {
        if (subject !== undefined && subjects.includes(subject)) polled.add(subject);
        if (!subjects.every((one) => polled.has(one) || this.#isServedThrough(remote, one))) return;
        forget();
        resolve();
      };
      watching.add(changed);
      signal.addEventListener("abort", forget, { once: true });
      changed();
    });
  }

  #isServedThrough(remote: string, subject: string): boolean {
    return (this.#served.get(remote)?.match(subject).length ?? 0) > 0;
  }
}
