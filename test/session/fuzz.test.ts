import assert from "node:assert/strict";
import { test } from "node:test";
import { FrameType } from "../../src/wire/frame.ts";
import { sayings } from "../wire/frame-bytes.ts";
import { vectors } from "../wire/vectors.ts";
import { openHarness, settled } from "./harness.ts";

const SEED = Number(process.env["FUZZ_SEED"] ?? 20_261_121);
const RUNS = 2_500;
const MAX_CPU_MS = 50;

/** A small generator of numbers, so that a run can be repeated from its seed (mulberry32). */
function randomFrom(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

type Pick = (below: number) => number;

const MUTATIONS: readonly ((bytes: Buffer, pick: Pick) => Buffer)[] = [
  (bytes, pick) => {
    const copy = Buffer.from(bytes);
    if (copy.length > 0) copy[pick(copy.length)] = pick(256);
    return copy;
  },
  (bytes, pick) => {
    const copy = Buffer.from(bytes);
    if (copy.length > 0) copy[pick(copy.length)]! ^= 1 << pick(8);
    return copy;
  },
  (bytes, pick) => {
    const copy = Buffer.from(bytes);
    if (copy.length < 16) return copy;
    const field = [0, 8, 12][pick(3)]!;
    copy.writeUInt32LE([0, 1, 2, 65_535, 65_536, 0x7fffffff, 0xffffffff][pick(7)]!, field);
    return copy;
  },
  (bytes, pick) => {
    const copy = Buffer.from(bytes);
    if (copy.length >= 16) copy.writeUInt16LE([0, 1, copy.length - 16, 65_535][pick(4)]!, 6);
    return copy;
  },
  (bytes, pick) => bytes.subarray(0, pick(bytes.length + 1)),
  (bytes, pick) => {
    const at = pick(bytes.length + 1);
    const more = Buffer.from(Array.from({ length: pick(20) }, () => pick(256)));
    return Buffer.concat([bytes.subarray(0, at), more, bytes.subarray(at)]);
  },
  (bytes) => Buffer.concat([bytes, bytes]),
];

const CORPUS = [...vectors.frames, ...vectors.malformed].map(({ hex }) => Buffer.from(hex, "hex"));

/** A few frames in a row, one or more of them spoilt, cut anywhere. */
function attack(pick: Pick): Buffer[] {
  let bytes: Buffer = Buffer.concat(
    Array.from({ length: 1 + pick(5) }, () => {
      let frame: Buffer = CORPUS[pick(CORPUS.length)]!;
      for (let rounds = pick(3); rounds > 0; rounds--)
        frame = MUTATIONS[pick(MUTATIONS.length)]!(frame, pick);
      return frame;
    }),
  );
  const chunks: Buffer[] = [];
  while (bytes.length > 0) {
    const size = pick(4) === 0 ? 1 + pick(bytes.length) : bytes.length;
    chunks.push(bytes.subarray(0, size));
    bytes = bytes.subarray(size);
  }
  return chunks;
}

test(`mutated frames never make a session throw or think for long (seed ${SEED})`, async () => {
  const reasons = new Map<string, number>();
  let slowest = 0;
  for (let run = 0; run < RUNS; run++) {
    const pick = randomFrom(SEED + run);
    const role = pick(4) === 0 ? "dialer" : "acceptor";
    const { session, raw, owner } = await openHarness({
      role,
      takesEnable: pick(2) === 0,
      ...(pick(5) === 0 ? { greeting: false } : {}),
    });
    for (const chunk of attack(pick)) {
      const before = process.cpuUsage();
      raw.send(chunk); // arrives in a later turn: what a session throws there ends the process, and this test with it
      await new Promise((resolve) => setImmediate(resolve));
      const { user, system } = process.cpuUsage(before);
      slowest = Math.max(slowest, (user + system) / 1_000);
    }
    await settled();
    if (session.state === "open" || session.state === "greeting") continue;
    await owner.next("closed");
    const reason = String(owner.last("ended")?.["reason"]);
    reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
    const close = raw.of(FrameType.close)[0];
    if (close !== undefined) assert.equal(sayings(close)["reason"], reason, `seed ${SEED + run}`);
  }
  assert.ok(
    (reasons.get("BAD_FRAME") ?? 0) > RUNS / 10,
    `the attacks reach what they aim at: ${JSON.stringify([...reasons])}`,
  );
  assert.ok(slowest < MAX_CPU_MS, `the slowest chunk took ${slowest} ms of the processor`);
});
