/** T-63: each request has one outcome, whatever the server and the network do, and nothing is left of it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { FakeClock } from "../../src/testing/fake-clock.ts";
import { connectWith } from "../../src/text/client.ts";
import { headerOf } from "../../src/text/message.ts";
import { seededRandom } from "../gateway/jobs/random.ts";
import { FakeServer } from "./fake-server.ts";

const REQUESTS = 10_000;

test("ten thousand requests, with answers, refusals, duplicates, silence and lost connections at random", async () => {
  const seed = Math.trunc(Math.random() * 2 ** 32);
  const random = seededRandom(seed);
  const clock = new FakeClock();
  const server = new FakeServer();
  const opening = connectWith(server.open, "ws://hub", { onError: () => undefined }, { clock, random });
  await turn();
  let guid = 0;
  const welcome = (): void => server.last.welcomes(String(++guid).padStart(20, "0"));
  welcome();
  const peer = await opening;
  server.last.sent.length = 0;
  const counts = new Map<string, number>();
  let settled = 0;
  let asked = 0;
  /** What the server has not answered, and what it answers a second time: by connection gone all the same. */
  let held: string[] = [];

  function ask(): void {
    const id = String(++asked);
    const aborting = new AbortController();
    peer.request("t", id, { timeout: 1 + Math.trunc(random() * 400), signal: aborting.signal }).then(
      ({ body }) => {
        assert.equal(body, id, `seed ${seed}: an answer for another request`);
        count("answered");
      },
      (error: unknown) =>
        count(error instanceof Error ? ((error as { reason?: string }).reason ?? error.message) : "?"),
    );
    if (random() < 0.05) aborting.abort(new Error("aborted"));
  }
  const count = (outcome: string): void => {
    settled++;
    counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
  };

  /** What the server does with what it has got. */
  function serve(): void {
    for (const { headers, body } of server.last.takes()) held.push(`${headerOf(headers, "reqid")} ${body}`);
    held = held.filter((request) => {
      const [id = "", body = ""] = request.split(" ");
      const luck = random();
      if (luck < 0.3) server.last.says("RES", "t", [["ReqID", id]], body);
      else if (luck < 0.4)
        server.last.says(
          "PUB",
          "ERROR",
          [
            ["ReqID", id],
            ["reason", "REFUSED"],
          ],
          "no REQ t",
        );
      return luck >= 0.4 || luck < 0.02; // some are answered again
    });
    if (random() < 0.03) {
      server.last.ends();
      held = held.filter(() => random() < 0.5); // and some on another connection
    }
  }

  while (asked < REQUESTS) {
    for (let burst = random() * 20; burst > 0 && asked < REQUESTS; burst--) ask();
    await turn();
    if (server.last.readyState === 1) serve();
    clock.advance(random() * 30);
    await turn();
    if (server.last.readyState === 0 && random() < 0.7) welcome();
    await turn();
  }
  clock.advance(400);
  await turn();
  const told = `seed ${seed}: ${JSON.stringify([...counts])}`;
  assert.equal(settled, REQUESTS, told);
  for (const outcome of ["answered", "REFUSED", "DEADLINE", "CONNECTION_LOST", "NOT_CONNECTED", "aborted"])
    assert.ok((counts.get(outcome) ?? 0) > 0, `${told} has no ${outcome}`);
  peer.close();
  assert.equal(clock.pending, 0, told);
});
