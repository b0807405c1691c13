import { PatternTrie } from "../broker/pattern-trie.ts";

/** Which patterns are served at a hub, and through which of its sockets: each instance of a service has one of its own. */
export class Presence {
  readonly #served = new Map<string, PatternTrie<string>>();
  readonly #watching = new Map<string, Set<() => void>>();

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

  /** True when a pattern that is served through this socket is, or covers, the subject. */
  isServed(remote: string, subject: string): boolean {
    return (this.#served.get(remote)?.match(subject).length ?? 0) > 0;
  }

  /** Resolves when all the subjects are served through this socket. Never, once the signal has fired. */
  async until(remote: string, subjects: readonly string[], signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve) => {
      const watching = this.#watching.get(remote) ?? new Set();
      this.#watching.set(remote, watching);
      const forget = (): void => {
        watching.delete(changed);
        if (watching.size === 0) this.#watching.delete(remote);
      };
      const changed = (): void => {
        if (!subjects.every((subject) => this.isServed(remote, subject))) return;
        forget();
        resolve();
      };
      watching.add(changed);
      signal.addEventListener("abort", forget, { once: true });
      changed();
    });
  }
}
