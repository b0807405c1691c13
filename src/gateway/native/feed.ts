/** What is published on one subject, and the sessions that it goes to. */
import type { Route } from "../../message/delivery.ts";
import type { Overflow } from "../../message/overflow.ts";
import type { Outbox } from "../../session/outbox.ts";

/** A session as the fan-out sees it. */
export interface FanOutTarget {
  readonly outbox: Outbox;
  readonly maxPayload: number;
  readonly maxHeaders: number;
  /** Makes sure that the shared number stands for the feed on this session. */
  bindFeed(feed: Feed): void;
  /** True while it does not keep up, and publications go to `overflow` instead of its outbox. */
  readonly isSlow: boolean;
  /** Takes a run for a session that is slow; `keep` gives a copy of its frames. */
  overflow(feed: Feed, count: number, policy: Overflow, keep: () => Uint8Array): void;
  /** A publication over the session's limits. */
  tooLarge(feed: Feed): void;
  /** So many publications have been lost before they came here. */
  missed(feed: Feed, count: number): void;
}

/** A subject with publications, and the sessions that subscribe to it. */
export interface Feed {
  readonly route: Route;
  readonly number: number;
  version: number;
  targets: readonly FanOutTarget[];
  /** For each target the policy that counts. */
  policies: readonly Overflow[];
  /** Frames up to this size, with header blocks up to that, are taken by all of them. */
  maxSize: number;
  maxHeaders: number;
}
