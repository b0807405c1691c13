import assert from "node:assert/strict";
import { test } from "node:test";
import { covers, overlap, problemOfGrants } from "../../src/access/grants.ts";
import { Rights } from "../../src/access/rights.ts";

const TOKENS = ["a", "b"];

/** All sequences of these tokens with 1 to `most` members. */
function sequences(tokens: readonly string[], most: number): string[][] {
  let last: string[][] = [[]];
  const all: string[][] = [];
  for (let length = 1; length <= most; length++) {
    last = last.flatMap((before) => tokens.map((token) => [...before, token]));
    all.push(...last);
  }
  return all;
}

// What patterns of at most three tokens tell apart, subjects of at most four tokens of three letters tell apart: `c` stands
// for every token that no pattern names.
const SUBJECTS = sequences([...TOKENS, "c"], 4);
const PATTERNS = [
  ...sequences([...TOKENS, "*"], 3).map((tokens) => tokens.join(".")),
  ...[[], ...sequences([...TOKENS, "*"], 2)].map((tokens) => [...tokens, ">"].join(".")),
];

function matches(pattern: string, subject: readonly string[]): boolean {
  const tokens = pattern.split(".");
  if (tokens.at(-1) === ">" ? subject.length < tokens.length : subject.length !== tokens.length) return false;
  return tokens.every((token, index) => token === ">" || token === "*" || token === subject[index]);
}

test("covers and overlap say what matching every subject says", () => {
  const matched = new Map(
    PATTERNS.map((pattern) => [pattern, SUBJECTS.map((subject) => matches(pattern, subject))]),
  );
  for (const one of PATTERNS)
    for (const other of PATTERNS) {
      const first = matched.get(one)!;
      const second = matched.get(other)!;
      const isCovered = second.every((isIn, index) => !isIn || first[index]!);
      const isShared = second.some((isIn, index) => isIn && first[index]!);
      assert.equal(covers(one, other), isCovered, `${one} covers ${other}`);
      assert.equal(overlap(one, other), isShared, `${one} and ${other} overlap`);
    }
});

test("roles may what their table says, and grants narrow them", () => {
  const may = (rights: Rights, verb: "request" | "serve" | "subscribe" | "admin", enabled = false): boolean =>
    rights.may(verb, "a.b", enabled);
  assert.ok(may(new Rights("service", undefined), "serve"));
  assert.ok(!may(new Rights("service", undefined), "admin"));
  assert.ok(!may(new Rights("service", { request: ["a.>"] }), "serve"));
  assert.ok(may(new Rights("service", { request: ["a.>"] }), "request"));
  assert.ok(!may(new Rights("client", undefined), "request"));
  assert.ok(may(new Rights("client", undefined), "request", true));
  assert.ok(!may(new Rights("client", undefined, { request: ["a.>"] }), "request", true));
  assert.ok(!may(new Rights("service", { request: ["x"] }), "request", true));
  assert.ok(may(new Rights("observer", undefined), "subscribe"));
  assert.ok(!may(new Rights("observer", { request: [">"] }), "request"));
  assert.ok(may(new Rights("admin", undefined), "admin"));
  assert.ok(!may(new Rights("admin", undefined, { admin: [">"] }), "admin"));
});

test("a pattern is granted as a whole, and denied when any of it is", () => {
  const rights = new Rights("service", { subscribe: ["a.>"] }, { subscribe: ["a.secret.>"] });
  assert.ok(rights.may("subscribe", "a.b", false));
  assert.ok(rights.may("subscribe", "a.b.*", false));
  assert.ok(!rights.may("subscribe", ">", false));
  assert.ok(!rights.may("subscribe", "*.b", false));
  assert.ok(!rights.may("subscribe", "a.>", false));
  assert.ok(!rights.may("subscribe", "a.*.x", false));
});

test("says what is wrong with grants", () => {
  assert.equal(problemOfGrants({ request: ["a.>", "*"] }), undefined);
  for (const wrong of [7, null, [], "request", { requests: [] }, { request: "a" }, { request: ["a..b"] }])
    assert.equal(typeof problemOfGrants(wrong), "string", JSON.stringify(wrong));
});
