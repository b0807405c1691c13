import type { Principal } from "./access.ts";

/** The members of principals that are equal when these are. */
const PLAIN: ReadonlySet<string> = new Set(["id", "tenant", "role", "expiresAt"]);

/** What principals that count as the same have in common. One with a member of its own stands for itself. */
export function keyOf(principal: Principal): string | Principal {
  const isPlain =
    Object.getPrototypeOf(principal) === Object.prototype &&
    Object.keys(principal).every((name) => PLAIN.has(name));
  if (!isPlain) return principal;
  const { id, tenant, role, expiresAt } = principal;
  return JSON.stringify([id, tenant, role, expiresAt]);
}
