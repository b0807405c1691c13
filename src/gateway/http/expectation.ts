/** The `Expect` header (RFC 9110, 10.1.1). */
import { failure, type Failure } from "../../message/failure.ts";
import type { Incoming } from "./connection.ts";

/** To be sent as 417. */
export const UNKNOWN_EXPECTATION: Failure = Object.freeze(
  failure("BAD_REQUEST", "the only supported expectation is 100-continue"),
);

/** True when a request that expects `100-continue` expects something else too, which Node does not look for. */
export function expectsMore({ rawHeaders }: Incoming): boolean {
  return rawHeaders.some(
    (value, index) =>
      index % 2 === 1 &&
      rawHeaders[index - 1]!.toLowerCase() === "expect" &&
      value.split(",").some((one) => one.trim().toLowerCase() !== "100-continue"),
  );
}
