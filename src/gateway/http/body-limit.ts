/** Limits of request bodies: for one body, for the bodies of one caller, and for all bodies of a hub. */
import { failure, type Failure } from "../../message/failure.ts";
import { SharedBound } from "../../collections/shared-bound.ts";

/** One body is over its limit: 413. */
export const BODY_TOO_LARGE: Failure = failure("TOO_LARGE");

/** The bodies of a caller, or of all callers, are over theirs: 503. */
export const BODIES_FULL: Failure = Object.freeze(
  failure("IN_FLIGHT_FULL", "the bodies of the requests in flight have too many bytes"),
);

/** Bytes of bodies that may be held at a time. Shared by the gateways of a hub. */
export class BodyBudget extends SharedBound {
  /** Bytes that are held. */
  get held(): number {
    return this.taken;
  }
}
