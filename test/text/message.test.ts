import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { decodeText, encodeText, headerOf, isMalformed, type TextMessage } from "../../src/text/message.ts";
import { seededRandom } from "../gateway/jobs/random.ts";

function read(frame: string): TextMessage {
  const decoded = decodeText(frame);
  if (isMalformed(decoded)) assert.fail(decoded.problem);
  return decoded;
}

describe("messages of the text protocol", () => {
  test("headers keep their spelling, their order and their repetitions", () => {
    const message = read("REQ Chat Room 1\r\nReqID:7\r\nX-a: 1\r\nx-A:2\r\n\r\nhello\r\n.\r\n");
    assert.deepEqual(message, {
      command: "REQ",
      target: "Chat Room 1",
      headers: [
        ["ReqID", "7"],
        ["X-a", " 1"],
        ["x-A", "2"],
      ],
      body: "hello",
    });
    assert.equal(headerOf(message.headers, "reqid"), "7");
    assert.equal(headerOf(message.headers, "x-a"), "1");
    assert.equal(headerOf(message.headers, "none"), undefined);
    assert.equal(encodeText(message), "REQ Chat Room 1\r\nReqID:7\r\nX-a: 1\r\nx-A:2\r\n\r\nhello\r\n.\r\n");
  });

  const bodies: readonly (readonly [frame: string, body: string])[] = [
    ["PUB K\r\n\r\n.\r\n", ""],
    ["PUB K\r\n\r\n\r\n.\r\n", ""],
    ["PUB K\n\n.\n", ""],
    ["PUB K\n\n\n.\n", ""],
    ["PUB K\na:b\n\nbody\r\n.\r\n", "body"],
    ["PUB K\n\n\n\n.\n", "\n"],
    ["PUB K\r\n\r\na\nb\r\n.\r\n", "a\nb"],
    ["PUB K\r\n\r\n..\r\n.\r\n", "."],
    ["PUB K\r\n\r\n...\r\n...a\r\n.\r\n", "..\r\n..a"],
    ["PUB K\r\n\r\na.b\r\n.\r\n", "a.b"],
    ["PUB K\r\n\r\nlast\r\n.", "last"],
    ["PUB K\r\n\r\nlast\r\n.\n", "last"],
  ];
  for (const [frame, body] of bodies)
    test(`the body of ${JSON.stringify(frame)} is ${JSON.stringify(body)}`, () => {
      assert.equal(read(frame).body, body);
    });

  test("an empty body is sent with its empty line", () => {
    assert.equal(
      encodeText({ command: "PUB", target: "K", headers: [], body: "" }),
      "PUB K\r\n\r\n\r\n.\r\n",
    );
  });

  const malformed: readonly (readonly [frame: string, problem: string, command: string, target: string])[] = [
    ["", "No line end in", "", ""],
    ["PUB", "No line end in", "PUB", ""],
    ["PUB\r\n\r\n.\r\n", "No target in", "PUB", ""],
    [" K\r\n\r\n.\r\n", "No target in", "", "K"],
    ["PUB K\r\n", "No empty line after the headers of", "PUB", "K"],
    ["PUB K\r\nhello\r\n\r\n.\r\n", "No colon in a header of", "PUB", "K"],
    ["PUB K\r\n:x\r\n\r\n.\r\n", "No colon in a header of", "PUB", "K"],
    ["PUB K\rx\r\n\r\n\r\n.\r\n", "A carriage return within a line of", "PUB", "K\rx"],
    ["PUB K\r\na:b\rc\r\n\r\n\r\n.\r\n", "A carriage return within a line of", "PUB", "K"],
    ["PUB K\r\n\r\nhello", "No final dot in", "PUB", "K"],
    ["PUB K\r\n\r\nhello\r\n.x\r\n", "No final dot in", "PUB", "K"],
    ["PUB K\r\n\r\n.\r\nPUB K\r\n\r\n.\r\n", "Text after the final dot of", "PUB", "K"],
    ["PUB K\r\n\r\nx\r\n.\r\n\r\n", "Text after the final dot of", "PUB", "K"],
  ];
  for (const [frame, problem, command, target] of malformed)
    test(`${JSON.stringify(frame)}: ${problem}`, () => {
      assert.deepEqual(decodeText(frame), { problem, command, target });
    });

  test("every body comes back as it was, with any headers and targets", () => {
    const piece = fc.constantFrom("\r\n", "\n", "\r", ".", "..", "a", " ", "\u0000", "é", "👋", ":");
    const body = fc.oneof(
      fc.array(piece, { maxLength: 20 }).map((pieces) => pieces.join("")),
      fc.string({ unit: "binary", maxLength: 50 }),
    );
    const text = fc.string({ unit: "binary", maxLength: 8 }).map((all) => all.replaceAll(/[\r\n]/g, "_"));
    const headers = fc.array(
      fc.tuple(
        text.map((name) => `n${name.replaceAll(":", "_")}`),
        text,
      ),
      { maxLength: 4 },
    );
    fc.assert(
      fc.property(
        body,
        headers,
        text.map((target) => `t${target}`),
        (given, lines, target) => {
          const message: TextMessage = { command: "PUB", target, headers: lines, body: given };
          assert.deepEqual(decodeText(encodeText(message)), message);
        },
      ),
      { numRuns: 500 },
    );
  });

  test("a hundred thousand random bodies and headers come back, with line ends of both kinds", () => {
    const seed = Math.trunc(Math.random() * 2 ** 32);
    const random = seededRandom(seed);
    const pick = (choices: readonly string[]): string => choices[Math.trunc(random() * choices.length)]!;
    const some = (choices: readonly string[], most: number): string =>
      Array.from({ length: Math.trunc(random() * most) }, () => pick(choices)).join("");
    const pieces = ["\r\n", "\n", "\r", ".", "..", ".\r\n", "\r\n.\r\n", "a", " ", "\0", "é", "👋", ":"];
    const inLine = pieces.filter((piece) => !/[\r\n]/.test(piece));
    const inName = inLine.filter((piece) => piece !== ":");
    for (let round = 0; round < 100_000; round++) {
      const headers = Array.from(
        { length: Math.trunc(random() * 3) },
        () => [`n${some(inName, 4)}`, some(inLine, 4)] as const,
      );
      const message = { command: "PUB", target: `t${some(inLine, 4)}`, headers, body: some(pieces, 12) };
      const frame = encodeText(message);
      const where = `seed ${seed}, round ${round}`;
      if (!isDeepStrictEqual(decodeText(frame), message)) assert.deepEqual(decodeText(frame), message, where);
      if (message.body.includes("\r")) continue; // a return before a bare line feed belongs to the line end
      const ofLineFeeds = frame.replaceAll("\r\n", "\n");
      if (!isDeepStrictEqual(decodeText(ofLineFeeds), message))
        assert.deepEqual(decodeText(ofLineFeeds), message, where);
    }
  });

  test("what would read as another message is not written", () => {
    const message: TextMessage = { command: "PUB", target: "K", headers: [], body: "" };
    const wrong: readonly TextMessage[] = [
      { ...message, command: "P B" },
      { ...message, target: "" },
      { ...message, target: "a\nb" },
      { ...message, target: "a\r" },
      { ...message, headers: [["a:b", "c"]] },
      { ...message, headers: [["", "c"]] },
      { ...message, headers: [["a", "c\r\nd:e"]] },
    ];
    for (const one of wrong) assert.throws(() => encodeText(one), { code: "invalid_argument" });
  });

  test("random frames are messages or malformed, and read fast", () => {
    const start = performance.now();
    const frame = `PUB K\r\n${"a:b\r\n".repeat(1_000)}\r\n${"..\r\n.a\r\n\n".repeat(100_000)}\r\n.\r\n`;
    assert.equal(isMalformed(decodeText(frame)), false);
    fc.assert(
      fc.property(fc.array(fc.constantFrom("\r", "\n", ".", ":", " ", "PUB", "K", "x")), (pieces) => {
        const decoded = decodeText(pieces.join(""));
        if (!isMalformed(decoded)) assert.deepEqual(decodeText(encodeText(decoded)), decoded);
      }),
      { numRuns: 10_000 },
    );
    assert.ok(performance.now() - start < 20_000);
  });
});
