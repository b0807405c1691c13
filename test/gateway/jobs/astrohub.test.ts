/** `compat: astrohub`: what the original's workers and callers rely on. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { isServiceName } from "../../../src/gateway/jobs/options.ts";
import { nameOfSubject, subjectOfSegment } from "../../../src/gateway/jobs/service-names.ts";
import { seededRandom } from "./random.ts";
import { openHarness, problemOf } from "./harness.ts";

const COMPAT = { jobs: { compat: "astrohub", waitMs: 30 } } as const;

/** Path segments, and the subjects that stand for them. */
const NAMES: readonly (readonly [segment: string, subject: string])[] = [
  ["upper", "upper"],
  ["Image.Resize", "Image.Resize"],
  ["a-b_c", "a-b_c"],
  ["%61", "a"],
  ["astrohub_x", "astrohub_x"],
  ["a%20b", "astrohub_a_20b"],
  ["caf%C3%A9", "astrohub_caf_C3_A9"],
  ["a:b@c", "astrohub_a_3Ab_40c"],
  ["_int", "astrohub__5Fint"],
  ["a..b", "astrohub_a_2E_2Eb"],
  [".a", "astrohub__2Ea"],
  ["a.", "astrohub_a_2E"],
  ["*", "astrohub__2A"],
  ["a.%3E", "astrohub_a_2E_3E"],
  ["%25", "astrohub__25"],
  ["$SYS", "astrohub__24SYS"],
  ["astrohub_a_20b", "astrohub_astrohub_5Fa_5F20b"],
];

test("every name has a subject of its own, from which it can be told", () => {
  for (const [segment, subject] of NAMES) {
    assert.equal(subjectOfSegment(segment), subject, segment);
    assert.ok(isServiceName(subject), subject);
    assert.equal(nameOfSubject(subject), decodeURIComponent(segment));
  }
  const long = subjectOfSegment("é".repeat(2_000))!;
  assert.ok(isServiceName(long));
  assert.notEqual(long, subjectOfSegment("é".repeat(2_001)));
  assert.notEqual(subjectOfSegment(long), long);
  assert.equal(subjectOfSegment("x".repeat(255)), "x".repeat(255));
  for (const none of ["", ".", "%2e%2E", "%zz", "%C3", "a%00", "a%0Ab"])
    assert.equal(subjectOfSegment(none), undefined);
  const seed = Date.now() % 1_000_000;
  const random = seededRandom(seed);
  const alphabet = ["a", "Z", "_", ".", "-", "é", "2", "0", "F", " ", "astrohub_", "_5F", "*", "%"];
  const names = new Map<string, string>();
  for (let round = 0; round < 3_000; round++) {
    let name = "";
    for (let length = 1 + random() * 6; length > 0; length--)
      name += alphabet[Math.floor(random() * alphabet.length)];
    const subject = subjectOfSegment(encodeURIComponent(name));
    if (subject === undefined) continue; // a dot segment
    assert.equal(nameOfSubject(subject), name, `seed ${seed}`);
    assert.equal(names.get(subject) ?? name, name, `seed ${seed}: ${subject} stands for two`);
    names.set(subject, name);
  }
});

test("requests and polls of every name meet, and both paths answer", async (context) => {
  const harness = await openHarness(context, { jobs: { compat: "astrohub" } });
  const segments = [...NAMES.map(([segment]) => segment), "é".repeat(500), "x".repeat(1_000)];
  for (const [index, name] of segments.entries()) {
    const asked = harness.ask(name, "body");
    const { id, originalRequest } = await harness.poll(name);
    assert.equal(originalRequest, Buffer.from("body").toString("base64"), name);
    const answer = await harness.post(index % 2 === 0 ? `/jobs/${id}` : `/jobs/${id}/response`, "done");
    assert.deepEqual([answer.status, await answer.text()], [200, ""], name);
    assert.equal(await (await asked).text(), "done", name);
  }
});

test("a poll that gets no job ends with a status above 204, unless it asks for a form of Lintel", async (context) => {
  const harness = await openHarness(context, COMPAT);
  for (const query of ["", "?wait=0", "?foo=1&bar", "?foo=1&wait=10ms"])
    assert.deepEqual(
      await problemOf(await harness.call(`/service/a/jobs${query}`)),
      [408, "REQUEST_TIMEOUT"],
      query,
    );
  const own = { headers: { accept: "application/json" } };
  assert.equal((await harness.call("/service/a/jobs", own)).status, 204);
});

test("parameters that AstroHub does not know are ignored in answers, too", async (context) => {
  const harness = await openHarness(context, { jobs: { compat: "astrohub" } });
  const asked = harness.ask("a", "body");
  const { id } = await harness.poll("a", "?foo=1&foo=2");
  assert.equal((await harness.post(`/jobs/${id}/response?foo=1`, "done")).status, 200);
  assert.equal(await (await asked).text(), "done");
});

test("without it nothing of that holds", async (context) => {
  const harness = await openHarness(context, { jobs: { waitMs: 30 } });
  assert.equal((await harness.call("/service/a/jobs")).status, 204);
  const asked = { headers: { accept: "application/vnd.astrohub+json" } };
  assert.equal((await harness.call("/service/a/jobs", asked)).status, 204);
  assert.equal((await harness.call("/service/a/jobs?foo=1")).status, 400);
  for (const name of ["a:b@c", "_int", "a%20b", "caf%C3%A9"]) {
    assert.deepEqual(await problemOf(await harness.call(`/service/${name}/jobs`)), [400, "BAD_SUBJECT"]);
    assert.deepEqual(await problemOf(await harness.ask(name)), [400, "BAD_SUBJECT"]);
  }
});
