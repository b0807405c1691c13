/**
 * Publications to many sessions. Consecutive publications on one subject form a run: their frames are written once and
 * the same bytes go to every subscriber that has nothing else waiting. That needs the same number for the subject on
 * every session, so the numbers below `FIRST_OWN_BINDING` are shared by all sessions of a gateway.
 */
import { PatternTrie } from "../../collections/pattern-trie.ts";
import type { Engine } from "../../engine/engine.ts";
import type { Route, Subscriber, Subscription } from "../../message/delivery.ts";
import { MAX_HEADERS } from "../../message/limits.ts";
import type { Message } from "../../message/message.ts";
import type { Origin } from "../../message/origin.ts";
import type { Failure } from "../../message/failure.ts";
import { OVERFLOWS, type Overflow } from "../../message/overflow.ts";
import { writeMessage, type BodyLimits, type FrameBuffer } from "../../session/frame-writer.ts";
import type { Flusher } from "../../session/outbox.ts";
import { FrameType, HEADER_SIZE, readAux } from "../../wire/frame.ts";

import type { FanOutTarget, Feed } from "./feed.ts";
import { TARGETS_PER_TURN, WaitingRuns } from "./waiting-runs.ts";

export type { FanOutTarget, Feed } from "./feed.ts";

/** Numbers from here on are each session's own. */
export const FIRST_OWN_BINDING = 32_768;

/** A run is sent when it has reached this size. */
const RUN_SIZE = 65_536;

/** One subscription of a session. */
export interface SessionListener {
  readonly target: FanOutTarget;
  readonly overflow: Overflow;
  /** The engine has ended the subscription. */
  ended(why: Failure): void;
}

/** Sessions that subscribe to one pattern are one subscriber of the engine. */
const ALL_SESSIONS: Origin = Object.freeze({ gateway: "native", remote: undefined, principal: undefined });

const NO_LIMITS: BodyLimits = { payload: Infinity, headers: MAX_HEADERS };

export class FanOut implements Subscriber, FrameBuffer {
  readonly origin: Origin = ALL_SESSIONS;
  readonly #engine: Engine;
  readonly #flusher: Flusher;
  readonly #listeners = new PatternTrie<SessionListener>();
  /** Engine subscriptions, one for each pattern and policy, with the listeners behind it. */
  readonly #subscriptions = new Map<
    string,
    { subscription: Subscription; listeners: Set<SessionListener> }
  >();
  readonly #feeds = new Map<Route, Feed>();
  readonly #byNumber: (Feed | undefined)[] = [];
  #nextNumber = 1;
  #version = 1;
  #current: Feed | undefined;
  #run: Uint8Array = new Uint8Array(0);
  #used = 0;
  #messages = 0;
  #scheduled = false;
  /** For more sessions than one turn may write to. While there are any, what comes later waits behind them. */
  readonly #waiting = new WaitingRuns();

  constructor(engine: Engine, flusher: Flusher) {
    this.#engine = engine;
    this.#flusher = flusher;
  }

