/** A service at one gateway enables something for clients, a client at another does it. */
import assert from "node:assert/strict";
import type { EnabledVerb } from "../../../../message/delivery.ts";
import type { Listening, Outcome } from "../driver.ts";
import { lackOf, type Bench, type GatewayCase } from "../gateway-case.ts";
import { Mailbox } from "../mailbox.ts";
import { jsonOf, type Payload } from "../payload.ts";

const DENIED = "PERMISSION_DENIED";

/** What a client tries again and again: it must have its effect while it is enabled, and none at all otherwise. */
interface Trial {
  succeeds(): Promise<void>;
  fails(): Promise<void>;
}

/** What every client can say. */
const numbered = (n: number): Payload => jsonOf(JSON.stringify([`number ${n}`]));

function outcomeOf({ to }: Bench, subject: string, n = 0): Promise<Outcome> {
  return to.request!(subject, { payload: numbered(n) }).outcome;
}

function assertDenied(outcome: Outcome): void {
  assert.ok("failure" in outcome, "a request that is not enabled was answered");
  const { code = "permission_denied", reason = DENIED } = outcome.failure;
  assert.deepEqual([code, reason], ["permission_denied", DENIED]);
}

/** The worker is the hub itself: it is there whoever enables it. */
async function requesting(bench: Bench): Promise<Trial> {
  const { hub } = bench.hub;
  let executed = 0;
  await hub.serve(bench.subject, () => [`number ${++executed}`]);
  return {
    async succeeds() {
      assert.ok("answer" in (await outcomeOf(bench, bench.subject)), "it was enabled, and failed");
    },
    async fails() {
      const before = executed;
      assertDenied(await outcomeOf(bench, bench.subject));
      assert.equal(executed, before, "it was denied, and executed");
    },
  };
}

async function publishing(bench: Bench): Promise<Trial> {
  const { hub } = bench.hub;
  const heard = new Mailbox<unknown>();
  await hub.subscribe(bench.subject, (value) => heard.put(value));
  let n = 0;
  const publish = (): Promise<void> => bench.to.publish!(bench.subject, { payload: numbered(++n) });
  return {
    async succeeds() {
      await publish();
      assert.deepEqual(await heard.next(), [`number ${n}`]);
    },
    async fails() {
      // Not every client is told.
      await publish().catch((error: { readonly reason?: string }) => assert.equal(error.reason, DENIED));
      await outcomeOf(bench, `${bench.subject}.behind`); // which comes behind the publication
      assert.equal(heard.waiting, 0, "it was denied, and delivered");
    },
  };
}

function subscribing(bench: Bench): Trial {
  const { hub } = bench.hub;
  let n = 0;
  let listening: Listening | undefined;
  const publish = async (): Promise<void> => {
    await hub.publish(bench.subject, [`number ${++n}`]);
  };
  return {
    async succeeds() {
      listening ??= await bench.to.subscribe!(bench.subject);
      await publish();
      assert.deepEqual((await listening.next()).payload, numbered(n));
    },
    async fails() {
      await publish(); // for a subscription that should have ended
      await outcomeOf(bench, `${bench.subject}.behind`);
      assert.equal(listening?.waiting ?? 0, 0, "the subscription has not ended with what had enabled it");
      listening = undefined;
      await assert.rejects(bench.to.subscribe!(bench.subject), { reason: DENIED });
    },
  };
}

const TRIALS: Readonly<Record<EnabledVerb, (bench: Bench) => Trial | Promise<Trial>>> = {
  request: requesting,
  publish: publishing,
  subscribe: subscribing,
};

function enableCase(
  verb: EnabledVerb,
  name: string,
  run: (bench: Bench, trial: Trial) => Promise<void>,
): GatewayCase {
  return {
    relation: "enable",
    name: `${verb}: ${name}`,
    lack: (from, to) => lackOf(from.enable[verb], to.use[verb]),
    run: async (bench) => run(bench, await TRIALS[verb](bench)),
  };
}

const casesOf = (verb: EnabledVerb): readonly GatewayCase[] => [
  enableCase(
    verb,
    "allowed while a service enables it, and neither before nor after",
    async (bench, trial) => {
      await trial.fails();
      for (let times = 0; times < 2; times++) {
        const service = await bench.another("from");
        await service.enable!(verb, bench.subject);
        await trial.succeeds();
        await service[Symbol.asyncDispose]();
        await bench.hub.counted(verb, bench.subject, 0);
        await trial.fails();
      }
    },
  ),
  enableCase(verb, "allowed until the last of two services is gone", async (bench, trial) => {
    const services = [await bench.another("from"), await bench.another("from")];
    for (const service of services) await service.enable!(verb, bench.subject);
    for (const [index, service] of services.entries()) {
      await trial.succeeds();
      await service[Symbol.asyncDispose]();
      await bench.hub.counted(verb, bench.subject, services.length - 1 - index);
    }
    await trial.fails();
  }),
];

export const ENABLEMENTS: readonly GatewayCase[] = [
  ...casesOf("request"),
  ...casesOf("publish"),
  ...casesOf("subscribe"),
];
