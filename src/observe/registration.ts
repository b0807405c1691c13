import { IN_PROCESS, type Origin } from "../message/origin.ts";
import type { Observer, RegistrationEvent } from "./observer.ts";

/** A service or subscription that was registered with an engine. */
export interface Registered {
  readonly kind: RegistrationEvent["kind"];
  readonly pattern: string;
  /** Of a service; "" for the default group. */
  readonly queue?: string;
  readonly origin: Origin | undefined;
}

/** Tells that a registration has begun to count, or counts no longer. */
export function tellRegistration(
  observer: Observer | undefined,
  event: RegistrationEvent["event"],
  { kind, pattern, queue = "", origin = IN_PROCESS }: Registered,
): void {
  const { gateway, remote, principal } = origin;
  observer?.registration?.({ event, kind, pattern, queue, gateway, remote, principal });
}
