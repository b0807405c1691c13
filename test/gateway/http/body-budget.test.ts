/** Bodies of all requests in flight have a bound together. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createHub } from "../../../src/index.ts";
import { BodyBudget } from "../../../src/gateway/http/body-limit.ts";
import { openGateway, RawCaller, reasonOf, text, type RawResponse } from "./harness.ts";

const post = (path: string, headers: string, body = ""): string =>
  `POST ${path} HTTP/1.1\r\nHost: localhost\r\n${headers}\r\n\r\n${body}`;
const declared = (path: string, length: number): string =>
  post(path, `Content-Type: text/plain\r\nContent-Length: ${length}`, "x".repeat(length));

function assertFull(response: RawResponse | undefined): void {
  assert.equal(response?.status, 503, response?.body);
  assert.equal(reasonOf(response.body), "IN_FLIGHT_FULL");
  assert.deepEqual([response.headers.get("retry-after"), response.headers.get("connection")], ["1", "close"]);
}

test("what does not fit is refused before it is read, until what is held has an outcome", async (context) => {
  const bodies = new BodyBudget(100);
  const gateway = await openGateway(context, {}, { bodies });
  const slow = gateway.serve("slow", () => undefined);
  gateway.serve("quick", () => text("ok"));
  const first = new RawCaller(gateway.port).send(declared("/slow", 60));
  const job = await slow.next();
  assert.equal(bodies.held, 60);
  const second = new RawCaller(gateway.port).send(
    post("/quick", "Content-Length: 41\r\nExpect: 100-continue"),
  );
  assertFull(await second.response());
  const fitting = new RawCaller(gateway.port).send(declared("/quick", 40));
  assert.equal((await fitting.response())?.body, "ok");
  assert.equal((await fitting.send("GET /quick HTTP/1.1\r\nHost: localhost\r\n\r\n").response())?.body, "ok");
  slow.registration.reply(job.number, text("done"));
  assert.equal((await first.response())?.body, "done");
  assert.equal((await first.send(declared("/quick", 100)).response())?.body, "ok");
  assert.equal(bodies.held, 0);
  for (const caller of [first, second, fitting]) caller.close();
});

test("a body of unknown length is refused where the room ends", async (context) => {
  const bodies = new BodyBudget(100);
  const gateway = await openGateway(context, {}, { bodies });
  const { jobs } = gateway.serve("quick", () => text("ok"));
  const chunk = `32\r\n${"x".repeat(50)}\r\n`;
  const caller = new RawCaller(gateway.port).send(
    post("/quick", "Transfer-Encoding: chunked", chunk.repeat(3)),
  );
  assertFull(await caller.response());
  await caller.end();
  assert.deepEqual([bodies.held, jobs.length], [0, 0]);
  caller.close();
});

test("callers that leave, and requests that are refused, give back what they held", async (context) => {
  const bodies = new BodyBudget(100);
  const gateway = await openGateway(context, { bodyLimit: 80 }, { bodies });
  const slow = gateway.serve("slow", () => undefined);
  const leaving = new RawCaller(gateway.port).send(declared("/slow", 60));
  await slow.next();
  leaving.close();
  await slow.canceled();
  assert.equal(bodies.held, 0);
  const caller = new RawCaller(gateway.port);
  caller.send(post("/slow", "Transfer-Encoding: chunked", `51\r\n${"x".repeat(81)}\r\n`));
  assert.equal((await caller.response())?.status, 413);
  caller.close();
  const none = await fetch(`${gateway.url}/nobody`, { method: "POST", body: "x".repeat(70) });
  assert.equal(none.status, 503);
  assert.equal(bodies.held, 0);
});

test("the body of a request whose answer is fetched later is held until there is one", async (context) => {
  const bodies = new BodyBudget(100);
  const gateway = await openGateway(context, {}, { bodies });
  const slow = gateway.serve("slow", () => undefined);
  const later = async (): Promise<string> => {
    const body = "x".repeat(60);
    const headers = { prefer: "respond-async" };
    const response = await fetch(`${gateway.url}/slow`, { method: "POST", body, headers });
    assert.equal(response.status, 202);
    return response.headers.get("location")!;
  };
  await later();
  const job = await slow.next();
  assert.equal(bodies.held, 60);
  const full = new RawCaller(gateway.port).send(declared("/slow", 60));
  assertFull(await full.response());
  full.close();
  slow.registration.reply(job.number, text("done"));
  assert.equal(bodies.held, 0);
  const location = await later();
  assert.equal(bodies.held, 60);
  assert.equal((await fetch(`${gateway.url}${location}`, { method: "DELETE" })).status, 204);
  assert.equal(bodies.held, 0);
});

test("all gateways of a hub share it, and none may take a body that would never fit", async (context) => {
  const limits = { httpBodies: 100, payload: 100 };
  const hub = await createHub({ listen: [], http: { port: 0 }, limits });
  context.after(() => hub.close());
  let entered: () => void = () => undefined;
  const held = new Promise<void>((resolve) => {
    entered = resolve;
  });
  await hub.serve("slow", () => {
    entered();
    return new Promise(() => undefined);
  });
  const lintel = await hub.handler();
  const caller = new RawCaller(Number(new URL(hub.httpUrl!).port)).send(declared("/slow", 60));
  await held;
  const response = await lintel.fetch(new Request("http://a/slow", { method: "POST", body: "x".repeat(60) }));
  assert.deepEqual([response.status, reasonOf(await response.text())], [503, "IN_FLIGHT_FULL"]);
  caller.close();
  await assert.rejects(hub.handler({ bodyLimit: 101 }), { code: "invalid_argument" });
});
