import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { PatternTrie } from "../../src/collections/pattern-trie.ts";

const token = fc.constantFrom("a", "b", "constructor");
const subject = fc.array(token, { minLength: 1, maxLength: 4 }).map((tokens) => tokens.join("."));
const pattern = fc
  .tuple(fc.array(fc.oneof(token, fc.constant("*")), { maxLength: 4 }), fc.boolean())
  .map(([tokens, open]) => (open || tokens.length === 0 ? [...tokens, ">"] : tokens).join("."));

function matches(one: string, text: string): boolean {
  const source = one
    .split(".")
    .map((part) => (part === "*" ? "[^.]+" : part === ">" ? ".+" : part))
    .join("\\.");
  return new RegExp(`^${source}$`).test(text);
}

/** Sorts before what is less specific: token by token a literal, then `*`, then `>`. */
function rank(one: string): string {
  return one
    .split(".")
    .map((part) => (part === "*" ? "1" : part === ">" ? "2" : "0"))
    .join("");
}

test("finds what a regular expression for each pattern finds, the most specific first", () => {
  fc.assert(
    fc.property(
      fc.array(pattern, { maxLength: 12 }),
      fc.array(subject, { minLength: 1, maxLength: 6 }),
      (all, subjects) => {
        const trie = new PatternTrie<string>();
        for (const [index, one] of all.entries()) trie.add(one, `${index} ${one}`);
        for (const text of subjects) {
          const expected = all
            .map((one, index) => ({ value: `${index} ${one}`, one }))
            .filter(({ one }) => matches(one, text))
            .toSorted((a, b) => (rank(a.one) < rank(b.one) ? -1 : rank(a.one) > rank(b.one) ? 1 : 0))
            .map(({ value }) => value);
          assert.deepEqual(trie.match(text), expected);
        }
      },
    ),
    { numRuns: 2_000 },
  );
});

test("what is removed is no longer found, and nothing stays behind", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(pattern, fc.nat(2)), { maxLength: 12 }),
      fc.infiniteStream(fc.nat()),
      subject,
      (entries, order, text) => {
        const trie = new PatternTrie<number>();
        for (const [one, value] of entries) trie.add(one, value);
        const left = [...entries];
        while (left.length > 0) {
          const [[one, value]] = left.splice(order.next().value! % left.length, 1) as [[string, number]];
          assert.equal(trie.isEmpty, false);
          assert.ok(trie.remove(one, value));
          const expected = left.filter(([other]) => matches(other, text)).map(([, other]) => other);
          assert.deepEqual(
            trie.match(text).toSorted((a, b) => a - b),
            expected.toSorted((a, b) => a - b),
          );
        }
        assert.ok(trie.isEmpty);
      },
    ),
    { numRuns: 1_000 },
  );
});

test("removing what is not there changes nothing", () => {
  const trie = new PatternTrie<string>();
  trie.add("a.b", "x");
  for (const other of ["a", "a.b.c", "a.*", "a.>", ">", "a.b.>"])
    assert.equal(trie.remove(other, "x"), false, other);
  assert.equal(trie.remove("a.b", "y"), false);
  assert.deepEqual(trie.match("a.b"), ["x"]);
  assert.ok(trie.remove("a.b", "x"));
  assert.equal(trie.remove("a.b", "x"), false);
  assert.ok(trie.isEmpty);
});

test("a value added twice is there twice", () => {
  const trie = new PatternTrie<string>();
  trie.add("a", "x");
  trie.add("a", "x");
  trie.remove("a", "x");
  assert.deepEqual(trie.match("a"), ["x"]);
});
