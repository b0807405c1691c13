import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { nameOf, subjectOf } from "../../src/message/foreign-name.ts";
import { isSubject } from "../../src/message/subject.ts";
import { seededRandom } from "../gateway/jobs/random.ts";

describe("names that are no subjects", () => {
  const names: readonly (readonly [name: string, subject: string])[] = [
    ["Chat", "Chat"],
    ["orders.create", "orders.create"],
    ["a-b--c", "a-b--c"],
    ["MSG:cq3", "MSG--3Acq3"],
    ["two words", "two--20words"],
    ["a..b", "a.--2Eb"],
    [".a", "--2Ea"],
    ["a.", "a--2E"],
    [".", "--2E"],
    ["..", "--2E--2E"],
    ["*", "--2A"],
    ["orders.>", "orders.--3E"],
    ["_hidden", "--5Fhidden"],
    ["a_b._c", "a_b._c"],
    ["é", "--C3--A9"],
    ["👋", "--F0--9F--91--8B"],
    ["a--20b", "a--2D-20b"],
    ["---20", "---2D-20"],
    ["a- b", "a---20b"],
    ["%20", "--2520"],
    ["\u0000", "--00"],
  ];
  for (const [name, subject] of names)
    test(`${JSON.stringify(name)} is ${subject}`, () => {
      assert.equal(subjectOf(name), subject);
      assert.equal(nameOf(subject), name);
    });

  test("a name without a subject has none", () => {
    for (const name of ["", "x".repeat(256), " ".repeat(64), "\ud800", "a\udc00b"])
      assert.equal(subjectOf(name), undefined);
  });

  test("a subject that stands for no other name is its own", () => {
    for (const subject of ["a--2", "a--41", "a--FF", "a--2Eb", "--2D", "a--c3"])
      assert.equal(nameOf(subject), subject);
  });

  test("every name comes back from its subject, and no two have the same", () => {
    const parts = ["-", "--", "2", "20", "2D", "A", "a", ".", "_", " ", ":", "é", "*", ">"];
    const texts = fc.oneof(
      fc.string({ unit: "binary", maxLength: 40 }),
      fc.array(fc.constantFrom(...parts), { maxLength: 12 }).map((tokens) => tokens.join("")),
    );
    const seen = new Map<string, string>();
    fc.assert(
      fc.property(texts, (name) => check(name, seen)),
      { numRuns: 500 },
    );
    const seed = Math.trunc(Math.random() * 2 ** 32);
    const random = seededRandom(seed);
    for (let round = 0; round < 100_000; round++) {
      const length = Math.trunc(random() * 12);
      const tokens = Array.from({ length }, () => parts[Math.trunc(random() * parts.length)]);
      check(tokens.join(""), seen, `seed ${seed}, round ${round}`);
    }
  });
});

/** `seen`: names by subject. */
function check(name: string, seen: Map<string, string>, where?: string): void {
  const subject = subjectOf(name);
  if (subject === undefined) return;
  assert.ok(isSubject(subject), where);
  assert.equal(nameOf(subject), name, where);
  assert.equal(seen.get(subject) ?? name, name, where);
  seen.set(subject, name);
  if (isSubject(name) && name[0] !== "_" && !/--[0-9A-F]{2}/.test(name)) assert.equal(subject, name, where);
}
