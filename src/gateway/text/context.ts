import type { Admission } from "../../access/admission.ts";
import type { Limits } from "../../message/limits.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { SlicedWork } from "../../runtime/sliced-work.ts";
import type { HeaderNames } from "./decode.ts";
import type { TextSettings } from "./options.ts";
import type { FullOutlets } from "./outlet.ts";
import type { TextStats } from "./stats.ts";
import type { TextTenants } from "./tenant.ts";

/** What all connections of a gateway share. */
export interface TextContext {
  readonly admission: Admission;
  readonly tenants: TextTenants;
  readonly settings: TextSettings;
  readonly limits: Limits;
  readonly clock: Clock;
  readonly counters: TextStats;
  readonly full: FullOutlets;
  readonly headerNames: HeaderNames;
  /** What connections that have ended leave behind. */
  readonly endings: SlicedWork;
  /** Counts a registration of a caller; false when there are too many of all. */
  takeRegistration(caller: string): boolean;
  giveRegistrations(caller: string, count: number): void;
}
