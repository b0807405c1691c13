/**
 * What strangers send takes time in proportion to its size: twice the bytes, twice the work. Each row is measured at a size
 * and at eight times the size; what grows with the square takes 64 times as long.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { PatternTrie } from "../../src/collections/pattern-trie.ts";
import { Wishes } from "../../src/codec/accept.ts";
import { headOf } from "../../src/gateway/http/encode.ts";
import { HeadReader } from "../../src/gateway/http/decode.ts";
import { settingsOf } from "../../src/gateway/http/options.ts";
import { decodePath, isSafeSegment, subjectOfTokens } from "../../src/gateway/http/path.ts";
import { parsePrefer } from "../../src/gateway/http/prefer.ts";
import { MessageHeaders, findHeader } from "../../src/message/headers.ts";
import { Format, Message } from "../../src/message/message.ts";
import { isPattern, isSubject } from "../../src/message/subject.ts";
import { AccessRule, ANYWHERE } from "../../src/transport/origins.ts";
import { MessageReader } from "../../src/gateway/grpc/message-reader.ts";
import { FrameReader as BeamReader } from "../../src/gateway/beam/frame-reader.ts";
import { CASES } from "../codec/cases.ts";
import { cpuTime } from "../house/cpu-time.ts";

const SMALL = 8_000;
const TIMES = 8;
/** Well between what is linear and what is quadratic. */
const MOST = 36;
/** A collection of garbage may fall into any of them. */
const ATTEMPTS = 8;

/** Makes an input of about so many bytes, and gives what is to be measured. */
type Row = (size: number) => () => unknown;

const list = (count: number, item: (index: number) => string): string[] =>
  Array.from({ length: count }, (_, i) => item(i));

/** A request with as many fields as there may be, or fewer. */
const read =
  (fields: (size: number) => string[]): Row =>
  (size) => {
    const settings = { ...settingsOf({}), headerLimit: Number.MAX_SAFE_INTEGER };
    const head = new HeadReader(settings);
    const rawHeaders = ["Host", "localhost", ...fields(size)];
    const request = {
      httpVersionMajor: 1,
      httpVersionMinor: 1,
      rawHeaders,
      complete: true,
      on: () => undefined,
      pause: () => undefined,
      resume: () => undefined,
    };
    return () => {
      assert.equal(head.read(request, "/x", ANYWHERE), undefined);
      return head.block("GET", "");
    };
  };

const answered =
  (head: (size: number) => string): Row =>
  (size) => {
    const answer = Message.ofBytes(new Uint8Array(0), head(size), Format.bytes);
    return () => assert.ok("headers" in headOf(answer));
  };

const decoded =
  (codec: string, text: (size: number) => string): Row =>
  (size) => {
    const bytes = Buffer.from(text(size));
    return () => {
      try {
        return CASES[codec]!.codec.decode(bytes, 0, bytes.length);
      } catch (error) {
        return error; // that it is refused is tested elsewhere
      }
    };
  };

/** Names that are all different. */
const names = (size: number): string => list(size / 4, (index) => index.toString(36)).join(",");
/** As many fields as the bytes allow, up to the bound of fields. */
const fields = (size: number): string[] =>
  list(size / 70, (index) => `y${index}`).flatMap((name) => [name, "1"]);

