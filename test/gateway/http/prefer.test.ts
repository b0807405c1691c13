import assert from "node:assert/strict";
import { test } from "node:test";
import { parsePrefer } from "../../../src/gateway/http/prefer.ts";
import { FakeClock } from "../../../src/testing/fake-clock.ts";
import { until } from "../../house/until.ts";
import { failure } from "../../../src/message/failure.ts";
import { openGateway, RawCaller, reasonOf, text } from "./harness.ts";

const ASYNC = { headers: { prefer: "respond-async" } };

test("Prefer is read leniently", () => {
  const table: [value: string, wait: number | undefined, respondAsync: boolean][] = [
    ["wait=10", 10, false],
    ["respond-async", undefined, true],
    ["Respond-Async, WAIT = 5", 5, true],
    ['wait="7"; foo=bar', 7, false],
    ["wait=1, wait=2", 1, false],
    ["wait=-1, wait=1.5, wait, wait=x", undefined, false],
    ["wait=9999999999999", undefined, false],
    ["respond-asynchronous, return=minimal", undefined, false],
    [",,;", undefined, false],
  ];
  for (const [value, wait, respondAsync] of table)
    assert.deepEqual(parsePrefer(value), { wait, respondAsync }, value);
});

test("wait shortens the timeout and never lengthens it", async (context) => {
  const gateway = await openGateway(context, { timeoutMs: 3_000 });
  const { jobs } = gateway.serve("x", () => text("ok"));
  for (const wait of ["2", "60"]) {
    const response = await fetch(`${gateway.url}/x`, { headers: { prefer: `wait=${wait}` } });
    assert.equal(response.headers.get("preference-applied"), `wait=${wait}`);
    assert.equal(await response.text(), "ok");
  }
  assert.deepEqual(
    jobs.map(({ timeoutMs }) => timeoutMs),
    [2_000, 3_000],
  );
  const now = await fetch(`${gateway.url}/x`, { headers: { prefer: "wait=0" } });
  assert.deepEqual([now.status, reasonOf(await now.text())], [504, "DEADLINE"]);
  assert.equal(jobs.length, 2);
});

test("an answer asked for later is pending, then there once", async (context) => {
  const gateway = await openGateway(context);
  const service = gateway.serve("x", () => undefined);
  const started = await fetch(`${gateway.url}/x`, { method: "POST", body: "b", ...ASYNC });
  assert.deepEqual([started.status, started.headers.get("preference-applied")], [202, "respond-async"]);
  const location = started.headers.get("location") ?? "";
  assert.match(location, /^\/\.lintel\/answers\/[A-Za-z0-9_-]{24}$/);
  const url = gateway.url + location;
  const pending = await fetch(url);
  assert.deepEqual([pending.status, pending.headers.get("retry-after")], [202, "1"]);
  const job = await service.next();
  service.registration.reply(job.number, text("made", ":status:201\nx-a:1\n"));
  for (let count = 0; count < 2; count++) {
    const head = await fetch(url, { method: "HEAD" });
    assert.deepEqual(
      [head.status, head.headers.get("x-a"), head.headers.get("content-length")],
      [201, "1", "4"],
    );
  }
  const answer = await fetch(url);
  assert.deepEqual([answer.status, await answer.text()], [201, "made"]);
  for (const method of ["GET", "DELETE"]) {
    const gone = await fetch(url, { method });
    assert.deepEqual([gone.status, reasonOf(await gone.text())], [404, "NO_SUCH_ANSWER"]);
  }
});

test("a failure is kept like an answer", async (context) => {
  const gateway = await openGateway(context);
  gateway.serve("x", () => failure("HANDLER_FAILED"));
  const started = await fetch(`${gateway.url}/x`, ASYNC);
  const answer = await fetch(gateway.url + (started.headers.get("location") ?? ""));
  assert.deepEqual([answer.status, reasonOf(await answer.text())], [500, "HANDLER_FAILED"]);
});

