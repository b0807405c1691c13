import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, it } from "node:test";
import { LintelError } from "../../src/message/failure.ts";
import { connect } from "../../src/peer/connect.ts";
import type { Context } from "../../src/peer/context.ts";
import type { Publication } from "../../src/peer/peer.ts";
import { TOPOLOGIES, type Stage } from "./topologies.ts";

/** The failure of a call that must fail. */
async function failureOf(call: Promise<unknown>): Promise<LintelError> {
  const error = await call.then(
    (value) => assert.fail(`it was answered: ${JSON.stringify(value)}`),
    (reason: unknown) => reason,
  );
  assert(error instanceof LintelError, `not a LintelError: ${String(error)}`);
  return error;
}

/** A handler that never answers, and a promise for the context of its first request. */
function stuck(): {
  handler: (value: unknown, context: Context) => Promise<never>;
  started: Promise<Context>;
} {
  let begin: ((context: Context) => void) | undefined;
  const started = new Promise<Context>((resolve) => {
    begin = resolve;
  });
  const handler = (_value: unknown, context: Context): Promise<never> => {
    begin?.(context);
    return new Promise<never>(() => undefined);
  };
  return { handler, started };
}

const VALUES: readonly unknown[] = [
  undefined,
  null,
  0,
  -1.5,
  true,
  "",
  "text with \u00fcml\u00e4uts and \u{1f6aa}",
  [1, [2, { three: 3 }]],
  { name: "Ada", nested: { list: [] } },
  JSON.parse('{"__proto__":{"polluted":true}}'),
];

