import type { Admission } from "../../access/admission.ts";
import type { Failure } from "../../message/failure.ts";
import type { PeerIdentity } from "../../message/peer-identity.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { CommandsLimits, CommandsSettings } from "./options.ts";
import type { UnreadBytes } from "./outbox.ts";
import type { CommandsStats } from "./stats.ts";
import type { CommandsTenants } from "./tenant.ts";

/** What all connections of a gateway share. */
export interface CommandsContext {
  readonly admission: Admission;
  readonly clock: Clock;
  readonly limits: CommandsLimits;
  readonly settings: CommandsSettings;
  readonly counters: CommandsStats;
  readonly tenants: CommandsTenants;
  readonly unread: UnreadBytes;
  /** Why no new call is taken. */
  readonly refusal: Failure | undefined;
}

export interface ConnectionEvents {
  /** It does nothing any more, and may still have to send what waits. */
  over(): void;
  /** Nothing is left of it. */
  closed(): void;
}

/** What the other end has shown when it connected. */
export interface Shown {
  /** Of the URL. */
  readonly token: string | undefined;
  readonly identity: PeerIdentity | undefined;
  /** What it counts for. */
  readonly caller: string;
}
