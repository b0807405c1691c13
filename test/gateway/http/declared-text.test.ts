/** Text is read as it is declared, or refused: nothing is replaced. Bodies that are compressed are read as they were. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from "node:zlib";
import { connect, createHub, type Hub, type Peer } from "../../../src/index.ts";
import { reasonOf } from "./harness.ts";

let hub: Hub;
let worker: Peer;
let seen: unknown;

before(async () => {
  hub = await createHub({
    http: { port: 0, routes: [{ path: "/bytes", subject: "far", body: "stream" }] },
    jobs: { services: { polled: {} } },
    listen: ["tcp://127.0.0.1:0"],
  });
  worker = await connect(hub.urls[0]!, { onError: () => undefined });
  const keep = (value: unknown): string => {
    seen = value;
    return "seen";
  };
  await hub.serve("near", keep);
  await worker.serve("far", keep);
});

after(async () => {
  await worker.close();
  await hub.close();
});

interface Outcome {
  readonly status: number;
  readonly value: unknown;
  readonly reason: unknown;
  readonly headers: Headers;
}

async function send(path: string, body: Uint8Array, headers: Record<string, string>): Promise<Outcome> {
  seen = undefined;
  const response = await fetch(`${hub.httpUrl}${path}`, {
    method: "POST",
    body: new Uint8Array(body),
    headers,
  });
  const text = await response.text();
  const reason = response.status === 200 ? undefined : reasonOf(text);
  return { status: response.status, value: seen, reason, headers: response.headers };
}

const latin1 = (text: string): Buffer => Buffer.from(text, "latin1");
const utf16be = (text: string): Buffer => Buffer.from(text, "utf16le").swap16();
const BAD = { status: 400, reason: "BAD_PAYLOAD" };
const UNKNOWN = { status: 415, reason: "UNSUPPORTED_MEDIA_TYPE" };

const CASES: Readonly<
  Record<
    string,
    { type: string; body: Uint8Array; value?: unknown; fails?: { status: number; reason: string } }
  >
> = {
  "latin1 text": { type: "text/plain; charset=iso-8859-1", body: latin1("caf\u00e9"), value: "caf\u00e9" },
  "a name in capitals and quotation marks": {
    type: 'text/plain;charset="ISO-8859-1"',
    body: latin1("\u00e9"),
    value: "\u00e9",
  },
  "windows-1252": { type: "text/html; charset=windows-1252", body: Buffer.from([0x80]), value: "\u20ac" },
  "utf-16 with a mark": {
    type: "text/plain; charset=utf-16",
    body: Buffer.concat([Buffer.from([0xfe, 0xff]), utf16be("h\u00e9")]),
    value: "h\u00e9",
  },
  "utf-16le": {
    type: "text/plain; charset=utf-16le",
    body: Buffer.from("h\u00e9", "utf16le"),
    value: "h\u00e9",
  },
  shift_jis: { type: "text/plain; charset=shift_jis", body: Buffer.from([0x82, 0xa0]), value: "\u3042" },
  "bytes that are none of a charset": {
    type: "text/plain; charset=utf-16le",
    body: Buffer.from([0x00, 0xd8]),
    fails: BAD,
  },
  "JSON in latin1": {
    type: "application/json; charset=latin1",
    body: latin1('{"a":"\u00e9"}'),
    value: { a: "\u00e9" },
  },
  "a form in latin1": {
    type: "application/x-www-form-urlencoded; charset=iso-8859-1",
    body: latin1("a=\u00e9"),
    value: { a: "\u00e9" },
  },
  "a form in latin1 with escapes": {
    type: "application/x-www-form-urlencoded; charset=iso-8859-1",
    body: latin1("a=%E9"),
    fails: UNKNOWN,
  },
  "an unknown charset": { type: "text/plain; charset=klingon", body: latin1("a"), fails: UNKNOWN },
  "utf-32": { type: "text/plain; charset=utf-32", body: latin1("a\0\0\0"), fails: UNKNOWN },
  "UTF-8 by its name": { type: "text/plain; charset=UTF-8", body: Buffer.from("\u00e9"), value: "\u00e9" },
  "U+FFFD itself": { type: "text/plain", body: Buffer.from("\ufffd"), value: "\ufffd" },
  "U+FFFD itself, escaped": {
    type: "application/x-www-form-urlencoded",
    body: latin1("a=%EF%BF%BD&b=100%"),
    value: { a: "\ufffd", b: "100%" },
  },
  "text that is not UTF-8": { type: "text/plain", body: latin1("caf\u00e9"), fails: BAD },
  "short text that is not UTF-8": { type: "text/csv", body: latin1("\u00e9"), fails: BAD },
  "ASCII that is none": { type: "text/plain; charset=us-ascii", body: latin1("\u00e9"), fails: BAD },
  "JSON that is not UTF-8": { type: "application/json", body: latin1('{"a":"\u00e9"}'), fails: BAD },
  "JSON that is cut off in a character": {
    type: "application/json",
    body: Buffer.concat([latin1('"'), Buffer.from([0xe2, 0x82]), latin1('"')]),
    fails: BAD,
  },
  "surrogates in UTF-8": {
    type: "application/json",
    body: Buffer.concat([latin1('"'), Buffer.from([0xed, 0xa0, 0x80]), latin1('"')]),
    fails: BAD,
  },
  "half a surrogate pair as an escape": {
    type: "application/json",
    body: latin1('"\\ud800"'),
    value: "\ud800",
  },
  "a form that is not UTF-8": {
    type: "application/x-www-form-urlencoded",
    body: latin1("a=\u00e9"),
    fails: BAD,
  },
  "a form with escapes that are not UTF-8": {
    type: "application/x-www-form-urlencoded",
    body: latin1("a=%E9&b=%C3x"),
    fails: BAD,
  },
  "bytes, whatever charset they name": {
    type: "application/octet-stream; charset=klingon",
    body: latin1("\u00e9"),
    value: latin1("\u00e9"),
  },
};

function shown(value: unknown): unknown {
  return value instanceof Uint8Array ? Buffer.from(value).toString("hex") : value;
}

describe("a body in a charset", () => {
  for (const [name, { type, body, value, fails }] of Object.entries(CASES)) {
    test(name, async () => {
      for (const path of ["/near", "/far"]) {
        const outcome = await send(path, body, { "content-type": type });
        if (fails === undefined) {
          assert.deepEqual([outcome.status, shown(outcome.value)], [200, shown(value)], path);
        } else {
          assert.deepEqual([outcome.status, outcome.reason], [fails.status, fails.reason], path);
          assert.equal(outcome.value, undefined);
        }
      }
    });
  }

  test("reaches a worker that polls as text, or as bytes", async () => {
    const expected: [string, string, string][] = [
      ["text/plain; charset=iso-8859-1", "text", "caf\u00e9"],
      ["text/plain", "base64", latin1("caf\u00e9").toString("base64")],
      ["text/plain; charset=klingon", "base64", latin1("caf\u00e9").toString("base64")],
    ];
    for (const [type, encoding, request] of expected) {
      const asked = send("/service/polled", latin1("caf\u00e9"), { "content-type": type });
      const given = await fetch(`${hub.httpUrl}/service/polled/jobs?wait=10`);
      const job = (await given.json()) as { id: string; originalRequest: unknown; encoding: string };
      assert.deepEqual([job.encoding, job.originalRequest], [encoding, request]);
      const wrong = await send("/jobs", latin1('[{"id":"\u00e9"}]'), { "content-type": "application/json" });
      assert.equal(wrong.status, 400);
      await fetch(`${hub.httpUrl}/jobs/${job.id}`, { method: "POST", body: "done" });
      await asked;
    }
  });

  test("that a handler declares for its text is its mistake", async () => {
    await worker.serve("latin1", (_value, { reply }) => {
      reply.headers["content-type"] = "text/plain; charset=iso-8859-1";
      return "caf\u00e9";
    });
    assert.equal((await send("/latin1", latin1(""), {})).status, 500);
    await worker.serve("latin1.bytes", (_value, { reply }) => {
      reply.headers["content-type"] = "text/plain; charset=iso-8859-1";
      return latin1("caf\u00e9");
    });
    assert.equal(await worker.request("latin1.bytes"), "caf\u00e9");
    const response = await fetch(`${hub.httpUrl}/latin1/bytes`);
    assert.deepEqual(Buffer.from(await response.arrayBuffer()), latin1("caf\u00e9"));
  });
});

const JSON_TYPE = { "content-type": "application/json" };
const plain = Buffer.from(JSON.stringify({ text: "x".repeat(1_000) }));
const read = { text: "x".repeat(1_000) };
const CODED: Readonly<Record<string, Uint8Array>> = {
  gzip: gzipSync(plain),
  "x-gzip": gzipSync(plain),
  GZIP: gzipSync(plain),
  deflate: deflateSync(plain),
  "deflate ": deflateRawSync(plain),
  br: brotliCompressSync(plain),
  identity: plain,
};

describe("a body that is compressed", () => {
  for (const [coding, body] of Object.entries(CODED)) {
    test(`is read: ${coding}`, async () => {
      for (const path of ["/near", "/far"]) {
        const outcome = await send(path, body, { ...JSON_TYPE, "content-encoding": coding });
        assert.deepEqual([outcome.status, outcome.value], [200, read], path);
      }
    });
  }

  test("is refused when the coding is unknown, with those that are known", async () => {
    for (const coding of ["zip", "compress", "gzip, br", "gzip, gzip"]) {
      const outcome = await send("/far", CODED["gzip"]!, { ...JSON_TYPE, "content-encoding": coding });
      assert.deepEqual([outcome.status, outcome.reason], [415, "UNSUPPORTED_MEDIA_TYPE"], coding);
      assert.equal(outcome.headers.get("accept-encoding"), "gzip, deflate, br");
    }
  });

  test("is refused when it is not what it says", async () => {
    const broken = CODED["gzip"]!.subarray(0, 20);
    for (const body of [plain, broken]) {
      const outcome = await send("/far", body, { ...JSON_TYPE, "content-encoding": "gzip" });
      assert.deepEqual([outcome.status, outcome.reason], [400, "BAD_PAYLOAD"]);
    }
  });

  test("is not read further than bodies may be", async () => {
    for (const bomb of [gzipSync(Buffer.alloc(50_000_000)), brotliCompressSync(Buffer.alloc(5_000_000))]) {
      const coding = bomb[0] === 0x1f ? "gzip" : "br";
      const outcome = await send("/far", bomb, { ...JSON_TYPE, "content-encoding": coding });
      assert.deepEqual([outcome.status, outcome.reason], [413, "TOO_LARGE"]);
    }
    assert.equal(
      (await send("/far", CODED["gzip"]!, { ...JSON_TYPE, "content-encoding": "gzip" })).status,
      200,
    );
  });

  test("passes as it came where it is a stream", async () => {
    const outcome = await send("/bytes", CODED["gzip"]!, { "content-encoding": "gzip" });
    assert.equal(outcome.status, 200);
    assert.ok(outcome.value instanceof ReadableStream);
  });

  test("is never read as if it were not, by a peer", async () => {
    await worker.serve("gzip", (_value, { reply }) => {
      reply.headers["content-type"] = "application/json";
      reply.headers["content-encoding"] = "gzip";
      return CODED["gzip"];
    });
    await assert.rejects(worker.request("gzip"), { reason: "UNSUPPORTED_MEDIA_TYPE" });
    const reply = await worker.request("gzip", undefined, { full: true });
    assert.deepEqual(Buffer.from(reply.body), CODED["gzip"]);
    assert.deepEqual(await (await fetch(`${hub.httpUrl}/gzip`)).json(), read);
    const headers = { "content-type": "application/json", "content-encoding": "gzip" };
    await assert.rejects(worker.request("far", CODED["gzip"], { headers }), {
      reason: "UNSUPPORTED_MEDIA_TYPE",
    });
  });
});
