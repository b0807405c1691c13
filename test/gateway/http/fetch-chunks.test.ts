/** The body of a request that comes by `fetch` is the bytes of its chunks, and never more. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createHub } from "../../../src/index.ts";
import { GOOD_CHUNKS, WRONG_CHUNKS } from "../../peer/chunk-table.ts";

test("chunks of the platform's Request", async () => {
  const hub = await createHub({ http: false });
  const gateway = await hub.handler();
  await hub.serve("length", (_value, { body }) => Buffer.from(body).toString("latin1"));
  const call = (chunk: unknown): Promise<Response> => {
    const body = new ReadableStream({
      start(controller) {
        controller.enqueue(chunk);
        controller.close();
      },
    });
    const headers = { "content-type": "application/octet-stream" };
    return gateway.fetch(new Request("http://hub/length", { method: "POST", body, headers, duplex: "half" }));
  };
  try {
    for (const [name, { make, text }] of Object.entries(GOOD_CHUNKS)) {
      assert.equal(Buffer.from(await (await call(make())).text(), "utf8").toString(), text, name);
    }
    for (const [name, make] of Object.entries(WRONG_CHUNKS)) {
      assert.equal((await call(make())).status, 499, name);
    }
  } finally {
    await hub.close();
  }
});
