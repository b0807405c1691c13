/**
 * What each role may do: the table of docs/guides/access.md, which test/docs/roles.test.ts compares with this one, and what
 * roles.test.ts expects of every gateway. It imports nothing of what it is compared with.
 */
import type { Verb } from "../../src/access/access.ts";

export type Role = "service" | "client" | "observer" | "admin";

interface Rule {
  /** What it may do if nothing is granted to it. */
  readonly own: readonly Verb[];
  /** What it may do of what is granted to it. */
  readonly granted: readonly Verb[];
  /** What it may do of what a service has enabled. */
  readonly enabled: readonly Verb[];
}

const WORK: readonly Verb[] = ["request", "open", "publish", "subscribe", "serve"];

export const RULES: Readonly<Record<Role, Rule>> = {
  service: { own: WORK, granted: WORK, enabled: [] },
  client: { own: [], granted: WORK, enabled: ["request", "open", "publish", "subscribe"] },
  observer: { own: ["subscribe"], granted: ["subscribe"], enabled: [] },
  admin: { own: [...WORK, "admin"], granted: [...WORK, "admin"], enabled: [] },
};

export const ROLES: readonly Role[] = ["service", "client", "observer", "admin"];

/**
 * | situation      | of the key                                                        |
 * |----------------|-------------------------------------------------------------------|
 * | own            | nothing is granted to it                                          |
 * | granted        | everything is, for the subjects that are tried                    |
 * | elsewhere      | everything is, for other subjects                                 |
 * | denied         | as granted, and denied as well                                    |
 * | enabled        | as elsewhere, and a service has enabled the subjects              |
 * | enabled denied | as enabled, and denied as well                                    |
 * | other tenant   | as granted, in a tenant where nobody is                           |
 * | revoked        | as granted, and it was revoked                                    |
 * | expired        | as granted, and it has expired                                    |
 * | unknown        | it is nobody's                                                    |
 */
export const SITUATIONS = [
  "own",
  "granted",
  "elsewhere",
  "denied",
  "enabled",
  "enabled denied",
  "other tenant",
  "revoked",
  "expired",
  "unknown",
] as const;
export type Situation = (typeof SITUATIONS)[number];

/** `alone`: it is allowed, and there is nobody else. */
export type Verdict = "allowed" | "alone" | "denied" | "unauthenticated";

export function verdictOf(role: Role, situation: Situation, verb: Verb): Verdict {
  const { own, granted, enabled } = RULES[role];
  const among = (verbs: readonly Verb[], verdict: Verdict = "allowed"): Verdict =>
    verbs.includes(verb) ? verdict : "denied";
  switch (situation) {
    case "own":
      return among(own);
    case "granted":
      return among(granted);
    case "other tenant":
      return among(granted, "alone");
    case "enabled":
      return among(enabled);
    case "elsewhere":
    case "denied":
    case "enabled denied":
      return "denied";
    case "revoked":
    case "expired":
    case "unknown":
      return "unauthenticated";
  }
}

/** The rows of the guide's table, without the marks of code. */
export function rowsOfRoles(): string[][] {
  const list = (verbs: readonly Verb[]): string => (verbs.length === 0 ? "nothing" : verbs.join(", "));
  return ROLES.map((role) => {
    const { own, granted, enabled } = RULES[role];
    return [role, list(own), list(granted), list(enabled)];
  });
}
