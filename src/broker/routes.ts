import type { Route, Subscriber, Subscription } from "../message/delivery.ts";
import { checkPattern, checkSubject } from "../message/subject.ts";
import { PatternTrie } from "../collections/pattern-trie.ts";
import { QueueGroup } from "./queue-group.ts";

/** A literal subject with what it leads to, looked up again only after a registration has changed. */
export interface BrokerRoute extends Route {
  readonly subject: string;
  /** The state of the table that it was looked up in last: no two tables have one in common. */
  version: object | undefined;
  subscribers: readonly Subscriber[];
  /** Groups of the most specific pattern that has any; requests go to one of them. */
  groups: readonly QueueGroup[];
}

/** Routes kept by subject. Past this the cache starts anew; routes already handed out stay good. */
const CACHE_SIZE = 65_536;
const READY = Promise.resolve();

/** Which workers and subscribers match which subjects. */
export class RoutingTable {
  readonly #subscribers: PatternTrie<Subscriber> = new PatternTrie();
  readonly #groups: PatternTrie<QueueGroup> = new PatternTrie();
  readonly #groupsByName = new Map<string, QueueGroup>();
  #cache = new Map<string, BrokerRoute>();
  /** The one asked for last: a caller often asks for the same again. */
  #last: BrokerRoute | undefined;
  /** Another object whenever a registration changes, so that a route of another table is looked up anew here. */
  #version = {};

  /** The route of a subject. Throws `BAD_SUBJECT`. */
  route(subject: string): BrokerRoute {
    if (this.#last?.subject === subject) return this.#last;
    let route = this.#cache.get(subject);
    if (route === undefined) {
      checkSubject(subject);
      if (this.#cache.size >= CACHE_SIZE) this.#cache = new Map();
      route = { subject, version: undefined, subscribers: [], groups: [] };
      this.#cache.set(subject, route);
    }
    this.#last = route;
    return route;
  }

  /** `onClosed` is called once. Throws `BAD_SUBJECT`. */
  subscribe(pattern: string, subscriber: Subscriber, onClosed: () => void): Subscription {
    checkPattern(pattern);
    this.#subscribers.add(pattern, subscriber);
    this.#version = {};
    let open = true;
    return {
      ready: READY,
      close: () => {
        if (!open) return;
        open = false;
        this.#subscribers.remove(pattern, subscriber);
        this.#version = {};
        onClosed();
      },
    };
  }

  /** The group of this pattern and name. Throws `BAD_SUBJECT`. */
  group(pattern: string, queue: string): QueueGroup {
    const key = `${checkPattern(pattern)} ${queue}`;
    let group = this.#groupsByName.get(key);
    if (group === undefined) {
      group = new QueueGroup(pattern, queue);
      this.#groupsByName.set(key, group);
      this.#groups.add(pattern, group);
      this.#version = {};
    }
    return group;
  }

  /** The group has no members any more. */
  dropGroup(group: QueueGroup): void {
    this.#groups.remove(group.pattern, group);
    this.#groupsByName.delete(`${group.pattern} ${group.queue}`);
    this.#version = {};
  }

  /** Brings the route up to date. */
  resolve(route: BrokerRoute): void {
    if (route.version === this.#version) return;
    route.version = this.#version;
    // A subscriber with several matching patterns gets one copy.
    route.subscribers = [...new Set(this.#subscribers.match(route.subject))];
    const groups = this.#groups.match(route.subject);
    route.groups = groups.filter((group) => group.pattern === groups[0]!.pattern);
  }
}
