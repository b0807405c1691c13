/** What a fetch handler may put into the stream of its Response, and what becomes of the rest. */
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { reasonOf } from "../gateway/http/harness.ts";
import { GOOD_CHUNKS, WRONG_CHUNKS, dirtyMemory } from "../peer/chunk-table.ts";
import { behindHub } from "./behind-hub.ts";

after(dirtyMemory());

/** An app that answers with these chunks, each in a turn of its own where `slowly`. */
function answers(chunks: readonly unknown[], slowly: boolean, canceled: () => void): () => Response {
  return () => {
    let next = 0;
    const stream = new ReadableStream({
      async pull(controller) {
        if (slowly) await new Promise((resolve) => setTimeout(resolve, 2));
        if (next < chunks.length) controller.enqueue(chunks[next++]);
        else controller.close();
      },
      cancel: canceled,
    });
    return new Response(stream, { headers: { "content-type": "application/octet-stream" } });
  };
}

async function textOf(response: Response): Promise<string> {
  return Buffer.from(await response.arrayBuffer()).toString("latin1");
}

for (const slowly of [false, true]) {
  describe(slowly ? "chunks that take their time" : "chunks that are there at once", () => {
    test("are the bytes they are, first or later", async (context) => {
      for (const [name, { make, text }] of Object.entries(GOOD_CHUNKS)) {
        for (const before of [[], ["first "]]) {
          const { url, errors, close } = await app(
            context,
            answers([...before, make(), "!"], slowly, () => undefined),
          );
          assert.equal(await textOf(await fetch(url)), `${before.join("")}${text}!`, name);
          assert.deepEqual(errors, [], name);
          await close();
        }
      }
    });

    test("that are no bytes break the answer off, and the app is told", async (context) => {
      for (const [name, make] of Object.entries(WRONG_CHUNKS)) {
        for (const before of [[], ["first "]]) {
          let isCanceled = false;
          const canceled = (): void => void (isCanceled = true);
          const chunks = [...before, make(), "never"];
          const { url, errors, close } = await app(context, answers(chunks, slowly, canceled));
          await assert.rejects(async () => {
            const response = await fetch(url);
            const text = await textOf(response);
            assert.equal(response.status, 500, name);
            assert.equal(reasonOf(text), "HANDLER_FAILED", name);
            throw new Error("a problem is an answer that is broken off, too");
          }, name);
          assert.equal(errors.length, 1, name);
          assert.ok(errors[0] instanceof TypeError, name);
          assert.ok(isCanceled, name);
          await close();
        }
      }
    });
  });
}

async function app(
  context: Parameters<typeof behindHub>[0],
  handler: () => Response,
): Promise<{ url: string; errors: unknown[]; close: () => Promise<void> }> {
  const { url, errors, hub, peer } = await behindHub(context, { fetch: handler });
  return {
    url,
    errors,
    close: async () => {
      await peer.close();
      await hub.close();
    },
  };
}
