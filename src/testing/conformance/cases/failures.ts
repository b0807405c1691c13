import assert from "node:assert/strict";
import { inspect } from "node:util";
import { LintelError } from "../../../message/failure.ts";
import { MAX_SUBJECT } from "../../../message/limits.ts";
import type { Case } from "../case.ts";
import { failureOf, later } from "../waiting.ts";

const ILLEGAL = [
  "",
  " ",
  "a b",
  "a..b",
  ".a",
  "a.",
  "a.*",
  "a.>",
  "a\r\nb",
  "a\u0000b",
  "$SYS",
  "\u00e4",
  "a/b",
];
/** One of the program's, which is in no table of ours. */
const OWN_REASON = "NO_ORDER";
/** Legal, and the names of what every object or every map has. */
const HOSTILE = [
  "__proto__",
  "constructor.prototype",
  "toString",
  "hasOwnProperty",
  "then",
  "0",
  "-1",
  "NaN",
];

export const FAILURES: readonly Case[] = [
  {
    name: "keeps code, reason, text, retryable and details of a thrown LintelError",
    needs: [],
    async run({ caller, worker, subject, write }) {
      await worker.serve(subject("known"), () => {
        throw new LintelError("not_found", "no such\norder", {
          reason: OWN_REASON,
          retryable: true,
          details: { id: 7, list: [null, "\u00fc"] },
        });
      });
      const error = await failureOf(caller.request(subject("known"), write(1)));
      assert.equal(error.code, "not_found");
      assert.equal(error.reason, OWN_REASON);
      assert.equal(error.retryable, true);
      assert.deepEqual(error.details, { id: 7, list: [null, "\u00fc"] });
      assert.match(error.message, /^no such\sorder$/);
    },
  },
  {
    name: "tells the operator of any other error, and the caller nothing",
    needs: [],
    async run({ caller, worker, errors, subject, write }) {
      await worker.serve(subject("unknown"), () => Promise.reject(new Error("password is hunter2")));
      const error = await failureOf(caller.request(subject("unknown"), write(1)));
      assert.equal(error.code, "internal");
      assert.equal(error.reason, "HANDLER_FAILED");
      assert.doesNotMatch(inspect(error), /hunter2/);
      assert.match(inspect(errors), /hunter2/);
    },
  },
  {
    name: "fails at once when nobody serves the subject",
    needs: [],
    async run({ caller, subject, write }) {
      const error = await failureOf(caller.request(subject("nobody"), write(1)));
      assert.equal(error.code, "unavailable");
      assert.equal(error.reason, "NO_RESPONDERS");
      assert.equal(error.retryable, true);
    },
  },
  {
    name: "refuses illegal subjects, patterns, headers and timeouts",
    needs: [],
    async run({ caller, worker, subject }) {
      for (const illegal of [...ILLEGAL, "x".repeat(MAX_SUBJECT + 1)]) {
        assert.equal((await failureOf(caller.request(illegal))).reason, "BAD_SUBJECT", illegal);
        assert.throws(() => caller.publish(illegal), { reason: "BAD_SUBJECT" }, illegal);
      }
      for (const illegal of ["a b", "a.>.b", "*a", ">>", ""]) {
        await assert.rejects(() => worker.serve(illegal, () => 1), { reason: "BAD_SUBJECT" });
        await assert.rejects(() => worker.subscribe(illegal, () => 1), { reason: "BAD_SUBJECT" });
      }
      const headers = { "x-split": "a\nb" };
      assert.equal((await failureOf(caller.request(subject("x"), 1, { headers }))).reason, "BAD_HEADER");
      await assert.rejects(caller.request(subject("x"), 1, { timeoutMs: Number.NaN }), RangeError);
    },
  },
  {
    name: "takes hostile names for subjects like any other",
    needs: [],
    async run({ caller, worker, subject, write, read }) {
      const longest = subject("long").padEnd(MAX_SUBJECT, "x");
      for (const name of [...HOSTILE.map((hostile) => `${hostile}.${subject("s")}`), longest]) {
        assert.equal((await failureOf(caller.request(name, write(1)))).reason, "NO_RESPONDERS", name);
        const heard = later<unknown>();
        await worker.subscribe(name, heard.resolve);
        const service = await worker.serve(name, (value) => value);
        assert.equal(read(await caller.request(name, write(2))).n, 2, name);
        await caller.publish(name, write(3));
        assert.equal(read(await heard.promise).n, 3, name);
        await service.close();
      }
    },
  },
];
