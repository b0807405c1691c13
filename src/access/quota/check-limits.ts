/** What limits must be, beyond their types. */
import type { PrincipalLimits } from "../access.ts";

const NAMES: { readonly [name in keyof PrincipalLimits]-?: true } = {
  connections: true,
  requestsPerSecond: true,
  burst: true,
  inFlight: true,
  subscriptions: true,
  bytesPerSecond: true,
};

/** What is wrong, in words that follow the name of the limits; undefined when nothing is. */
export function problemOfLimits(limits: unknown): string | undefined {
  if (typeof limits !== "object" || limits === null || Array.isArray(limits))
    return " must be an object such as { connections: 20 }";
  for (const [name, limit] of Object.entries(limits)) {
    if (!Object.hasOwn(NAMES, name))
      return ` has no option "${name}"; there are: ${Object.keys(NAMES).join(", ")}`;
    if (limit !== undefined && !(typeof limit === "number" && Number.isFinite(limit) && limit >= 0))
      return `.${name} must be a number, 0 or more`;
  }
  const { burst, requestsPerSecond } = limits as PrincipalLimits; // its members were looked at
  if (burst !== undefined && requestsPerSecond === undefined) return ".burst needs requestsPerSecond";
  return undefined;
}
