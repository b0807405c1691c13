/** What a role may do by itself, by grants, by denials and by what is enabled: as the table says, in all combinations. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Verb } from "../../src/access/access.ts";
import { VERBS } from "../../src/access/grants.ts";
import { Rights, ROLES, type Role } from "../../src/access/rights.ts";
import { RULES } from "./rules.ts";

/** Grants: there are some; one of them has the subject, wholly. Denial: one of them has any of it. */
type Circumstance = "hasGrants" | "isGranted" | "isDenied" | "isEnabled";

/** What the table says. */
function isAllowed(
  role: Role,
  verb: Verb,
  { hasGrants, isGranted, isDenied, isEnabled }: Readonly<Record<Circumstance, boolean>>,
): boolean {
  const { own, granted, enabled } = RULES[role];
  if (isDenied) return false;
  if (isEnabled && enabled.includes(verb)) return true;
  return hasGrants ? isGranted && granted.includes(verb) : own.includes(verb);
}

test("each role may what the table says, in every circumstance", () => {
  const both = [true, false];
  for (const role of ROLES)
    for (const verb of VERBS)
      for (const hasGrants of both)
        for (const isGranted of hasGrants ? both : [false])
          for (const isDenied of both)
            for (const isEnabled of both) {
              const grants = hasGrants ? { [verb]: [isGranted ? "a.*" : "b.*"] } : undefined;
              const rights = new Rights(role, grants, isDenied ? { [verb]: ["*.b"] } : undefined);
              const circumstance = { hasGrants, isGranted, isDenied, isEnabled };
              assert.equal(
                rights.may(verb, "a.b", isEnabled),
                isAllowed(role, verb, circumstance),
                `${role} ${verb} ${JSON.stringify(circumstance)}`,
              );
            }
});

const tokens = fc.array(fc.constantFrom("a", "b", "*"), { minLength: 1, maxLength: 3 });
const pattern = fc
  .tuple(tokens, fc.boolean())
  .map(([all, isOpen]) => [...all.slice(0, isOpen ? 2 : 3), ...(isOpen ? [">"] : [])].join("."));
const patterns = fc.array(pattern, { maxLength: 3 });
// `c` stands for every token that no pattern names.
const SUBJECTS = ["a", "b", "c"].flatMap((one) => [
  one,
  ...["a", "b", "c"].flatMap((two) => [
    `${one}.${two}`,
    ...["a", "b", "c"].flatMap((three) => [
      `${one}.${two}.${three}`,
      ...["a", "b", "c"].map((four) => `${one}.${two}.${three}.${four}`),
    ]),
  ]),
]);

function matched(one: string): Set<string> {
  const expression = one.split(".").map((token) => (token === "*" ? "[^.]+" : token === ">" ? ".+" : token));
  const regExp = new RegExp(`^${expression.join(String.raw`\.`)}$`);
  return new Set(SUBJECTS.filter((subject) => regExp.test(subject)));
}

test("grants and denials of a pattern are those of all subjects that it matches", () => {
  const role = fc.constantFrom<Role>(...ROLES);
  fc.assert(
    fc.property(
      role,
      fc.option(patterns),
      patterns,
      pattern,
      fc.boolean(),
      (who, granted, denied, asked, isEnabled) => {
        const grants = granted === null ? undefined : { subscribe: granted };
        const rights = new Rights(who, grants, { subscribe: denied });
        const wanted = matched(asked);
        const isGranted = (granted ?? []).some((one) => {
          const has = matched(one);
          return [...wanted].every((subject) => has.has(subject));
        });
        const isDenied = denied.some((one) => [...matched(one)].some((subject) => wanted.has(subject)));
        const circumstance = { hasGrants: granted !== null, isGranted, isDenied, isEnabled };
        assert.equal(rights.may("subscribe", asked, isEnabled), isAllowed(who, "subscribe", circumstance));
      },
    ),
    { numRuns: 500 },
  );
});
