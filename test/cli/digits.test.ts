/** Values that the hub and the command line only pass on arrive with every digit, in their order, on every way. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { LintelError, connect, createHub, type Hub, type Peer } from "../../src/index.ts";
import type { Codec } from "../../src/codec/codec.ts";
import { until } from "../house/until.ts";
import { lintel, start, type Running } from "./cli-process.ts";

/** JSON that a parser and a printer would change. */
const VALUES = [
  "12345678901234567890",
  "1.0",
  "1e400",
  "-0",
  "0.1000",
  "1E+2",
  '{"a":1.0,"b":[1e2,-0.0,{"c":3.10}]}',
  '{"b":1,"a":2,"10":3,"9":4}',
  '{"a":1,"a":2.50}',
  '{"__proto__":{"x":1.0},"constructor":2}',
  '{ "spaced" : [ 1.0 ,  2 ] }',
  '"text, \\u00e9 and 1.0"',
];

/** What writes JSON as it is given, to send what no value of JavaScript is. */
const verbatim: Codec = {
  name: "verbatim",
  contentType: "application/json",
  supports: { kinds: ["object"], depth: 128, empty: false, strict: true },
  encode: (value) => (value as { readonly text: string }).text,
  decode: (bytes, from, to) => ({ text: Buffer.from(bytes.subarray(from, to)).toString() }),
  transfer: (value) => value,
};

let hub: Hub;
let peer: Peer;
const env: Record<string, string> = {};

before(async () => {
  hub = await createHub({
    http: { port: 0 },
    jobs: { services: { "digits.jobs": {}, "digits.failing": {} } },
    listen: ["tcp://127.0.0.1:0"],
  });
  env["LINTEL_HUB"] = hub.urls[0]!;
  peer = await connect(hub.urls[0]!, { codec: verbatim });
});
after(async () => {
  await peer.close();
  await hub.close();
});

function post(path: string, body: string, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(hub.httpUrl + path, {
    method: "POST",
    body,
    headers: { "content-type": "application/json", ...headers },
  });
}

async function worker(...args: string[]): Promise<Running> {
  const running = start(["work", ...args], { env });
  await running.prints(/^lintel: serving /m, "stderr");
  return running;
}

/** What is behind `"details":` at the end of a problem. */
async function detailsOf(response: Response): Promise<string> {
  return /"details":(.*)\}$/.exec(await response.text())?.[1] ?? "none";
}

test("work --lines, both ways, and kept answers", async () => {
  await using _ = await worker("digits.lines", "--lines", "--", "cat");
  for (const value of VALUES) {
    const response = await post("/digits/lines", value);
    const text = await response.text();
    if (value.startsWith('"')) assert.equal(text, JSON.parse(value), value); // text is text
    else assert.deepEqual([text, response.headers.get("content-type")], [value, "application/json"], value);
    const kept = await post("/digits/lines", value, { prefer: "respond-async" });
    assert.equal(kept.status, 202);
    const answer = await until(async () => {
      const got = await fetch(new URL(kept.headers.get("location") ?? "", hub.httpUrl));
      return got.status === 200 ? got : undefined;
    }, "it is answered");
    assert.equal(await answer.text(), text, value);
  }
  for (const type of ["application/x-www-form-urlencoded", "application/vnd.own+json; charset=utf-8"]) {
    const body = '{"called":"a form by curl -d","n":[1.0,12345678901234567890]}';
    assert.equal(await (await post("/digits/lines", body, { "content-type": type })).text(), body);
  }
  const pretty = '{\n  "a": 1.0,\r\n  "b": 2\n}';
  assert.equal(await (await post("/digits/lines", pretty)).text(), '{   "a": 1.0,    "b": 2 }');
});

