/** What services have enabled the clients of one tenant to do. */
import { PatternTrie } from "../collections/pattern-trie.ts";
import type { EnabledVerb } from "../message/delivery.ts";
import { deferToEndOfTick } from "../runtime/defer-to-end-of-tick.ts";
import { SlicedWork } from "../runtime/sliced-work.ts";
import type { Verb } from "./access.ts";

/** A pattern that at least one service has enabled. */
interface Enabled {
  readonly pattern: string;
  /** How often it has been enabled, and not ended. */
  makers: number;
  /** What is there because of it. */
  readonly dependents: Set<Dependent>;
}

/** Something that may go on as long as some enabled pattern contains its own. */
interface Dependent {
  readonly pattern: string;
  enabled: Enabled | undefined;
  /** Must not throw. */
  readonly onLost: () => void;
}

/** Which enablement counts for a verb. Nobody can be enabled to serve or to administer. */
const ENABLED_BY: Readonly<Record<Verb, EnabledVerb | undefined>> = {
  request: "request",
  open: "request",
  publish: "publish",
  subscribe: "subscribe",
  serve: undefined,
  admin: undefined,
};

export class Enablement {
  readonly #verbs: Readonly<Record<EnabledVerb, EnabledPatterns>> = {
    publish: new EnabledPatterns(),
    subscribe: new EnabledPatterns(),
    request: new EnabledPatterns(),
  };
  readonly #endings = new SlicedWork(deferToEndOfTick());
  #version = 0;

  /** Another number whenever something is enabled, or is so no longer. */
  get version(): number {
    return this.#version;
  }

  /** True if clients may do it with the subject, or with all that matches the pattern. */
  isEnabled(verb: Verb, pattern: string): boolean {
    return this.#of(verb)?.containing(pattern) !== undefined;
  }

  /** Enables it once more. Returns a function that takes that back, to be called once. */
  add(verb: EnabledVerb, pattern: string): () => void {
    const patterns = this.#verbs[verb];
    if (patterns.add(pattern)) this.#version++;
    return () => {
      const ended = patterns.remove(pattern);
      if (ended === undefined) return;
      this.#version++;
      const { dependents } = ended;
      if (dependents.size > 0) this.#endings.run(() => patterns.moveOne(dependents));
    };
  }

  /**
   * Calls back once when no enabled pattern contains this one any more: at once, or soon after if there is much. Returns a function that makes it not call, and
   * undefined if none contains it now.
   */
  depend(verb: Verb, pattern: string, onLost: () => void): (() => void) | undefined {
    const enabled = this.#of(verb)?.containing(pattern);
    if (enabled === undefined) return undefined;
    const dependent: Dependent = { pattern, enabled, onLost };
    enabled.dependents.add(dependent);
    return () => dependent.enabled?.dependents.delete(dependent);
  }

  #of(verb: Verb): EnabledPatterns | undefined {
    const by = ENABLED_BY[verb];
    return by === undefined ? undefined : this.#verbs[by];
  }
}

class EnabledPatterns {
  readonly #byPattern = new Map<string, Enabled>();
  readonly #trie = new PatternTrie<Enabled>();

  /** An enabled pattern that contains the subject, or the whole pattern. */
  containing(pattern: string): Enabled | undefined {
    if (this.#byPattern.size === 0) return undefined;
    // The trie reads a wildcard as a token: that is right, except that * matches the token > and does not contain it.
    const isOpen = pattern.endsWith(">");
    return this.#trie.match(pattern).find((enabled) => !isOpen || enabled.pattern.endsWith(">"));
  }

  /** True if it was not enabled before. */
  add(pattern: string): boolean {
    const known = this.#byPattern.get(pattern);
    if (known !== undefined) {
      known.makers++;
      return false;
    }
    const enabled: Enabled = { pattern, makers: 1, dependents: new Set() };
    this.#byPattern.set(pattern, enabled);
    this.#trie.add(pattern, enabled);
    return true;
  }

  /** What has ended, if this was the last that had enabled it. */
  remove(pattern: string): Enabled | undefined {
    const enabled = this.#byPattern.get(pattern);
    if (enabled === undefined || --enabled.makers > 0) return undefined;
    this.#byPattern.delete(pattern);
    this.#trie.remove(pattern, enabled);
    return enabled;
  }

  /** One of them goes over to another enabled pattern that contains its own, or is lost. False if it was the last. */
  moveOne(dependents: Set<Dependent>): boolean {
    const [dependent] = dependents;
    if (dependent === undefined) return false;
    dependents.delete(dependent);
    dependent.enabled = this.containing(dependent.pattern);
    if (dependent.enabled === undefined) dependent.onLost();
    else dependent.enabled.dependents.add(dependent);
    return dependents.size > 0;
  }
}
