/** Responses as node:http writes them, read whole and split at every byte; and what is none. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ResponseReader } from "../../src/app/response-reader.ts";

interface Read {
  readonly state: string;
  readonly head: string;
  readonly body: string;
  readonly trailers: string;
  readonly keepsAlive: boolean;
}

function read(pieces: readonly string[], isHead = false, ended = false): Read {
  const reader = new ResponseReader(isHead);
  for (const piece of pieces) reader.feed(Buffer.from(piece, "latin1"));
  if (ended) reader.end();
  const { state, head, trailers, keepsAlive } = reader;
  return { state, head, body: Buffer.concat(reader.take()).toString("latin1"), trailers, keepsAlive };
}

const done = { state: "done", trailers: "", keepsAlive: true };

const RESPONSES: readonly (readonly [text: string, isHead: boolean, ended: boolean, Read])[] = [
  [
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nSet-Cookie: a=1\r\nset-cookie: b=\xe9\r\nContent-Length: 5\r\n\r\nhello",
    false,
    false,
    {
      ...done,
      head: ":status:200\ncontent-type:text/plain\nset-cookie:a=1\nset-cookie:b=\xe9\ncontent-length:5\n",
      body: "hello",
    },
  ],
  ["HTTP/1.1 204 \r\nDate: x\r\n\r\n", false, false, { ...done, head: ":status:204\ndate:x\n", body: "" }],
  [
    "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n",
    true,
    false,
    { ...done, head: ":status:200\ncontent-length:9\n", body: "" },
  ],
  [
    "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 304 Not Modified\r\nETag: y\r\n\r\n",
    false,
    false,
    { ...done, head: ":status:304\netag:y\n", body: "" },
  ],
  [
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0a\r\n0123456789\r\n0\r\n\r\n",
    false,
    false,
    { ...done, head: ":status:200\n", body: "abc0123456789" },
  ],
  [
    "HTTP/1.1 200 OK\r\nTrailer: x\r\nTransfer-Encoding: chunked\r\n\r\n1;ext=1\r\na\r\n0\r\nX: 1\r\nY: 2\r\n\r\n",
    false,
    false,
    { ...done, head: ":status:200\n", body: "a", trailers: "x:1\ny:2\n" },
  ],
  [
    "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nuntil the end",
    false,
    true,
    { ...done, head: ":status:200\n", body: "until the end", keepsAlive: false },
  ],
];

test("responses come out the same however they are split", () => {
  for (const [text, isHead, ended, expected] of RESPONSES) {
    assert.deepEqual(read([text], isHead, ended), expected);
    assert.deepEqual(read([...text], isHead, ended), expected);
    for (let at = 1; at < text.length; at++)
      assert.deepEqual(read([text.slice(0, at), text.slice(at)], isHead, ended), expected, `split at ${at}`);
  }
});

test("a response that is cut off is not whole", () => {
  const text = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell";
  const reader = new ResponseReader(false);
  reader.feed(Buffer.from(text));
  assert.equal(reader.end(), false);
  assert.equal(new ResponseReader(false).end(), false);
});

test("what is no response is refused, and nothing grows without bound", () => {
  const ok = "HTTP/1.1 200 OK\r\n";
  const cases: readonly string[] = [
    "SSH-2.0-x\r\n\r\n",
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n",
    "HTTP/1.1 99 x\r\n\r\n",
    `${ok}no colon\r\n\r\n`,
    `${ok}: no name\r\n\r\n`,
    `${ok}a: b\nc: d\r\n\r\n`,
    `${ok}Content-Length: -1\r\n\r\n`,
    `${ok}Content-Length: 1, 1\r\n\r\n`,
    `${ok}Content-Length: 1\r\nContent-Length: 1\r\n\r\n`,
    `${ok}Transfer-Encoding: chunked\r\n\r\nxyz\r\n`,
    `${ok}Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n`,
    `${ok}Transfer-Encoding: chunked\r\n\r\n${"1".repeat(300)}`,
    `${ok}x: ${"y".repeat(70_000)}`,
    `${ok}Content-Length: 1\r\n\r\nab`,
    "HTTP/1.1 204 x\r\n\r\nab",
  ];
  for (const text of cases) {
    for (const pieces of [[text], [...text]])
      assert.throws(() => read(pieces), { reason: "BAD_ANSWER" }, JSON.stringify(text.slice(0, 60)));
  }
});