test("leaving after 202 cancels nothing, DELETE does", async (context) => {
  const gateway = await openGateway(context);
  const service = gateway.serve("x", () => undefined);
  const caller = new RawCaller(gateway.port).send(
    "GET /x HTTP/1.1\r\nHost: a\r\nPrefer: respond-async\r\n\r\n",
  );
  const location = (await caller.response())?.headers.get("location") ?? "";
  caller.socket.end();
  assert.equal(await caller.end(), "");
  assert.equal(gateway.engine.inFlight, 1);
  const { number } = await service.next();
  assert.equal((await fetch(gateway.url + location, { method: "DELETE" })).status, 204);
  assert.equal(await service.canceled(), number);
  assert.equal((await fetch(gateway.url + location)).status, 404);
});

test("with wait, only what takes longer becomes an answer for later", async (context) => {
  const clock = new FakeClock();
  const gateway = await openGateway(context, { clock });
  const service = gateway.serve("x", () => undefined);
  const prefer = { headers: { prefer: "respond-async, wait=5" } };
  const quick = fetch(`${gateway.url}/x`, prefer);
  const first = await service.next();
  assert.equal(first.timeoutMs, 30_000);
  service.registration.reply(first.number, text("quick"));
  assert.equal(await (await quick).text(), "quick");
  const slow = fetch(`${gateway.url}/x`, prefer);
  const second = await service.next();
  clock.advance(5_000);
  const later = await slow;
  assert.equal(later.status, 202);
  service.registration.reply(second.number, text("slow"));
  assert.equal(await (await fetch(gateway.url + (later.headers.get("location") ?? ""))).text(), "slow");
  const gone = new RawCaller(gateway.port).send(
    "GET /x HTTP/1.1\r\nHost: a\r\nPrefer: respond-async, wait=5\r\n\r\n",
  );
  const third = await service.next();
  gone.close();
  // Whether it is still there is asked after some milliseconds, and by the clock.
  let canceled: unknown;
  void service.canceled().then((number) => (canceled = number));
  await until(() => {
    clock.advance(1);
    return canceled !== undefined;
  });
  assert.equal(canceled, third.number);
  assert.equal(gateway.records.at(-1)?.reason, "CALLER_GONE");
});

test("answers are kept for a bounded time, number and size", async (context) => {
  const clock = new FakeClock();
  const gateway = await openGateway(context, {
    clock,
    asyncAnswers: { max: 3, keepMs: 1_000, maxBytes: 10 },
  });
  gateway.serve("x", (job) => text(job.body.toString()));
  const ask = async (body: string): Promise<Response> =>
    await fetch(`${gateway.url}/x`, { method: "POST", body, ...ASYNC });
  const look = async (started: Response): Promise<number> =>
    (await fetch(gateway.url + (started.headers.get("location") ?? ""), { method: "HEAD" })).status;
  const answers = [await ask("1234"), await ask("1234")];
  clock.advance(600);
  answers.push(await ask("12345"));
  assert.deepEqual(await Promise.all(answers.map(look)), [404, 200, 200], "the oldest gives way");
  answers.push(await ask(""));
  const refused = await ask("");
  assert.deepEqual([refused.status, refused.headers.get("retry-after")], [503, "1"]);
  assert.equal(reasonOf(await refused.text()), "IN_FLIGHT_FULL");
  clock.advance(600);
  assert.deepEqual(await Promise.all(answers.map(look)), [404, 404, 200, 200]);
  clock.advance(600);
  assert.deepEqual(await Promise.all(answers.map(look)), [404, 404, 404, 404]);
  assert.equal(clock.pending, 0);
});

test("unknown answers, methods and paths of the gateway's own", async (context) => {
  const gateway = await openGateway(context);
  const { jobs } = gateway.serve(">", () => text("served"));
  for (const path of ["/.lintel/answers/guess", "/.lintel/answers/", "/.lintel/", "/.lintel/other"]) {
    const response = await fetch(gateway.url + path);
    assert.deepEqual([response.status, reasonOf(await response.text())], [404, "NO_SUCH_ANSWER"], path);
  }
  const put = await fetch(`${gateway.url}/.lintel/answers/x`, { method: "PUT" });
  assert.deepEqual([put.status, put.headers.get("allow")], [405, "GET, HEAD, DELETE, OPTIONS"]);
  const options = await fetch(`${gateway.url}/.lintel/answers/x`, { method: "OPTIONS" });
  assert.equal(options.status, 204);
  assert.equal(jobs.length, 0);
});