const ROWS: Readonly<Record<string, Row>> = {
  "Connection that names many fields": read((size) => ["Connection", names(size), ...fields(size)]),
  "Connection that comes often": read((size) =>
    list(size / 70, (index) => `c${index}`).flatMap((name) => ["Connection", name]),
  ),
  "Prefer that comes often": read((size) =>
    list(size / 70, () => "wait=1").flatMap((value) => ["Prefer", value]),
  ),
  "Origin that comes often": read((size) => list(size / 70, () => "a").flatMap((value) => ["Origin", value])),
  "an answer's Connection": answered(
    (size) => `connection:${names(size)}\n${fields(size).join(":").replaceAll(":1:", ":1\n")}\n`,
  ),
  "Prefer: many": (size) => () => parsePrefer("wait=,".repeat(size / 6)),
  "Prefer: spaces": (size) => () => parsePrefer(`wait${" ".repeat(size)}x`),
  "Accept: many": (size) => () => new Wishes("a/b;q=0.1,".repeat(size / 10)).weightOf("c/d"),
  "Accept: parameters": (size) => () => new Wishes(`a/b${";x=1".repeat(size / 4)}`).weightOf("c/d"),
  "Accept: spaces": (size) => () => new Wishes(`a/b;${" ".repeat(size)}q=1`).weightOf("c/d"),
  "a path of segments": (size) => () => decodePath("/a".repeat(size / 2)),
  "a path of dots": (size) => () => isSafeSegment("./".repeat(size / 2)),
  "a path of spaces": (size) => () => isSafeSegment(`${" ".repeat(size)}.x`),
  "a path that is encoded": (size) => () => decodePath(`/${"%2e%2f".repeat(size / 6)}`),
  "tokens of a subject": (size) => () => subjectOfTokens(list(size / 2, () => "a")),
  "a subject": (size) => () => isSubject(`${"a.".repeat(size / 2)}!`),
  "a pattern": (size) => () => isPattern(`${"*.".repeat(size / 2)}!`),
  "a header block": (size) => {
    const block = "a:1\n".repeat(size / 4);
    return () => [findHeader(block, "b"), new MessageHeaders(block).toJSON()];
  },
  "a host": (size) => () => new AccessRule({ hosts: ["a"] }).admitsHost("a.".repeat(size / 2), ANYWHERE),
  "an origin": (size) => () =>
    new AccessRule().standingOf({
      origin: `http://${"a.".repeat(size / 2)}`,
      site: undefined,
      referer: undefined,
      host: "a",
      isSecure: false,
    }),
  "patterns that match": (size) => {
    const trie = new PatternTrie<number>();
    for (let index = 0; index < size / 16; index++) trie.add(`${"*.".repeat(6)}${index}`, index);
    for (let index = 0; index < size / 16; index++) trie.add("a.*.a.>", index);
    return () => trie.match("a.a.a.a.a.a.1");
  },
  "a frame of beam, byte by byte": (size) => () => {
    const reader = new BeamReader(size);
    const bytes = Buffer.alloc(size + 4);
    bytes.writeUInt32BE(size);
    let count = 0;
    for (let at = 0; at < bytes.length; at++)
      reader.push(bytes.subarray(at, at + 1), [], { frame: () => void count++ });
    return count;
  },
  "a message of gRPC, byte by byte": (size) => () => {
    let count = 0;
    const reader = new MessageReader(size, () => void count++);
    const bytes = Buffer.alloc(size + 5);
    bytes.writeUInt32BE(size, 1);
    for (let at = 0; at < bytes.length; at++) reader.push(bytes.subarray(at, at + 1));
    assert.equal(count, 1);
  },
  "JSON: keys": decoded("json", (size) => `{${list(size / 10, (index) => `"k${index}":1`).join()}}`),
  "JSON: nested": decoded("json", (size) => "[".repeat(size)),
  "a form: one field": decoded("form", (size) => "a=1&".repeat(size / 4)),
  "a form: fields": decoded("form", (size) => list(size / 8, (index) => `k${index}=1`).join("&")),
  "key-value: keys": decoded("kv", (size) => `000;${list(size / 16, (index) => pair(`${index}`)).join("")}`),
  "XML: attributes": decoded(
    "xml",
    (size) => `<a ${list(size / 10, (index) => `k${index}="1"`).join(" ")}/>`,
  ),
  "XML: elements": decoded("xml documents", (size) => `<a>${"<b/>".repeat(size / 4)}</a>`),
  "XML: references": decoded("xml documents", (size) => `<a>${"&#65;".repeat(size / 5)}</a>`),
  "XML: comments": decoded("xml documents", (size) => `<a>${"<!---->".repeat(size / 7)}</a>`),
  "XML: an open comment": decoded("xml documents", (size) => `<a><!--${"-".repeat(size)}`),
  "XML: an open reference": decoded("xml documents", (size) => `<a>&${"a".repeat(size)}`),
  "XML: an open section": decoded("xml documents", (size) => `<a><![CDATA[${"]".repeat(size)}`),
  "MessagePack: keys": (size) => {
    const { codec } = CASES["msgpack"]!;
    const bytes = codec.encode(
      Object.fromEntries(list(size / 8, (index) => `k${index}`).map((key) => [key, 1])),
    );
    const whole = typeof bytes === "string" ? Buffer.from(bytes) : bytes;
    return () => codec.decode(whole, 0, whole.length);
  },
};

function pair(key: string): string {
  return `${key.length}:${key},4:1:v,,`;
}

/** Milliseconds of processor time of a run, the shortest of several that take long enough to be measured. */
function timeOf(run: () => unknown): number {
  let runs = 1;
  let shortest = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 4; round++) {
    const before = cpuTime();
    for (let index = 0; index < runs; index++) run();
    const took = cpuTime() - before;
    shortest = Math.min(shortest, took / runs);
    if (took < 1) runs *= 4;
  }
  return shortest;
}

describe("time in proportion to size", () => {
  for (const [name, row] of Object.entries(ROWS)) {
    test(name, () => {
      const [small, large] = [row(SMALL), row(TIMES * SMALL)];
      large(); // warm
      let growth = 0;
      for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
        growth = timeOf(large) / timeOf(small);
        if (growth < MOST) return;
      }
      assert.fail(`${TIMES} times the bytes take ${growth.toFixed(1)} times as long`);
    });
  }
});
