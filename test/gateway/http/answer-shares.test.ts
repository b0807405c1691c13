/** One caller cannot fill the store of answers that are fetched later. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { failure } from "../../../src/message/failure.ts";
import { callFrom, type Answered } from "../call-from.ts";
import { openGateway, text, type Gateway } from "./harness.ts";

const LATER = { prefer: "respond-async" };

function ask(gateway: Gateway, path: string, from = "127.0.0.1", body = ""): Promise<Answered> {
  return callFrom(from, gateway.url + path, { method: "POST", headers: LATER, body });
}

/** Why nobody takes a request, and what makes it so. */
const UNTAKEN: Readonly<Record<string, (gateway: Gateway) => void>> = {
  NO_RESPONDERS: () => undefined,
  QUEUE_FULL: (gateway) => {
    gateway.serve("x", () => ({ ...failure("QUEUE_FULL") }));
  },
  DRAINING: (gateway) => {
    void gateway.engine.drain();
  },
};

for (const [reason, prepare] of Object.entries(UNTAKEN)) {
  test(`a request that nobody takes (${reason}) is answered at once, and nothing is kept`, async (context) => {
    const gateway = await openGateway(context, { asyncAnswers: { max: 2 } });
    gateway.serve("served", () => text("done"));
    prepare(gateway);
    for (let count = 0; count < 5; count++) {
      const { status, headers, reason: told } = await ask(gateway, "/x");
      assert.deepEqual([status, told, headers["retry-after"]], [503, reason, "1"]);
      assert.deepEqual([headers["location"], headers["preference-applied"]], [undefined, undefined]);
    }
    if (reason !== "DRAINING") assert.equal((await ask(gateway, "/served")).status, 202);
  });
}

test("one caller keeps its share of the answers pending, and others get in", async (context) => {
  const gateway = await openGateway(context, { asyncAnswers: { max: 64 } });
  gateway.serve("slow", () => undefined);
  for (let count = 0; count < 16; count++) assert.equal((await ask(gateway, "/slow")).status, 202);
  const refused = await ask(gateway, "/slow");
  assert.deepEqual([refused.status, refused.reason], [503, "IN_FLIGHT_FULL"]);
  const other = await ask(gateway, "/slow", "127.0.0.2");
  assert.equal(other.status, 202);
  const mine = await ask(gateway, "/slow", "127.0.0.2");
  await callFrom("127.0.0.2", gateway.url + String(mine.headers["location"]), { method: "DELETE" });
  const all = await openGateway(context, { asyncAnswers: { max: 20 }, callerShare: 100 });
  all.serve("slow", () => undefined);
  for (let count = 0; count < 20; count++) assert.equal((await ask(all, "/slow")).status, 202);
  assert.equal((await ask(all, "/slow", "127.0.0.2")).status, 503, "there is only the bound for all");
});

test("the answers of one caller that are too large push out its own, not another's", async (context) => {
  const gateway = await openGateway(context, { asyncAnswers: { maxBytes: 100 }, bodyLimit: 40 });
  gateway.serve("echo", (job) => text(job.body.toString()));
  const other = await ask(gateway, "/echo", "127.0.0.2", "x".repeat(20));
  const mine: Answered[] = [];
  for (let count = 0; count < 6; count++) mine.push(await ask(gateway, "/echo", "127.0.0.1", "x".repeat(20)));
  const look = async ({ headers }: Answered): Promise<number> =>
    (await callFrom("127.0.0.1", gateway.url + String(headers["location"]), { method: "HEAD" })).status;
  assert.deepEqual(await Promise.all([other, ...mine].map(look)), [200, 404, 404, 404, 404, 200, 200]);
});