test("details of errors: of --lines, of jobs one by one and together, and of a worker that throws what it caught", async () => {
  const script = `while read -r l; do printf '{"error":{"details":%s,"code":"unavailable"}}\\n' "$l"; done`;
  await using _ = await worker("digits.errors", "--lines", "--", "sh", "-c", script);
  const relay = await hub.serve("digits.relay", (__, { body }) =>
    peer.request("digits.errors", { text: Buffer.from(body).toString() }),
  );
  const changed = await hub.serve("digits.changed", () => {
    const error = LintelError.from({
      code: "unavailable",
      reason: "X",
      message: "",
      retryable: false,
      details: Buffer.from('{"n":1.0}'),
    });
    (error.details as { n: number }).n = 7;
    throw error;
  });
  for (const value of VALUES) {
    assert.equal(await detailsOf(await post("/digits/errors", value)), value);
    assert.equal(await detailsOf(await post("/digits/relay", value)), value);
    const polled = poll("digits.failing");
    const one = post("/digits/failing", "{}");
    const { id } = await polled;
    const said = await post(`/jobs/${id}/error`, `{ "code": "unavailable", "details" : ${value} }`);
    assert.ok(said.ok, await said.text());
    assert.equal(await detailsOf(await one), value);
  }
  assert.equal(await detailsOf(await post("/digits/changed", "1")), '{"n":7}');
  await Promise.all([relay.close(), changed.close()]);
});

interface PolledJob {
  readonly id: string;
  readonly text: string;
}

async function poll(service: string): Promise<PolledJob> {
  const response = await fetch(`${hub.httpUrl}/service/${service}/jobs?wait=5s`);
  const text = await response.text();
  return { id: /"id":"([^"]+)"/.exec(text)![1]!, text };
}

test("jobs: the request in a poll, and answers given together", async () => {
  for (const value of VALUES) {
    const polled = Promise.all([poll("digits.jobs"), poll("digits.jobs")]);
    const [first, second] = [post("/digits/jobs", value), post("/digits/jobs", value)];
    const [one, two] = await polled;
    for (const { text } of [one, two])
      assert.ok(text.includes(`"originalRequest":${value},"encoding":"json"`), text);
    const entries = `[ {"id":"${one.id}", "response" : ${value} },\n{"response":0,"id":"${two.id}","error":{"code":"unavailable","details":${value}}}]`;
    assert.equal((await post("/jobs", entries)).status, 200);
    const answers = await Promise.all([first, second]);
    const texts = await Promise.all(
      answers.map((answer) => (answer.status === 200 ? answer.text() : detailsOf(answer))),
    );
    assert.deepEqual(texts, [value, value]);
  }
});

test("subscribe --format json, request and publish", async () => {
  await using listener = start(
    ["subscribe", "digits.news", "--format", "json", "--count", String(VALUES.length)],
    { env },
  );
  await listener.prints(/listening/, "stderr");
  for (const value of VALUES) await peer.publish("digits.news", { text: value });
  const { stdout } = await listener.ended;
  const lines = Buffer.from(stdout, "latin1").toString().trimEnd().split("\n");
  assert.deepEqual(
    lines.map((line) => /"value":(.*)\}$/.exec(line)?.[1]),
    VALUES,
  );

  const echo = await peer.serve("digits.echo", (value) => value);
  const value = '{"a":[1.0,12345678901234567890,-0],"a":1e400}';
  assert.equal((await lintel(["request", "digits.echo", "--json", value], { env })).stdout, value);
  assert.equal((await lintel(["request", "digits.echo", "-"], { env, stdin: value })).stdout, value);
  await echo.close();
});

test("streams of values: over HTTP, printed, and into a program", async () => {
  const service = await peer.serve("digits.stream", async function* () {
    for (const text of VALUES) yield { text };
  });
  const lines = await fetch(`${hub.httpUrl}/digits/stream`, { headers: { accept: "application/x-ndjson" } });
  assert.deepEqual((await lines.text()).trimEnd().split("\n"), VALUES);
  const events = await fetch(`${hub.httpUrl}/digits/stream`, { headers: { accept: "text/event-stream" } });
  assert.deepEqual(
    [...(await events.text()).matchAll(/^data: ?(.*)$/gm)].map(([, data]) => data).slice(0, VALUES.length),
    VALUES,
  );
  const { stdout } = await lintel(["request", "digits.stream"], { env });
  const decoded = VALUES.map((one) => (one.startsWith('"') ? JSON.stringify(JSON.parse(one)) : one));
  assert.deepEqual(Buffer.from(stdout, "latin1").toString().trimEnd().split("\n"), decoded);
  await service.close();

  await using _ = await worker("digits.program", "--stream", "--", "cat");
  const sent = async function* (): AsyncGenerator {
    for (const text of VALUES) yield { text };
  };
  const answer = await peer.request<ReadableStream<Uint8Array>>("digits.program", sent());
  assert.deepEqual((await new Response(answer).text()).trimEnd().split("\n"), decoded);
});
