import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { LintelError } from "../../src/message/failure.ts";
import { checkPattern, checkSubject, hasWildcard, isPattern, isSubject } from "../../src/message/subject.ts";

const SUBJECTS = [
  "a",
  "orders",
  "orders.create",
  "a.b.c",
  "A-Z_0-9",
  "_INBOX.x",
  "-",
  "a".repeat(255),
  "1.2",
];
const PATTERNS_ONLY = ["*", ">", "a.*", "*.b", "a.>", "a.*.c", "*.*", "*.>", `${"a".repeat(253)}.*`];
const NEITHER = [
  "",
  ".",
  "a.",
  ".a",
  "a..b",
  "a b",
  "a\n",
  "a\u0000",
  "ä",
  "a/b",
  "a.b*",
  "a.*b",
  "**",
  "a.>.b",
  ">.a",
  ">>",
  "a>",
  "$SYS.a",
  "a%2eb",
  "a".repeat(256),
];

test("a table of subjects and patterns", () => {
  for (const text of SUBJECTS) {
    assert.equal(isSubject(text), true, text);
    assert.equal(isPattern(text), true, text);
    assert.equal(hasWildcard(text), false, text);
    assert.equal(checkSubject(text), text);
  }
  for (const text of PATTERNS_ONLY) {
    assert.equal(isSubject(text), false, text);
    assert.equal(isPattern(text), true, text);
    assert.equal(hasWildcard(text), true, text);
    assert.equal(checkPattern(text), text);
  }
  for (const text of NEITHER) {
    assert.equal(isSubject(text), false, JSON.stringify(text));
    assert.equal(isPattern(text), false, JSON.stringify(text));
  }
});

test("what is refused is refused as BAD_SUBJECT, in one printable line", () => {
  for (const text of [...NEITHER, "x\r\nset-cookie: a", "\u001b[2J", "y".repeat(10_000)]) {
    for (const check of [checkSubject, checkPattern]) {
      assert.throws(
        () => check(text),
        (error) => {
          assert.ok(error instanceof LintelError);
          assert.equal(error.code, "invalid_argument");
          assert.equal(error.reason, "BAD_SUBJECT");
          assert.ok(error.message.length < 400, "long input is clipped");
          assert.match(error.message, /^[^\p{Cc}]*$/u);
          return true;
        },
      );
    }
  }
});

const nearlySubject = fc.string({
  unit: fc.constantFrom("a", "Z", "9", "_", "-", ".", "*", ">", " ", "é"),
  maxLength: 12,
});
const aroundTheLimit = fc.integer({ min: 250, max: 260 }).map((length) => "ab.".repeat(100).slice(0, length));

test("isSubject and isPattern agree with a naive definition", () => {
  const isName = (token: string): boolean =>
    token !== "" && [...token].every((character) => /[A-Za-z0-9_-]/.test(character));
  fc.assert(
    fc.property(fc.oneof(nearlySubject, fc.string(), aroundTheLimit), (text) => {
      const tokens = text.split(".");
      const fits = text.length <= 255;
      assert.equal(isSubject(text), fits && tokens.every(isName));
      const legal = tokens.every(
        (token, index) => isName(token) || token === "*" || (token === ">" && index === tokens.length - 1),
      );
      assert.equal(isPattern(text), fits && legal);
    }),
    { numRuns: 2_000 },
  );
});
