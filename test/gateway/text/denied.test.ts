/**
 * T-8: what a client's key may not do has no effect at all. Each command, by each key, before it is enabled, while it is in
 * each way in which it can be, and after the last service that has enabled it is gone.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { EnabledVerb, Hub } from "../../../src/index.ts";
import {
  CLIENT,
  COMMANDS,
  GRANTED,
  OBSERVER,
  SERVICE,
  Target,
  openHub,
  targetOf,
  type Command,
  type Effect,
} from "./effects.ts";

interface Row {
  /** What it does where it is allowed. */
  readonly effect: Effect;
  /** The verb that a service can enable; undefined where none can. */
  readonly enabled?: EnabledVerb;
  /** The commands of the text protocol that enable it. */
  readonly by?: readonly string[];
  /** A client may do it if its key is granted it. */
  readonly granted: boolean;
}

const ROWS: Readonly<Record<Command, Row>> = {
  PUB: { effect: "published", enabled: "publish", by: ["EPUB", "EREQ"], granted: true },
  SUB: { effect: "subscribed", enabled: "subscribe", by: ["ESUB"], granted: true },
  REQ: { effect: "requested", enabled: "request", by: ["EREQ"], granted: true },
  RES: { effect: "answered", granted: false },
  EREQ: { effect: "responds", granted: true },
  EPUB: { effect: "allowed publish", granted: false },
  ESUB: { effect: "allowed subscribe", granted: false },
  INT: { effect: "user set", granted: false },
};

let hub: Hub;
before(async () => void (hub = await openHub()));
after(() => hub.close());
let targets = 0;

const open = (command: Command, key: string): Promise<Target> =>
  Target.open(hub, targetOf(key, ++targets), command, key);

/** Nothing came of it, and the client was told so once. */
async function hasNoEffect(target: Target, command: Command, reasons = /^PERMISSION_DENIED$/): Promise<void> {
  const { effects, told } = await target.attempt();
  assert.deepEqual(effects, []);
  assert.equal(told.length, 1, told.join());
  assert.match(told[0]!, new RegExp(` ${command} `));
  assert.match(/\r\nreason:(\w+)\r\n/.exec(told[0]!)![1]!, reasons);
}

async function hasEffect(target: Target, effect: Effect): Promise<void> {
  const { effects, told } = await target.attempt();
  assert.deepEqual([effects.includes(effect), told], [true, []], effects.join());
}

for (const command of COMMANDS) {
  const { effect, enabled, by = [], granted } = ROWS[command];
  describe(command, { concurrency: true }, () => {
    test("of a client has no effect", async () => {
      await using target = await open(command, CLIENT);
      await hasNoEffect(target, command);
      await hasNoEffect(target, command);
    });

    test("of an observer has no effect", async () => {
      await using target = await open(command, OBSERVER);
      const { effects } = await target.attempt();
      // It hears everything, which is no effect of what it says.
      assert.deepEqual(
        effects.filter((one) => one !== "subscribed"),
        [],
      );
    });

    test(`of a service has the effect "${effect}", unless somebody else holds the request`, async () => {
      await using target = await open(command, SERVICE);
      if (command !== "RES") await hasEffect(target, effect);
      else {
        await hasNoEffect(target, command, /^NO_SUCH_JOB$/);
        await target.answer();
      }
    });

    test(`of a client with grants has ${granted ? "its" : "no"} effect`, async () => {
      await using target = await open(command, GRANTED);
      if (granted) await hasEffect(target, effect);
      else await hasNoEffect(target, command, /^(PERMISSION_DENIED|NO_SUCH_JOB)$/);
    });

    for (const way of enabled === undefined ? [] : [...by, "native", "commands", "hub"])
      test(`of a client has its effect while ${way} has enabled it, until the last that did is gone`, async () => {
        await using target = await open(command, CLIENT);
        await hasNoEffect(target, command);
        const ends = [await target.enable(way, enabled!), await target.enable(way, enabled!)];
        await hasEffect(target, effect);
        await ends[0]!();
        await hasEffect(target, effect);
        await ends[1]!();
        await target.ended(async () => !(await target.attempt()).effects.includes(effect));
        await hasNoEffect(target, command);
      });
  });
}
