/** Each gateway, each verb that it has, allowed or not: whoever may not is told so, and nobody else hears of it. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Access, Verb } from "../../src/access/access.ts";
import { LintelError } from "../../src/message/failure.ts";
import { TestAccess } from "../../src/testing/test-access.ts";
import { GATEWAYS, reasonOf, withHub, type Gateway, type Outcome, type Scene } from "./clients.ts";

interface Row {
  readonly gateway: Gateway;
  readonly verb: Verb;
  readonly skip: string | false;
}

// What transport a session has makes no difference here; roles.test.ts has them all.
const ROWS: readonly Row[] = GATEWAYS.filter(({ name }) => !/unix|ws/.test(name)).flatMap((gateway) =>
  gateway.verbs.map((verb) => ({ gateway, verb, skip: gateway.skip ?? false })),
);

async function attempt({ gateway, verb }: Row, scene: Scene): Promise<Outcome> {
  try {
    const client = await gateway.open(scene, { token: undefined, prefix: "m" });
    const outcome = await client.attempt(verb);
    await client.close();
    return outcome;
  } catch (error) {
    return reasonOf(error);
  }
}

const said = ({ gateway: { says } }: Row, reason: string): Outcome => says?.[reason] ?? reason;

describe("whoever is not authenticated", () => {
  const access: Access = {
    authenticate() {
      throw LintelError.of("UNAUTHENTICATED");
    },
    may: () => true,
  };
  for (const row of ROWS) {
    const { gateway, verb, skip } = row;
    test(`cannot ${verb} over ${gateway.name}`, { skip }, async () => {
      await withHub(access, async (scene) => {
        assert.equal(await attempt(row, scene), said(row, "UNAUTHENTICATED"));
        assert.deepEqual([scene.seen, scene.hub.stats().requests], [[], 0]);
      });
    });
  }
});

describe("whoever may do nothing", () => {
  for (const row of ROWS) {
    const { gateway, verb, skip } = row;
    test(`cannot ${verb} over ${gateway.name}`, { skip }, async () => {
      const access = new TestAccess();
      await withHub(access, async (scene) => {
        assert.equal(await attempt(row, scene), said(row, "PERMISSION_DENIED"));
        assert.deepEqual([scene.seen, scene.hub.stats().requests], [[], 0]);
        assert.ok(access.asked.some((asked) => asked.startsWith(`nobody ${verb} `)));
      });
    });
  }
});

describe("whoever may do one thing", () => {
  for (const row of ROWS) {
    const { gateway, verb, skip } = row;
    test(`can ${verb} over ${gateway.name}`, { skip }, async () => {
      await withHub(new TestAccess({ allows: (asked) => asked === verb }), async (scene) => {
        assert.equal(await attempt(row, scene), "ok");
      });
    });
  }
});

describe("while it is not known who somebody is", () => {
  for (const row of ROWS) {
    const { gateway, verb, skip } = row;
    test(`nothing is welcomed over ${gateway.name} that wants to ${verb}`, { skip }, async () => {
      const access = new TestAccess({ allows: () => true, isSlow: true });
      await withHub(access, async (scene) => {
        let outcome: Outcome | undefined;
        const attempted = attempt(row, scene).then((known) => (outcome = known));
        await access.untilAsked();
        const { requests, publications } = scene.hub.stats();
        assert.deepEqual([outcome, access.asked, scene.seen, scene.served.size], [undefined, [], [], 0]);
        assert.deepEqual([requests, publications], [0, 0]);
        access.answer();
        assert.equal(await attempted, "ok");
      });
    });
  }
});
