/** A worker's mistake in its answer is never the caller's: by every gateway, with one table, and the worker is told. */
import assert from "node:assert/strict";
import type { IncomingMessage, ServerResponse } from "node:http";
import { Duplex } from "node:stream";
import { after, before, describe, test } from "node:test";
import { serveHttp } from "../../src/app/index.ts";
import { LintelError, connect, createHub, type Context, type Hub, type Peer } from "../../src/index.ts";
import { reasonOf } from "./http/harness.ts";

type Mistake = (context: Context) => unknown;

const cycle: Record<string, unknown> = {};
cycle["self"] = cycle;

const head = (headers: Record<string, unknown>, status?: number): Mistake => {
  return (context) => {
    context.reply.status = status;
    Object.assign(context.reply.headers, headers);
    return "answer";
  };
};

/** What cannot be written is 500 HANDLER_FAILED. */
const UNWRITABLE: Readonly<Record<string, Mistake>> = {
  "a BigInt": () => ({ n: 10n }),
  "a BigInt alone": () => 10n,
  "a cycle": () => cycle,
  "a symbol": () => Symbol("secret"),
  "a function": () => () => "secret",
  "a toJSON that throws": () => ({
    toJSON: () => {
      throw new Error("secret");
    },
  }),
  "a toJSON that throws an error of Lintel's": () => ({
    toJSON: () => {
      throw new LintelError("not_found", "secret");
    },
  }),
  "a getter that throws": () => ({
    get a(): string {
      throw new RangeError("secret");
    },
  }),
  "memory that was given away": () => {
    const bytes = new Uint8Array(64);
    structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
    return bytes;
  },
  "a channel that is in use": (context) => {
    void context;
    const stream = new ReadableStream();
    return [stream, stream];
  },
};

/** What cannot be sent is 502 BAD_ANSWER. */
const UNSENDABLE: Readonly<Record<string, Mistake>> = {
  "a header's name with a space": head({ "a b": "1" }),
  "an empty name": head({ "": "1" }),
  "a value with a line end": head({ a: "1\r\nset-cookie: a=b" }),
  "a value with a NUL": head({ a: "\u0000" }),
  "a value that is a number": head({ a: 1 }),
  "a name that is reserved": head({ ":value": "stream" }),
  "a status in a header": head({ ":status": "200" }),
  "a status past 599": head({}, 600),
  "a status of 1xx": head({}, 101),
  "a status that is no whole number": head({}, 200.5),
  "a status that is no number": head({}, Number.NaN),
  "a status of 0": head({}, 0),
};

/** Only where the answer goes over a session. */
const TOO_MUCH: Readonly<Record<string, Mistake>> = {
  "an answer over the limit": () => new Uint8Array(1_048_577),
  "a text over the limit": () => "x".repeat(1_048_577),
  "40 KB of headers": head({ a: "x".repeat(40_000) }),
  "many headers": head({ a: Array.from({ length: 5_000 }, () => "12345678") }),
};

/** Only where the caller came by HTTP. */
const NOT_HTTP: Readonly<Record<string, Mistake>> = {
  "a value HTTP cannot carry": head({ a: "\u0151" }),
};

let hub: Hub;
let worker: Peer;
let caller: Peer;
const told: { error: unknown; where: string }[] = [];
const onError = (error: unknown, where: string): void => void told.push({ error, where });
let mistake: Mistake = () => undefined;

before(async () => {
  const routes = [{ path: "/app", subject: "app", mode: "app" as const }];
  hub = await createHub({ http: { port: 0, routes }, listen: ["tcp://127.0.0.1:0"], onError });
  worker = await connect(hub.urls[0]!, { onError });
  caller = await connect(hub.urls[0]!);
  const handlers = {
    now: (_value: unknown, context: Context) => mistake(context),
    later: async (_value: unknown, context: Context) => {
      await new Promise(setImmediate);
      return mistake(context);
    },
  };
  for (const [kind, handler] of Object.entries(handlers)) {
    await worker.serve(`far.${kind}`, handler);
    await hub.serve(`near.${kind}`, handler);
  }
  await serveHttp(
    worker,
    "app",
    (_request: IncomingMessage, response: ServerResponse) => {
      response.setHeader("a", "x".repeat(40_000));
      response.end("answer");
    },
    { onError },
  );
});

after(async () => {
  await caller.close();
  await worker.close();
  await hub.close();
});

const SUBJECTS = ["far.now", "far.later", "near.now", "near.later"];

