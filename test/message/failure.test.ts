import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { LintelError, failure, type Failure } from "../../src/message/failure.ts";
import { CODES, REASONS, type Code, type Reason } from "../../src/message/status.ts";

const codes = Object.keys(CODES) as Code[];
const reasons = Object.keys(REASONS) as Reason[];
const reasonText = fc.string({ unit: fc.constantFrom("A", "Z", "0", "9", "_"), minLength: 1, maxLength: 64 });

test("an error keeps what it says on its way to the caller", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...codes),
      fc.string(),
      reasonText,
      fc.boolean(),
      fc.option(fc.jsonValue(), { nil: undefined }),
      (code, message, reason, retryable, details) => {
        const sent = new LintelError(code, message, { reason, retryable, details });
        const arrived = LintelError.from(sent.toFailure());
        assert.equal(arrived.code, code);
        assert.equal(arrived.message, message);
        assert.equal(arrived.reason, reason);
        assert.equal(arrived.retryable, retryable);
        assert.deepEqual(
          arrived.details,
          details === undefined ? undefined : JSON.parse(JSON.stringify(details)),
        );
      },
    ),
  );
});

test("every reason of the table makes a failure and an error that say the same", () => {
  for (const reason of reasons) {
    const row = REASONS[reason];
    assert.deepEqual(failure(reason), {
      code: row.code,
      reason,
      message: row.text,
      retryable: row.retryable,
    });
    assert.equal(failure(reason, "other words").message, "other words");
    const cause = new Error("why");
    const error = LintelError.of(reason, undefined, cause);
    assert.deepEqual(error.toFailure(), failure(reason));
    assert.equal(error.cause, cause);
    assert.equal(error.name, "LintelError");
    assert.ok(error instanceof Error);
  }
});

test("what an error leaves open has a default", () => {
  const error = new LintelError("not_found", "no such order");
  assert.equal(error.reason, "NOT_FOUND");
  assert.equal(error.retryable, false);
  assert.equal(error.details, undefined);
  assert.equal(Object.hasOwn(error, "cause"), false);
  assert.deepEqual(error.toFailure(), {
    code: "not_found",
    reason: "NOT_FOUND",
    message: "no such order",
    retryable: false,
  });
});

test("codes and reasons that are none are the programmer's mistake", () => {
  for (const code of ["NOT_FOUND", "", "constructor", "toString", undefined, 5]) {
    assert.throws(() => new LintelError(code as Code, "x"), TypeError, String(code));
  }
  for (const reason of ["", "lower", "A B", "A\n", "A".repeat(65), "Ä"]) {
    assert.throws(() => new LintelError("internal", "x", { reason }), TypeError, reason);
  }
});

test("details that are no JSON are left out, the error arrives", () => {
  const cyclic: Record<string, unknown> = {};
  cyclic["self"] = cyclic;
  const hostile = {
    toJSON() {
      throw new Error("no");
    },
  };
  for (const details of [cyclic, 1n, { deep: [1n] }, () => 1, Symbol("s"), hostile]) {
    const arrived = LintelError.from(new LintelError("aborted", "text", { details }).toFailure());
    assert.equal(arrived.code, "aborted");
    assert.equal(arrived.details, undefined);
  }
});

test("garbled details or a garbled reason do not hide the error", () => {
  const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);
  for (const details of [bytes(), bytes(0xff, 0xfe), bytes(0x7b), bytes(0, 0), bytes(0x22, 0xc3)]) {
    const arrived: Failure = { code: "internal", reason: "MINE", message: "m", retryable: true, details };
    const error = LintelError.from(arrived);
    assert.deepEqual(
      [error.code, error.reason, error.message, error.retryable],
      ["internal", "MINE", "m", true],
    );
    assert.equal(error.details, undefined);
  }
  for (const reason of ["", "a b", "x\ny", "A".repeat(65)]) {
    assert.equal(
      LintelError.from({ code: "data_loss", reason, message: "", retryable: false }).reason,
      "DATA_LOSS",
    );
  }
});

test("details a million deep do no harm", () => {
  const depth = 1_000_000;
  const details = new TextEncoder().encode("[".repeat(depth) + "]".repeat(depth));
  assert.equal(
    LintelError.from({ code: "internal", reason: "X", message: "", retryable: false, details }).code,
    "internal",
  );
});