  /** Adds a listener. Resolves when publications reach it. */
  add(pattern: string, listener: SessionListener): Promise<void> {
    const { overflow } = listener;
    const key = keyOf(pattern, overflow);
    let entry = this.#subscriptions.get(key);
    if (entry === undefined) {
      const listeners = new Set<SessionListener>();
      const onEnded = (why: Failure): void => {
        for (const one of [...listeners]) one.ended(why);
      };
      // The policy is the engine's as well: publications may wait for this hub, and not only for its sessions.
      entry = { subscription: this.#engine.subscribe(pattern, this, { overflow, onEnded }), listeners };
      this.#subscriptions.set(key, entry);
    }
    entry.listeners.add(listener);
    this.#listeners.add(pattern, listener);
    this.#changed();
    return entry.subscription.ready;
  }

  remove(pattern: string, listener: SessionListener): void {
    if (!this.#listeners.remove(pattern, listener)) return;
    this.#changed();
    if (!this.#waiting.isEmpty) this.#waiting.finish(listener.target);
    const key = keyOf(pattern, listener.overflow);
    const entry = this.#subscriptions.get(key);
    if (entry === undefined || !entry.listeners.delete(listener) || entry.listeners.size > 0) return;
    this.#subscriptions.delete(key);
    entry.subscription.close();
  }

  deliver(route: Route, publication: Message): void {
    let feed = this.#current;
    if (feed === undefined || feed.route !== route || feed.version !== this.#version) {
      this.#endRun(false);
      feed = this.#feed(route);
      this.#current = feed;
    }
    writeMessage(this, FrameType.publish, feed.number, 0, publication, -1, NO_LIMITS);
  }

  missed(route: Route, count: number): void {
    this.#endRun(false);
    this.#current = undefined;
    this.#waiting.deliver(Infinity);
    const feed = this.#feed(route);
    for (const target of feed.targets) target.missed(feed, count);
  }

  // FrameBuffer: frames are written into the run.

  get offset(): number {
    return this.#used;
  }

  reserve(size: number): Uint8Array {
    if (this.#used > 0 && this.#used + size > this.#run.length) this.#endRun(true);
    if (size > this.#run.length) this.#run = Buffer.allocUnsafeSlow(Math.max(size, RUN_SIZE));
    return this.#run;
  }

  advance(offset: number): void {
    const size = offset - this.#used;
    const feed = this.#current!;
    if (size > feed.maxSize || readAux(this.#run, this.#used) > feed.maxHeaders) {
      return this.#deliverLarge(feed, size);
    }
    this.#used = offset;
    this.#messages++;
    this.#schedule();
  }

  flush(): void {
    this.#scheduled = false;
    this.#endRun(true);
    this.#current = undefined;
    if (this.#waiting.isEmpty) return;
    this.#waiting.deliver(TARGETS_PER_TURN);
    if (!this.#waiting.isEmpty) this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#flusher.schedule(this);
  }

  #isMuch({ targets }: Feed): boolean {
    return targets.length > TARGETS_PER_TURN || !this.#waiting.isEmpty;
  }

  /** A frame that may be more than some session takes, and so cannot be in a shared run. */
  #deliverLarge(feed: Feed, size: number): void {
    const at = this.#used;
    const frame = new Uint8Array(this.#run.subarray(at, at + size));
    this.#endRun(false);
    if (this.#run.length > RUN_SIZE) this.#run = new Uint8Array(0);
    const headers = readAux(frame, 0);
    const payload = size - HEADER_SIZE - headers;
    if (this.#isMuch(feed)) {
      this.#waiting.add(feed, frame, 1, payload, headers);
      return this.#schedule();
    }
    const keep = (): Uint8Array => frame;
    for (const [index, target] of feed.targets.entries()) {
      if (payload > target.maxPayload || headers > target.maxHeaders) {
        target.tooLarge(feed); // P-31, P-64
      } else if (target.isSlow) {
        target.overflow(feed, 1, feed.policies[index]!, keep);
      } else {
        target.bindFeed(feed);
        target.outbox.append(frame);
      }
    }
  }

  /**
   * Hands the run to the sessions. `direct`: in a write of its own where nothing else waits; otherwise it joins what
   * the session will send at the end of this turn, so that runs of a message or two do not cost a write each.
   */
  #endRun(direct: boolean): void {
    const count = this.#messages;
    const feed = this.#current;
    if (count === 0 || feed === undefined) return;
    const run = this.#run.subarray(0, this.#used);
    this.#used = 0;
    this.#messages = 0;
    if (this.#isMuch(feed)) {
      this.#waiting.add(feed, new Uint8Array(run), count);
      return this.#schedule();
    }
    this.#share(feed, run, count, direct);
  }

  #share(feed: Feed, run: Uint8Array, count: number, direct: boolean): void {
    let reusable = true;
    let copy: Uint8Array | undefined; // for all sessions that keep it; made when the first does
    const { targets } = feed;
    for (let index = 0; index < targets.length; index++) {
      const target = targets[index]!;
      if (target.isSlow) {
        target.overflow(feed, count, feed.policies[index]!, () => (copy ??= new Uint8Array(run))); // P-61
        continue;
      }
      target.bindFeed(feed);
      if (direct && target.outbox.isEmpty) {
        if (!target.outbox.sendDirect(run)) reusable = false;
      } else {
        target.outbox.append(run);
      }
    }
    if (!reusable) this.#run = new Uint8Array(0); // a connection still holds it
  }

  #changed(): void {
    this.#endRun(false);
    this.#current = undefined;
    this.#version++;
  }

  #feed(route: Route): Feed {
    let feed = this.#feeds.get(route);
    if (feed === undefined) {
      const number = this.#nextNumber;
      this.#nextNumber = number + 1 < FIRST_OWN_BINDING ? number + 1 : 1;
      const previous = this.#byNumber[number];
      if (previous !== undefined) this.#feeds.delete(previous.route);
      feed = { route, number, version: 0, targets: [], policies: [], maxSize: 0, maxHeaders: 0 };
      this.#byNumber[number] = feed;
      this.#feeds.set(route, feed);
    }
    if (feed.version !== this.#version) {
      feed.version = this.#version;
      const policies = new Map<FanOutTarget, Overflow>();
      for (const { target, overflow } of this.#listeners.match(route.subject)) {
        policies.set(target, stricter(policies.get(target), overflow));
      }
      feed.targets = [...policies.keys()];
      feed.policies = [...policies.values()];
      feed.maxSize = RUN_SIZE;
      feed.maxHeaders = MAX_HEADERS;
      for (const { maxPayload, maxHeaders } of feed.targets) {
        if (maxPayload < feed.maxSize) feed.maxSize = maxPayload;
        if (maxHeaders < feed.maxHeaders) feed.maxHeaders = maxHeaders;
      }
    }
    return feed;
  }
}

function keyOf(pattern: string, overflow: Overflow): string {
  return `${overflow} ${pattern}`;
}

/** The policy that counts when subscriptions of one session differ (P-61). */
function stricter(one: Overflow | undefined, other: Overflow): Overflow {
  return one !== undefined && OVERFLOWS.indexOf(one) > OVERFLOWS.indexOf(other) ? one : other;
}
