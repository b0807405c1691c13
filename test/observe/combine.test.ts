import assert from "node:assert/strict";
import { test } from "node:test";
import { observerOf } from "../../src/observe/callbacks.ts";
import { anObserver, combineObservers, reportFirst } from "../../src/observe/combine.ts";
import type { Observer, SettledRequest } from "../../src/observe/observer.ts";
import { failure } from "../../src/message/failure.ts";

const REQUEST: SettledRequest = {
  subject: "a",
  gateway: "process",
  remote: undefined,
  principal: undefined,
  code: "ok",
  reason: undefined,
  worker: undefined,
  attempts: 0,
  timeoutMs: 1,
  queuedMs: 0,
  workerMs: 0,
};

function fails(): never {
  throw new Error("must not be reported");
}

test("what nobody wants to hear has no method, and without any there is no observer", () => {
  assert.equal(combineObservers([undefined, {}, observerOf({})], fails), undefined);
  const combined = combineObservers([{ published: () => undefined }], fails);
  assert.deepEqual(Object.keys(combined!), ["published"]);
});

test("all observers hear what is told, as methods of their own", () => {
  class Counter implements Observer {
    readonly heard: unknown[] = [];
    settled(request: SettledRequest): void {
      this.heard.push(request);
    }
    dropped(...values: unknown[]): void {
      this.heard.push(values);
    }
  }
  const [one, other] = [new Counter(), new Counter()];
  const combined = combineObservers([one, other], fails);
  combined!.settled!(REQUEST);
  combined!.dropped!("a", 2, "oldest");
  assert.deepEqual(one.heard, [REQUEST, ["a", 2, "oldest"]]);
  assert.deepEqual(other.heard, one.heard);
  assert.equal(one.heard[0], REQUEST);
});

test("what a method throws or rejects with is reported the first time, and others hear all", async () => {
  const reported: string[] = [];
  let heard = 0;
  const combined = combineObservers(
    [
      {
        settled: () => {
          throw new Error("thrown");
        },
        published: () => Promise.reject(new Error("rejected")) as unknown as undefined,
      },
      { settled: () => void heard++ },
    ],
    reportFirst((error, method) => void reported.push(`${method} ${(error as Error).message}`)),
  );
  for (let index = 0; index < 3; index++) {
    combined!.settled!(REQUEST);
    combined!.published!("a", 1);
  }
  await Promise.resolve();
  assert.deepEqual(reported, ["settled thrown", "published rejected"]);
  assert.equal(heard, 3);
});

test("the callbacks for sessions hear of sessions, not of what other gateways do", () => {
  const heard: string[] = [];
  const combined = combineObservers(
    [
      observerOf({
        onSession: (...values) => void heard.push(`session ${values.map(String).join(" ")}`),
        onService: (...values) => void heard.push(`service ${values.join(" ")}`),
        onPoll: (...values) => void heard.push(`poll ${values.join(" ")}`),
      }),
    ],
    fails,
  );
  const from = { gateway: "native", remote: "tcp://x", principal: undefined };
  combined!.session!({ event: "opened", ...from, why: undefined });
  combined!.session!({ event: "closed", ...from, why: failure("CLOSED") });
  const service = { kind: "service", pattern: "a.>", queue: "" } as const;
  combined!.registration!({ event: "added", ...service, ...from });
  combined!.registration!({ event: "added", ...service, ...from, gateway: "grpc" });
  combined!.registration!({ event: "added", ...service, ...from, kind: "subscription" });
  combined!.registration!({ event: "removed", ...service, ...from });
  combined!.poll!({ event: "polled", subject: "b" });
  assert.deepEqual(heard, [
    "session opened tcp://x",
    "session closed tcp://x [object Object]",
    "service serving a.> tcp://x",
    "service left a.> tcp://x",
    "poll polled b",
  ]);
});

test("an observer is an object whose methods are functions", () => {
  for (const right of [undefined, {}, { settled() {} }, { other: 5 }, { settled: undefined }])
    assert.equal(anObserver(right), undefined);
  for (const wrong of [null, 5, () => undefined, { settled: 5 }, { dropped: "x" }])
    assert.match(anObserver(wrong) ?? "", /an object with functions/);
});