for (const [name, build] of Object.entries(TOPOLOGIES)) {
  describe(`a peer, ${name}`, () => {
    const on = (title: string, run: (stage: Stage) => Promise<void>): void => {
      it(title, async () => {
        await using stage = await build({});
        await run(stage);
      });
    };

    on("carries every kind of value both ways", async ({ caller, worker }) => {
      await worker.serve("echo", (value) => value);
      for (const value of VALUES) assert.deepEqual(await caller.request("echo", value), value);
      const bytes = await caller.request<Uint8Array>("echo", Uint8Array.of(0, 255, 10));
      assert.deepEqual([...bytes], [0, 255, 10]);
      assert.equal((await caller.request<Uint8Array>("echo", new Uint8Array(300_000))).length, 300_000);
    });

    on("gives the handler values that nobody else can change", async ({ caller, worker }) => {
      const kept: { list: number[] }[] = [];
      await worker.serve("keep", (value: { list: number[] }) => {
        kept.push(value);
        value.list.push(9);
        return value;
      });
      const sent = { list: [1], gone: undefined, when: new Date(0) };
      const answer = await caller.request<{ list: number[] }>("keep", sent);
      assert.deepEqual(sent.list, [1]);
      assert.deepEqual(answer, { list: [1, 9], when: "1970-01-01T00:00:00.000Z" });
      assert.notEqual(answer.list, kept[0]!.list);
    });

    on("hands headers, subject, deadline and raw body to the handler", async ({ caller, worker }) => {
      await worker.serve("seen.*", (value, context) => ({
        value,
        subject: context.subject,
        traceparent: context.headers.get("TraceParent"),
        repeated: context.headers.getAll("x-many"),
        body: Buffer.from(context.body).toString(),
        left: context.deadline - Date.now(),
        http: context.http === undefined,
      }));
      const headers = { TraceParent: "00-1", "x-many": ["a", "b"] };
      const seen = await caller.request<Record<string, unknown>>(
        "seen.it",
        { n: 1 },
        { headers, timeoutMs: 5_000 },
      );
      const { left, ...rest } = seen;
      assert.deepEqual(rest, {
        value: { n: 1 },
        subject: "seen.it",
        traceparent: "00-1",
        repeated: ["a", "b"],
        body: '{"n":1}',
        http: true,
      });
      assert(typeof left === "number" && left > 3_000 && left <= 5_000, `left: ${String(left)}`);
    });

    on(
      "hands the handler's status and headers to a caller who asks for the full reply",
      async ({ caller, worker }) => {
        await worker.serve("full", (_value, context) => {
          context.reply.status = 201;
          context.reply.headers["x-shelf"] = "7";
          return { made: true };
        });
        const reply = await caller.request<{ made: boolean }>("full", undefined, { full: true });
        assert.deepEqual(reply.value, { made: true });
        assert.deepEqual({ ...reply.headers.toJSON() }, { ":status": "201", "x-shelf": "7" });
        assert.equal(Buffer.from(reply.body).toString(), '{"made":true}');
      },
    );

    on("gives the bytes of an answer that is not what its type says", async ({ caller, worker }) => {
      await worker.serve("liar", (_value, context) => {
        context.reply.headers["content-type"] = "application/json";
        return "no json";
      });
      const reply = await caller.request("liar", undefined, { full: true });
      assert.equal(Buffer.from(reply.body).toString(), "no json");
      assert.throws(() => reply.value, { reason: "BAD_PAYLOAD" });
      assert.equal((await failureOf(caller.request("liar"))).reason, "BAD_PAYLOAD");
    });

    on("keeps the code of a thrown LintelError and tells nothing of other errors", async (stage) => {
      const { caller, worker, errors } = stage;
      await worker.serve("fail.known", () => {
        throw new LintelError("not_found", "no such\norder", {
          reason: "NO_ORDER",
          retryable: true,
          details: { id: 7 },
        });
      });
      await worker.serve("fail.unknown", () => Promise.reject(new Error("password is hunter2")));
      const known = await failureOf(caller.request("fail.known"));
      assert.equal(known.code, "not_found");
      assert.equal(known.reason, "NO_ORDER");
      assert.equal(known.retryable, true);
      assert.deepEqual(known.details, { id: 7 });
      assert.match(known.message, /^no such\sorder$/);
      const unknown = await failureOf(caller.request("fail.unknown"));
      assert.equal(unknown.code, "internal");
      assert.equal(unknown.reason, "HANDLER_FAILED");
      assert.doesNotMatch(`${unknown.message} ${unknown.stack}`, /hunter2/);
      assert.match(String(errors[0]), /hunter2/);
    });

    on("fails at once when nobody serves the subject", async ({ caller }) => {
      const error = await failureOf(caller.request("nobody.here"));
      assert.equal(error.reason, "NO_RESPONDERS");
      assert.equal(error.retryable, true);
    });

    on("refuses illegal subjects, headers and timeouts", async ({ caller, worker }) => {
      for (const subject of ["", "a b", "a..b", "a.*", "a.>", "a\r\nb", "$SYS", "x".repeat(256)]) {
        assert.equal((await failureOf(caller.request(subject))).reason, "BAD_SUBJECT");
      }
      await assert.rejects(() => worker.serve("a b", () => 1), { reason: "BAD_SUBJECT" });
      await assert.rejects(() => worker.subscribe("a.>.b", () => 1), { reason: "BAD_SUBJECT" });
      const headers = { "x-split": "a\nb" };
      assert.equal((await failureOf(caller.request("x", 1, { headers }))).reason, "BAD_HEADER");
      await assert.rejects(caller.request("x", 1, { timeoutMs: Number.NaN }), RangeError);
    });

    on("fails at the deadline and fires the handler's signal", async ({ caller, worker }) => {
      const { handler, started } = stuck();
      await worker.serve("slow", handler);
      const begun = performance.now();
      const call = failureOf(caller.request("slow", 1, { timeoutMs: 60 }));
      const { signal } = await started;
      if (!signal.aborted) await once(signal, "abort");
      assert.equal((await call).reason, "DEADLINE");
      const took = performance.now() - begun;
      assert(took >= 55 && took < 160, `it took ${took} ms`);
      assert.equal((signal.reason as LintelError).reason, "DEADLINE");
    });

    on("fires the handler's signal when the caller gives up", async ({ caller, worker }) => {
      const { handler, started } = stuck();
      await worker.serve("slow", handler);
      const abort = new AbortController();
      const call = failureOf(caller.request("slow", 1, { signal: abort.signal }));
      const { signal } = await started;
      abort.abort(new Error("enough"));
      const error = await call;
      assert.equal(error.reason, "CALLER_GONE");
      assert.equal((error.cause as Error).message, "enough");
      if (!signal.aborted) await once(signal, "abort");
      assert.equal((signal.reason as LintelError).reason, "CALLER_GONE");
      const aborted = await failureOf(caller.request("slow", 1, { signal: AbortSignal.abort() }));
      assert.equal(aborted.reason, "CALLER_GONE");
    });

    on(
      "never holds more requests than the service's concurrency, and executes the rest later",
      async (stage) => {
        const { caller, worker } = stage;
        let running = 0;
        let most = 0;
        const handler = async (n: number): Promise<number> => {
          most = Math.max(most, ++running);
          await new Promise((resolve) => setImmediate(resolve));
          running--;
          return n;
        };
        await worker.serve("narrow", handler, { concurrency: 3 });
        const answers = await Promise.all(Array.from({ length: 50 }, (_, n) => caller.request("narrow", n)));
        assert.deepEqual(answers, [...answers.keys()]);
        assert.equal(most, 3);
      },
    );

    on("does not execute a request whose deadline passed while it was queued", async ({ caller, worker }) => {
      let release: (() => void) | undefined;
      const executed: unknown[] = [];
      const handler = (value: unknown): Promise<void> => {
        executed.push(value);
        return new Promise((resolve) => {
          release = resolve;
        });
      };
      await worker.serve("one", handler, { concurrency: 1 });
      const first = caller.request("one", "first");
      const late = failureOf(caller.request("one", "late", { timeoutMs: 30 }));
      assert.equal((await late).reason, "DEADLINE");
      release?.();
      await first;
      const third = caller.request("one", "third");
      while (executed.length < 2) await new Promise((resolve) => setImmediate(resolve));
      release?.();
      await third;
      assert.deepEqual(executed, ["first", "third"]);
    });

    on("delivers publications in order, once for each subscription", async ({ caller, worker }) => {
      const exact: number[] = [];
      const wide: string[] = [];
      await worker.subscribe("feed.b", (value: number) => exact.push(value));
      const done = new Promise<void>((resolve) => {
        void worker.subscribe("feed.>", (value: number, publication) => {
          wide.push(`${publication.subject}=${value}`);
          if (wide.length === 300) resolve();
        });
      });
      await worker.subscribe("other", () => assert.fail("not for this one"));
      const expected: string[] = [];
      for (let n = 0; n < 300; n++) {
        const subject = ["feed.a", "feed.b", "feed.c.d"][n % 3]!;
        expected.push(`${subject}=${n}`);
        await caller.publish(subject, n);
      }
      await done;
      assert.deepEqual(wide, expected);
      assert.equal(exact.length, 100);
    });

    on("iterates a subscription until it is closed", async ({ caller, worker }) => {
      const subscription = await worker.subscribe("ticks");
      const seen: Publication[] = [];
      for (const n of [1, 2, 3]) await caller.publish("ticks", { n }, { headers: { "x-n": String(n) } });
      for await (const publication of subscription) {
        seen.push(publication);
        if (seen.length === 3) break;
      }
      assert.deepEqual(
        seen.map(({ value, subject, headers }) => [value, subject, headers.get("x-n")]),
        [1, 2, 3].map((n) => [{ n }, "ticks", String(n)]),
      );
      assert.equal(Buffer.from(seen[0]!.body).toString(), '{"n":1}');
    });

    on("keeps going when a listener throws", async ({ caller, worker, errors }) => {
      const seen = new Promise((resolve) => {
        void worker.subscribe("risky", (value) => {
          if (value === "bad") throw new Error("listener broke");
          resolve(value);
        });
      });
      await caller.publish("risky", "bad");
      await caller.publish("risky", "good");
      assert.equal(await seen, "good");
      assert.match(String(errors[0]), /listener broke/);
    });

    on("finishes what it holds when a service closes, and hands new requests to others", async (stage) => {
      const { caller, worker, hub } = stage;
      let release: ((value: string) => void) | undefined;
      const service = await worker.serve(
        "shift",
        () => new Promise<string>((resolve) => (release = resolve)),
      );
      const held = caller.request("shift");
      while (release === undefined) await new Promise((resolve) => setImmediate(resolve));
      await hub.serve("shift", () => "other");
      const closed = service.close();
      while ((await caller.request("shift", undefined, { timeoutMs: 200 }).catch(() => "held")) !== "other");
      release("old");
      assert.equal(await held, "old");
      await closed;
    });

    on("fails what is under way when it closes, and everything after", async ({ caller, worker }) => {
      const { handler, started } = stuck();
      await worker.serve("slow", handler);
      const call = failureOf(caller.request("slow"));
      await started;
      await caller.close();
      assert.equal((await call).reason, "CLOSED");
      assert.equal((await failureOf(caller.request("slow"))).code, "failed_precondition");
      assert.throws(() => caller.publish("x", 1), { reason: "CLOSED" });
      await assert.rejects(() => caller.serve("x", () => 1), { reason: "CLOSED" });
      await assert.rejects(() => caller.subscribe("x", () => 1), { reason: "CLOSED" });
      await caller.close();
    });

    on("answers everything it has accepted before a drain ends", async ({ caller, worker }) => {
      await worker.serve("work", async (n: number) => {
        await new Promise((resolve) => setImmediate(resolve));
        return n;
      });
      const calls = Array.from({ length: 40 }, (_, n) => caller.request("work", n));
      await caller.drain();
      assert.equal((await Promise.all(calls)).length, 40);
      assert.equal((await failureOf(caller.request("work", 1))).code, "failed_precondition");
    });
  });
}

describe("connecting", () => {
  it("refuses at once a URL that no hub can have", async () => {
    for (const url of [
      "tcp://127.0.0.1",
      "tcp:nowhere",
      "unix:",
      "gopher://127.0.0.1:70",
      "127.0.0.1:4500",
    ]) {
      await assert.rejects(connect(url), TypeError, url);
    }
  });

  it("says in time that nobody listens", async () => {
    const begun = performance.now();
    await assert.rejects(connect("tcp://127.0.0.1:1", { timeoutMs: 100 }), (error: LintelError) => {
      assert.equal(error.reason, "NOT_CONNECTED");
      assert.match(error.message, /ECONNREFUSED/);
      return true;
    });
    assert(performance.now() - begun < 1_000);
  });
});
