/** Publications to the connections of one tenant: each is encoded once, whatever number of connections it goes to. */
import { PatternTrie } from "../../collections/pattern-trie.ts";
import { jsonCommands } from "../../commands/json-protocol.ts";
import type { Engine } from "../../engine/engine.ts";
import type { Route, Subscriber, Subscription } from "../../message/delivery.ts";
import type { Failure } from "../../message/failure.ts";
import { nameOf } from "../../message/foreign-name.ts";
import type { Message } from "../../message/message.ts";
import type { Origin } from "../../message/origin.ts";
import { encodeUtf8 } from "../../message/text.ts";
import { bodyOf } from "./encode.ts";

/** A connection, as publications see it. */
export interface FanOutTarget {
  /** Takes one encoded command, or drops it where too much waits. */
  deliver(encoded: Uint8Array): void;
}

/** What one connection wants of a pattern. */
export interface Listener {
  readonly target: FanOutTarget;
  /** The engine has ended the subscription. */
  ended(why: Failure): void;
}

/** Connections that subscribe to one pattern are one subscriber of the engine. */
const ALL_CONNECTIONS: Origin = Object.freeze({
  gateway: "commands",
  remote: undefined,
  principal: undefined,
});
/** Subjects whose targets are remembered. */
const MAX_REMEMBERED = 4_096;

export class FanOut implements Subscriber {
  readonly origin: Origin = ALL_CONNECTIONS;
  readonly #engine: Engine;
  readonly #onLost: (count: number, why: unknown) => void;
  readonly #listeners = new PatternTrie<Listener>();
  readonly #subscriptions = new Map<
    string,
    { readonly subscription: Subscription; readonly listeners: Set<Listener> }
  >();
  /** Of subjects, each target once, however many patterns of it match. */
  readonly #targets = new Map<Route, ReadonlySet<FanOutTarget>>();

  /** `onLost` hears of publications that no connection gets, and why. */
  constructor(engine: Engine, onLost: (count: number, why: unknown) => void) {
    this.#engine = engine;
    this.#onLost = onLost;
  }

  /** Resolves when publications reach the listener. Throws and rejects as `subscribe` of an engine does. */
  add(pattern: string, listener: Listener): Promise<void> {
    let entry = this.#subscriptions.get(pattern);
    if (entry === undefined) {
      const listeners = new Set<Listener>();
      const onEnded = (why: Failure): void => {
        for (const one of [...listeners]) one.ended(why);
      };
      entry = { subscription: this.#engine.subscribe(pattern, this, { onEnded }), listeners };
      this.#subscriptions.set(pattern, entry);
    }
    entry.listeners.add(listener);
    this.#listeners.add(pattern, listener);
    this.#targets.clear();
    return entry.subscription.ready;
  }

  remove(pattern: string, listener: Listener): void {
    if (!this.#listeners.remove(pattern, listener)) return;
    this.#targets.clear();
    const entry = this.#subscriptions.get(pattern);
    if (entry === undefined || !entry.listeners.delete(listener) || entry.listeners.size > 0) return;
    this.#subscriptions.delete(pattern);
    entry.subscription.close();
  }

  // Subscriber

  deliver(route: Route, publication: Message): void {
    let encoded: Uint8Array;
    try {
      encoded = encodeUtf8(
        String(jsonCommands.encode({ action: nameOf(route.subject), body: bodyOf(publication) })),
      );
    } catch (error) {
      return this.#onLost(1, error);
    }
    for (const target of this.#targetsOf(route)) target.deliver(encoded);
    return undefined;
  }

  missed(_route: Route, count: number): void {
    this.#onLost(count, undefined);
  }

  #targetsOf(route: Route): ReadonlySet<FanOutTarget> {
    let targets = this.#targets.get(route);
    if (targets === undefined) {
      if (this.#targets.size >= MAX_REMEMBERED) this.#targets.clear();
      targets = new Set(this.#listeners.match(route.subject).map(({ target }) => target));
      this.#targets.set(route, targets);
    }
    return targets;
  }
}