interface Heard {
  readonly status: number;
  readonly reason: string;
  readonly text: string;
}

async function byHttp(subject: string, headers: Record<string, string> = {}): Promise<Heard> {
  const response = await fetch(`${hub.httpUrl}/${subject.replace(".", "/")}`, { method: "POST", headers });
  const text = await response.text();
  return { status: response.status, reason: String(reasonOf(text)), text };
}

/** Fetches the answer that is kept. */
async function byAsync(subject: string): Promise<Heard> {
  return byHttp(subject, { prefer: "respond-async, wait=10" });
}

function byPeer(peer: () => Peer): (subject: string) => Promise<Heard> {
  const statuses: Readonly<Record<string, number>> = { HANDLER_FAILED: 500, BAD_ANSWER: 502 };
  return async (subject) => {
    const error = await peer()
      .request(subject)
      .then(
        () => undefined,
        (failed: LintelError) => failed,
      );
    assert.ok(error instanceof LintelError, `${subject} was answered`);
    assert.equal(error.code, "internal");
    assert.equal(error.retryable, false);
    return { status: statuses[error.reason] ?? 0, reason: error.reason, text: JSON.stringify(error) };
  };
}

const CALLERS: Readonly<Record<string, (subject: string) => Promise<Heard>>> = {
  HTTP: byHttp,
  "HTTP, asynchronously": byAsync,
  "a peer": byPeer(() => caller),
  "the hub itself": byPeer(() => hub),
};

async function hears(
  name: string,
  one: Mistake,
  ask: () => Promise<Heard>,
  outcome: readonly [number, string],
  subject: string,
): Promise<void> {
  mistake = one;
  told.length = 0;
  const { status, reason, text } = await ask();
  assert.deepEqual([status, reason], outcome, `${name}, ${subject}`);
  assert.doesNotMatch(text, /secret/);
  assert.equal(told.length, 1, `${name}, ${subject}: ${told.map(({ where }) => where).join()}`);
  assert.match(told[0]!.where, new RegExp(`\\b${subject}$`), name);
}

for (const [by, ask] of Object.entries(CALLERS)) {
  describe(`a mistake in an answer for ${by}`, () => {
    for (const [name, one] of Object.entries(UNWRITABLE)) {
      test(`${name} is HANDLER_FAILED`, async () => {
        for (const subject of SUBJECTS)
          await hears(name, one, () => ask(subject), [500, "HANDLER_FAILED"], subject);
      });
    }
    const unsendable = by.startsWith("HTTP") ? { ...UNSENDABLE, ...NOT_HTTP } : UNSENDABLE;
    for (const [name, one] of Object.entries(unsendable)) {
      test(`${name} is BAD_ANSWER`, async () => {
        for (const subject of SUBJECTS)
          await hears(name, one, () => ask(subject), [502, "BAD_ANSWER"], subject);
      });
    }
    for (const [name, one] of Object.entries(TOO_MUCH)) {
      test(`${name} is BAD_ANSWER`, async () => {
        for (const subject of by === "a peer" ? SUBJECTS : SUBJECTS.slice(0, 2))
          await hears(name, one, () => ask(subject), [502, "BAD_ANSWER"], subject);
      });
    }
  });
}

test("streams that HTTP cannot carry are BAD_ANSWER", async () => {
  const wrong: Readonly<Record<string, Mistake>> = {
    "a stream in a value": () => ({ stream: new ReadableStream() }),
    "a stream both ways": () => Duplex.from(async function* () {}),
    "a stream to be written to": () => new WritableStream(),
  };
  for (const [name, one] of Object.entries(wrong)) {
    for (const subject of SUBJECTS)
      await hears(name, one, () => byHttp(subject), [502, "BAD_ANSWER"], subject);
  }
});

test("40 KB of headers of an app are BAD_ANSWER", async () => {
  await hears(
    "headers",
    () => undefined,
    () => byHttp("app"),
    [502, "BAD_ANSWER"],
    "app",
  );
});

test("what a handler means for its caller stays what it is", async () => {
  mistake = () => {
    throw new LintelError("invalid_argument", "no such size", { reason: "BAD_PAYLOAD" });
  };
  told.length = 0;
  for (const subject of SUBJECTS) {
    const { status, reason } = await byHttp(subject);
    assert.deepEqual([status, reason], [400, "BAD_PAYLOAD"]);
  }
  assert.deepEqual(told, []);
});
