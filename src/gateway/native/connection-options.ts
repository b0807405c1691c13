/** What the sessions of a gateway are given. */
import type { Admission } from "../../access/admission.ts";
import type { Engine } from "../../engine/engine.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Failure } from "../../message/failure.ts";
import type { Limits } from "../../message/limits.ts";
import type { Observer } from "../../observe/observer.ts";
import type { OpenStreams } from "../../stream/open-streams.ts";
import type { SlicedWork } from "../../runtime/sliced-work.ts";
import type { DescriptorChannels } from "../../session/side-channels/descriptor-channel.ts";
import type { SessionLimits } from "../../session/options.ts";
import type { Flusher } from "../../session/outbox.ts";
import type { Backpressure } from "./backpressure.ts";
import type { FullSessions } from "./full-sessions.ts";
import type { SessionShare } from "./session-shares.ts";
import type { SessionTenants } from "./session-tenants.ts";
import type { PublicationDrops } from "./slow-consumer.ts";

export interface ConnectionOptions {
  /** Decides which callers are admitted. */
  readonly admission: Admission;
  readonly engine: Engine;
  readonly tenants: SessionTenants;
  readonly flusher: Flusher;
  /** Counts the streams of all sessions. */
  readonly openStreams: OpenStreams;
  /** Ends what sessions have had, of all sessions of the gateway. */
  readonly endings: SlicedWork;
  readonly clock: Clock;
  readonly name: string;
  /** The caller its requests count for, and its part of what all sessions share. */
  readonly share: SessionShare;
  /** Called when the other end has greeted. */
  readonly onGreeted?: (() => void) | undefined;
  /** Those of all sessions of the gateway. */
  readonly lanes: DescriptorChannels;
  /** Counts what is dropped. */
  readonly drops: PublicationDrops;
  readonly limits: SessionLimits & Pick<Limits, "registrations" | "sessionInFlight" | "concurrency">;
  readonly fullSessions: FullSessions<Backpressure>;
  readonly observer?: Observer | undefined;
  /** Called once when the session has ended, before its connection has. */
  readonly onEnded: (why: Failure) => void;
  /** Called once when the session is over. */
  readonly onClosed: (why: Failure) => void;
}
