/** Every call and every request has one outcome, whatever ends meanwhile (C-20, C-23, C-30, C-36). */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import type { LintelError } from "../../../src/message/failure.ts";
import { until } from "../../house/until.ts";
import { seededRandom } from "../jobs/random.ts";
import type { RawClient } from "./raw-client.ts";
import { SCHEMES, Scene } from "./harness.ts";

const CALLS = 10_000;

function randomOf(): { readonly random: () => number; readonly seed: number } {
  const seed = Math.floor(Math.random() * 2 ** 32);
  return { random: seededRandom(seed), seed };
}

test(`C-20: ${CALLS} calls with clients and workers that leave at random have one outcome each`, async () => {
  const { random, seed } = randomOf();
  await using scene = await Scene.open({ serve: ["client.>"] });
  await scene.hub.serve("late", async (value) => {
    for (let turns = Math.floor(random() * 4); turns > 0; turns--) await turn();
    return value;
  });
  /** Replies, by the key of their call. */
  const replies = new Map<string, number>();
  const outcomes = new Map<string, number>();
  const clients: RawClient[] = [];
  const arrive = async (): Promise<RawClient> => {
    const client = await scene.connect(SCHEMES[Math.floor(random() * 2)]);
    client.handles("client.echo", ({ key, body }) => ({ key: key!, action: "drs.response", body }));
    client.onReply = ({ key }) => replies.set(key!, (replies.get(key!) ?? 0) + 1);
    clients.push(client);
    return client;
  };
  for (let index = 0; index < 8; index++) await arrive();
  const asked: Promise<unknown>[] = [];
  for (let call = 0; call < CALLS; call++) {
    const place = Math.floor(random() * clients.length);
    const client = clients[place]!;
    const which = random();
    if (which < 0.03) {
      clients.splice(place, 1);
      client.leave();
      await arrive();
    } else if (which < 0.5) {
      const request = scene.hub.request("client.echo", call).then(
        (value) => (value === call ? "answered" : `another's answer: ${String(value)}`),
        (error: LintelError) => error.reason,
      );
      asked.push(request.then((outcome) => outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)));
    } else client.send({ key: `${call}`, action: random() < 0.5 ? "late" : "client.echo", body: call });
    if (call % 50 === 0) await turn();
  }
  await Promise.all(asked);
  await until(() => scene.hub.stats().inFlight === 0 && scene.stats.calls === 0, `the rest, seed ${seed}`);
  const repeated = [...replies].filter(([, count]) => count !== 1);
  assert.deepEqual(repeated, [], `seed ${seed}`);
  const unexpected = [...outcomes.keys()].filter(
    (one) => !/^(answered|WORKER_LOST|NO_RESPONDERS)$/.test(one),
  );
  assert.deepEqual(unexpected, [], `seed ${seed}`);
  assert.ok(outcomes.get("answered")! > 0, `seed ${seed}`);
  // What is left is as it was at first.
  assert.deepEqual([scene.stats.jobs, scene.stats.connections], [0, 8], `seed ${seed}`);
  assert.equal(await scene.hub.request("client.echo", "still"), "still");
});

test("C-4: bytes that are no commands harm nobody else", async () => {
  const { random, seed } = randomOf();
  await using scene = await Scene.open({ maxCommand: 10_000 });
  await scene.hub.serve("echo", (value) => value);
  const good = await scene.connect();
  const pieces = [
    '{"action":"echo"',
    '"',
    "{",
    "}",
    "[",
    "]",
    "\\",
    '{"key":"k","action":"echo","body":[1]}',
    "\u0000",
    "é",
    ":",
    "1",
  ];
  for (let round = 0; round < 40; round++) {
    const client = await scene.connect(SCHEMES[round % 2]);
    const count = Math.floor(random() * 20);
    for (let index = 0; index < count && !client.isClosed; index++) {
      const text = pieces[Math.floor(random() * pieces.length)]!;
      const bytes = Buffer.from(text);
      if (random() < 0.1) bytes[0] = 0xff;
      client.sendRaw(bytes);
    }
    assert.equal((await good.call("echo", round)).body, round, `seed ${seed}`);
    client.leave();
  }
  await until(() => scene.stats.connections === 1, `the end of the others, seed ${seed}`);
  assert.equal(scene.hub.stats().inFlight, 0);
});

test("what is none of JSON's UTF-8 ends the connection", async () => {
  await using scene = await Scene.open();
  for (const scheme of SCHEMES) {
    const client = await scene.connect(scheme);
    client.sendRaw(Buffer.from([...Buffer.from('{"action":"a","body":"'), 0xff, 0x22, 0x7d]));
    await client.closed();
    if (scheme === "ws") assert.equal(client.closeCode, 1007);
  }
  assert.equal(scene.stats.malformed, 2);
});
