/** A `content-length` that is not the length of the body: no call hangs, nothing of it reaches another call. */
import assert from "node:assert/strict";
import { type IncomingMessage, type ServerResponse } from "node:http";
import { describe, test, type TestContext } from "node:test";
import { setImmediate as turn, setTimeout as sleep } from "node:timers/promises";
import { connect, createHub } from "../../src/index.ts";
import { RawCaller, reasonOf } from "../gateway/http/harness.ts";
import { behindHub } from "./behind-hub.ts";

/** What the caller gets: a problem, a body that is cut off, or the whole. */
type Outcome = "502" | "cut off" | "whole";

interface Case {
  readonly method?: string;
  readonly answer: (response: ServerResponse) => unknown;
  readonly outcome: Outcome;
  /** The worker's log says something. */
  readonly told: boolean;
}

const declared =
  (length: number | string | string[], status = 200) =>
  (response: ServerResponse) =>
    response.writeHead(status, { "content-length": length as string });

const LISTENER: Readonly<Record<string, Case>> = {
  "too large, at once": { answer: (r) => declared(10)(r).end("abc"), outcome: "cut off", told: true },
  "too large, no body": { answer: (r) => declared(10)(r).end(), outcome: "cut off", told: true },
  "too large, later": {
    answer: async (r) => {
      declared(10)(r).write("abc");
      await sleep(10);
      r.end();
    },
    outcome: "cut off",
    told: true,
  },
  "too large, a large body": {
    answer: (r) => declared(1_000_000)(r).end("x".repeat(300_000)),
    outcome: "cut off",
    told: true,
  },
  "too small, at once": { answer: (r) => declared(2)(r).end("abc"), outcome: "502", told: true },
  "0, with a body": { answer: (r) => declared(0)(r).end("abc"), outcome: "502", told: true },
  "too small, later": {
    answer: async (r) => {
      declared(3)(r).write("abc");
      await sleep(10);
      r.end("def");
    },
    outcome: "whole",
    told: true,
  },
  "no number": { answer: (r) => declared("abc")(r).end("abc"), outcome: "502", told: true },
  "two of them": { answer: (r) => declared(["3", "4"])(r).end("abc"), outcome: "502", told: true },
  right: { answer: (r) => declared(3)(r).end("abc"), outcome: "whole", told: false },
  "right, the end later": {
    answer: async (r) => {
      declared(3)(r).write("abc");
      await sleep(10);
      r.end();
    },
    outcome: "whole",
    told: false,
  },
  "of a HEAD": { method: "HEAD", answer: (r) => declared(10)(r).end(), outcome: "whole", told: false },
  "no number, of a HEAD": {
    method: "HEAD",
    answer: (r) => declared("abc")(r).end(),
    outcome: "502",
    told: true,
  },
  "of a 204": { answer: (r) => declared(10, 204)(r).end(), outcome: "whole", told: false },
  "of a 304": { answer: (r) => declared(10, 304)(r).end(), outcome: "whole", told: false },
};

function streamOf(chunks: readonly string[], slowly: boolean): ReadableStream {
  let next = 0;
  return new ReadableStream({
    async pull(controller) {
      if (slowly) await sleep(5);
      if (next < chunks.length) controller.enqueue(Buffer.from(chunks[next++]!));
      else controller.close();
    },
  });
}

/** The body of a Response or of a handler's answer, what is said of its length, and what becomes of it. */
const STREAMS: Readonly<
  Record<string, { chunks: string[]; length: string; slowly: boolean; outcome: Outcome }>
> = {
  "too large": { chunks: ["abc"], length: "10", slowly: true, outcome: "cut off" },
  "too large, without a body": { chunks: [], length: "10", slowly: true, outcome: "cut off" },
  "too small": { chunks: ["abc", "def"], length: "4", slowly: true, outcome: "cut off" },
  "no number": { chunks: ["abc"], length: "abc", slowly: true, outcome: "502" },
  right: { chunks: ["abc", "def"], length: "6", slowly: true, outcome: "whole" },
};

/** The outcome that a raw caller sees, who waits for at most a second. */
async function outcomeOf(port: number, method: string, path: string): Promise<Outcome> {
  const caller = new RawCaller(port).send(`${method} ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  try {
    const late = sleep(2_000, undefined, { ref: false }).then(() => assert.fail(`${path}: it hangs`));
    const response = await Promise.race([caller.response(method === "HEAD"), late]);
    if (response === undefined) return "cut off";
    if (response.status !== 502) return "whole";
    if (method !== "HEAD") assert.equal(reasonOf(response.body), "BAD_ANSWER");
    return "502";
  } finally {
    caller.close();
  }
}

describe("content-length of a listener's answer", () => {
  for (const [name, { method = "GET", answer, outcome, told }] of Object.entries(LISTENER)) {
    test(name, async (context) => {
      const { hub, errors } = await behindHub(
        context,
        (request: IncomingMessage, response: ServerResponse) => {
          if (request.url === "/next") response.end("next");
          else void answer(response);
        },
      );
      const port = Number(new URL(hub.httpUrl!).port);
      assert.equal(await outcomeOf(port, method, "/app/x"), outcome);
      for (let n = 0; n < 20; n++) {
        const next = await fetch(`${hub.httpUrl}/app/next`);
        assert.deepEqual([next.status, await next.text()], [200, "next"]);
        await sleep(1);
      }
      assert.equal(errors.length, told ? 1 : 0, errors.map(String).join());
    });
  }
});

async function handled(
  context: TestContext,
  handler: Parameters<Awaited<ReturnType<typeof connect>>["serve"]>[1],
): Promise<{ port: number; errors: unknown[] }> {
  const errors: unknown[] = [];
  const hub = await createHub({ http: { port: 0 }, listen: ["tcp://127.0.0.1:0"] });
  const peer = await connect(hub.urls[0]!, { onError: (error) => void errors.push(error) });
  context.after(async () => {
    await peer.close();
    await hub.close();
  });
  await peer.serve("x", handler);
  return { port: Number(new URL(hub.httpUrl!).port), errors };
}

describe("content-length of an answer that is a stream", () => {
  for (const [name, { chunks, length, slowly, outcome }] of Object.entries(STREAMS)) {
    test(`of a fetch handler: ${name}`, async (context) => {
      const { hub, errors } = await behindHub(context, {
        fetch: () => new Response(streamOf(chunks, slowly), { headers: { "content-length": length } }),
      });
      assert.equal(await outcomeOf(Number(new URL(hub.httpUrl!).port), "GET", "/app/x"), outcome);
      await turn();
      assert.equal(errors.length, outcome === "whole" ? 0 : 1, errors.map(String).join());
    });

    // A handler's stream that ends at once has sent nothing yet.
    const expected = chunks.length === 0 ? "502" : outcome;
    test(`of a handler: ${name}`, async (context) => {
      const { port, errors } = await handled(context, (_value, { reply }) => {
        reply.headers["content-length"] = length;
        return streamOf(chunks, slowly);
      });
      assert.equal(await outcomeOf(port, "GET", "/x"), expected);
      await turn();
      assert.equal(errors.length, outcome === "whole" ? 0 : 1, errors.map(String).join());
    });
  }

  test("an answer that is there as a whole has the length of its body, whatever was said", async (context) => {
    const { port } = await handled(context, (_value, { reply }) => {
      reply.headers["content-length"] = "10";
      return "abc";
    });
    const caller = new RawCaller(port).send("GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n");
    const response = await caller.response();
    caller.close();
    assert.equal(response?.body, "abc");
    assert.match(response.head, /^content-length: 3$/im);
  });
});
