import assert from "node:assert/strict";
import { test } from "node:test";
import {
  CODES,
  REASONS,
  httpStatus,
  isCode,
  type Code,
  type CodeRow,
  type Reason,
  type ReasonRow,
} from "../../src/message/status.ts";

const codes = Object.entries(CODES) as [Code, CodeRow][];
const reasons = Object.entries(REASONS) as [Reason, ReasonRow][];
const isHttpError = (status: number): boolean => Number.isInteger(status) && status >= 400 && status <= 599;

test("codes have the numbers of gRPC, each its own", () => {
  assert.deepEqual(
    codes.map(([, row]) => row.wire).toSorted((a, b) => a - b),
    Array.from({ length: 16 }, (_, index) => index + 1),
  );
  for (const [code, row] of codes) {
    assert.ok(isHttpError(row.http), code);
    assert.ok((row.close >= 4000 && row.close <= 4999) || [1008, 1011, 1013].includes(row.close), code);
  }
});

test("isCode knows the codes and nothing else", () => {
  for (const [code] of codes) assert.ok(isCode(code));
  for (const other of ["", "OK", "Internal", "constructor", "__proto__", 13, undefined, null, {}]) {
    assert.equal(isCode(other), false);
  }
});

test("every reason is well-formed and belongs to a code", () => {
  for (const [reason, row] of reasons) {
    assert.match(reason, /^[A-Z0-9_]{1,64}$/);
    assert.ok(isCode(row.code), reason);
    assert.match(row.text, /^[^\p{Cc}]+$/u);
    assert.equal(typeof row.retryable, "boolean");
    assert.equal(httpStatus({ code: row.code, reason }), row.http ?? CODES[row.code].http);
    assert.ok(isHttpError(httpStatus({ code: row.code, reason })), reason);
  }
});

test("the HTTP status of a reason counts only with its own code", () => {
  assert.equal(httpStatus({ code: "unavailable", reason: "WORKER_LOST" }), 502);
  assert.equal(httpStatus({ code: "not_found", reason: "WORKER_LOST" }), 404);
  assert.equal(httpStatus({ code: "resource_exhausted", reason: "QUEUE_FULL" }), 503);
  for (const reason of ["constructor", "__proto__", "toString", "MY_OWN", ""]) {
    assert.equal(httpStatus({ code: "already_exists", reason }), 409);
  }
});

test("only what was certainly not executed may be retried", () => {
  for (const reason of ["NO_RESPONDERS", "QUEUE_FULL", "IN_FLIGHT_FULL", "DRAINING"] as const) {
    assert.equal(REASONS[reason].retryable, true, reason);
  }
  for (const reason of ["WORKER_LOST", "DEADLINE", "HANDLER_FAILED", "CALLER_GONE"] as const) {
    assert.equal(REASONS[reason].retryable, false, reason);
  }
});
