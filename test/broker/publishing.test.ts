import assert from "node:assert/strict";
import { test } from "node:test";
import { LintelError } from "../../src/message/failure.ts";
import { Listener, Harness } from "./harness.ts";

function listen(harness: Harness, log: string[], pattern: string, name = pattern) {
  const listener = new Listener(name, log);
  return { listener, subscription: harness.broker.subscribe(pattern, listener) };
}

test("each subscriber gets what its pattern matches, in order", () => {
  const harness = new Harness();
  const log: string[] = [];
  for (const pattern of ["a.b", "a.*", "a.>", ">", "b.b"]) listen(harness, log, pattern);
  harness.publish("a.b", "1");
  harness.publish("a.c", "2");
  harness.publish("a.b", "3");
  const of = (name: string): string[] =>
    log.filter((line) => line.startsWith(`${name} `)).map((line) => line.at(-1)!);
  assert.deepEqual(of("a.b"), ["1", "3"]);
  for (const pattern of ["a.*", "a.>", ">"]) assert.deepEqual(of(pattern), ["1", "2", "3"]);
  assert.deepEqual(of("b.b"), []);
  assert.equal(harness.broker.stats.publications, 3);
  assert.equal(harness.broker.stats.deliveries, 11);
});

test("a subscriber with several matching patterns gets one copy", () => {
  const harness = new Harness();
  const log: string[] = [];
  const listener = new Listener("one", log);
  const subscriptions = ["a.b", "a.*", ">", "a.b"].map((pattern) =>
    harness.broker.subscribe(pattern, listener),
  );
  for (const subscription of subscriptions) {
    log.length = 0;
    harness.publish("a.b", "x");
    assert.deepEqual(log, ["one a.b x"]);
    subscription.close();
    subscription.close();
  }
  log.length = 0;
  harness.publish("a.b", "x");
  assert.deepEqual(log, []);
});

test("a subscriber that closes itself inside deliver gets no more, the others all", () => {
  const harness = new Harness();
  const log: string[] = [];
  const first = listen(harness, log, "a", "first");
  listen(harness, log, "a", "second");
  first.listener.onDeliver = () => first.subscription.close();
  harness.publish("a", "1");
  harness.publish("a", "2");
  assert.deepEqual(log, ["first a 1", "second a 1", "second a 2"]);
});

test("a subscriber that subscribes inside deliver gets what is published afterwards", () => {
  const harness = new Harness();
  const log: string[] = [];
  const first = listen(harness, log, "a", "first");
  first.listener.onDeliver = () => {
    first.listener.onDeliver = undefined;
    listen(harness, log, "a", "late");
  };
  harness.publish("a", "1");
  harness.publish("a", "2");
  assert.deepEqual(log, ["first a 1", "first a 2", "late a 2"]);
});

test("what a subscriber publishes inside deliver reaches everybody", () => {
  const harness = new Harness();
  const log: string[] = [];
  const first = listen(harness, log, "a.*", "first");
  listen(harness, log, "a.*", "second");
  first.listener.onDeliver = (text) => {
    if (text === "1") harness.publish("a.echo", "2");
  };
  harness.publish("a.b", "1");
  assert.deepEqual(log.toSorted(), ["first a.b 1", "first a.echo 2", "second a.b 1", "second a.echo 2"]);
});

test("a route made before the registrations sees them", () => {
  const harness = new Harness();
  const log: string[] = [];
  const route = harness.broker.route("a.b");
  assert.equal(route, harness.broker.route("a.b"));
  harness.publish("a.b", "nobody");
  const { subscription } = listen(harness, log, "a.>");
  harness.publish("a.b", "1");
  subscription.close();
  harness.publish("a.b", "2");
  assert.deepEqual(log, ["a.> a.b 1"]);
  harness.request("a.b");
  const worker = harness.serve("a.b");
  harness.request("a.b");
  assert.deepEqual(worker.texts, ["2"]);
});

test("publications do not reach workers, nor requests subscribers", () => {
  const harness = new Harness();
  const log: string[] = [];
  listen(harness, log, "a");
  const worker = harness.serve("a");
  harness.publish("a", "1");
  harness.request("a");
  assert.deepEqual(log, ["a a 1"]);
  assert.deepEqual(worker.texts, ["1"]);
});

test("a request goes to the most specific pattern that has a worker", () => {
  const harness = new Harness();
  const patterns = [">", "a.>", "*.b.c", "a.*.c", "a.b.*", "a.b.c"];
  const workers = patterns.map((pattern) => harness.serve(pattern));
  for (let count = workers.length; count > 0; count--) {
    const before = workers.map((worker) => worker.executed.length);
    harness.request("a.b.c");
    const got = workers.findIndex((worker, index) => worker.executed.length > before[index]!);
    const expected = ["a.b.c", "a.b.*", "a.*.c", "a.>", "*.b.c", ">"][workers.length - count];
    assert.equal(patterns[got], expected);
    void workers[got]!.registration.leave();
  }
  harness.request("a.b.c");
  assert.equal(harness.outcomes.at(-1), "NO_RESPONDERS");
});

test("a busy specific worker is waited for, not gone around", () => {
  const harness = new Harness();
  const specific = harness.serve("a.b", { concurrency: 1 });
  const general = harness.serve("a.*");
  harness.request("a.b");
  harness.request("a.b");
  assert.deepEqual(general.texts, []);
  specific.reply();
  assert.deepEqual(specific.texts, ["1", "2"]);
});

test("subjects and patterns are checked where they come in", () => {
  const harness = new Harness();
  const isBadSubject = (error: unknown): boolean =>
    error instanceof LintelError && error.reason === "BAD_SUBJECT";
  for (const subject of ["", "a.*", ">", "a b", "a..b"])
    assert.throws(() => harness.broker.route(subject), isBadSubject);
  for (const pattern of ["", "a.>.b", "a b", "a..b"]) {
    assert.throws(() => harness.serve(pattern), isBadSubject);
    assert.throws(() => harness.broker.subscribe(pattern, new Listener("x", [])), isBadSubject);
  }
});
