/** A publisher at one gateway, a subscriber at another. */
import assert from "node:assert/strict";
import type { GatewaySupports, Received } from "../driver.ts";
import { lackOf, type Bench, type GatewayCase } from "../gateway-case.ts";
import { SAMPLES, SAMPLE_NAMES, jsonOf, type Payload, type SampleName } from "../payload.ts";
import { arrived, firstSample, refusalOf } from "./requests.ts";

const IN_A_ROW = 50;
const HEADERS = { "x-note": "two words, and a comma" };

function publishCase(name: string, lack: GatewayCase["lack"], run: GatewayCase["run"]): GatewayCase {
  return { relation: "publish", name, lack, run };
}

/** What every publisher can say, and what a subscriber makes of it. */
const NUMBERED: SampleName = "a list of texts";
const numbered = (n: number): Payload => jsonOf(JSON.stringify([`number ${n}`]));
const carriesNumbers = (from: GatewaySupports, to: GatewaySupports): string | undefined =>
  lackOf(from.sends[NUMBERED], to.receives[NUMBERED]);

const unsubscribes = (from: GatewaySupports, to: GatewaySupports): string | undefined =>
  lackOf(to.unsubscribes, carriesNumbers(from, to));

const publish = ({ from, subject }: Bench, payload: Payload, headers = {}): Promise<void> =>
  from.publish!(subject, { payload, headers });

const carries = (sample: SampleName): GatewayCase =>
  publishCase(
    `carries ${sample}`,
    (from, to) => lackOf(from.sends[sample], to.receives[sample]),
    async (bench, from, to) => {
      const listening = await bench.to.subscribe!(bench.subject);
      await publish(bench, SAMPLES[sample]);
      if (refusalOf(to.receives[sample]) !== undefined) {
        const other = firstSample(from.sends);
        await publish(bench, other); // which is the first that comes
        return assert.deepEqual((await listening.next()).payload, other);
      }
      return assert.deepEqual((await listening.next()).payload, arrived(to.receives[sample], sample));
    },
  );

export const PUBLICATIONS: readonly GatewayCase[] = [
  ...SAMPLE_NAMES.map(carries),
  publishCase(
    "carries a header",
    (from, to) => lackOf(from.headers, to.headers, carriesNumbers(from, to)),
    async (bench) => {
      const listening = await bench.to.subscribe!(bench.subject);
      await publish(bench, numbered(0), HEADERS);
      assert.equal((await listening.next()).headers["x-note"], HEADERS["x-note"]);
    },
  ),
  publishCase(`keeps the order of ${IN_A_ROW} publications`, carriesNumbers, async (bench) => {
    const listening = await bench.to.subscribe!(bench.subject);
    for (let n = 0; n < IN_A_ROW; n++) await publish(bench, numbered(n));
    const received: Received[] = [];
    while (received.length < IN_A_ROW) received.push(await listening.next());
    assert.deepEqual(
      received.map(({ payload }) => payload),
      Array.from({ length: IN_A_ROW }, (_, n) => numbered(n)),
    );
  }),
  publishCase("reaches each of two subscribers once", carriesNumbers, async (bench) => {
    const other = await bench.another("to");
    const both = [await bench.to.subscribe!(bench.subject), await other.subscribe!(bench.subject)];
    for (const n of [1, 2]) await publish(bench, numbered(n));
    for (const listening of both)
      for (const n of [1, 2]) assert.deepEqual((await listening.next()).payload, numbered(n));
  }),
  publishCase("reaches no subscriber that has unsubscribed", unsubscribes, async (bench) => {
    const other = await bench.another("to");
    const left = await bench.to.subscribe!(bench.subject);
    const stays = await other.subscribe!(bench.subject);
    await left.close();
    await publish(bench, numbered(1));
    assert.deepEqual((await stays.next()).payload, numbered(1));
    const again = await bench.to.subscribe!(bench.subject);
    await publish(bench, numbered(2));
    assert.deepEqual((await again.next()).payload, numbered(2));
    assert.equal(left.waiting, 0);
  }),
];
