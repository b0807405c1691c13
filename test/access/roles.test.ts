/** Role x situation x gateway x verb: everybody hears what the table says, and what is denied nobody else hears of. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import type { KeyOptions } from "../../src/access/access-options.ts";
import type { Access, Verb } from "../../src/access/access.ts";
import type { ConfiguredAccess } from "../../src/access/configured-access.ts";
import { createAccess } from "../../src/access/create-access.ts";
import { createHub, type HubConfig } from "../../src/hub/hub.ts";
import { GATEWAYS, reasonOf, withHub, type Gateway, type Outcome, type Scene } from "./clients.ts";
import { ROLES, SITUATIONS, verdictOf, type Role, type Situation, type Verdict } from "./rules.ts";

type Who = Role | "anonymous";

interface Cell {
  readonly who: Who;
  readonly situation: Situation;
  readonly token: string | undefined;
}

const VERBS: readonly Verb[] = ["request", "open", "publish", "subscribe", "serve"];

function allOf(pattern: string): Record<string, string[]> {
  return Object.fromEntries(VERBS.map((verb) => [verb, [pattern]]));
}

const isEnabled = (situation: Situation): boolean => situation.startsWith("enabled");

function keyOf(role: Role, situation: Situation): KeyOptions {
  const name = `${role}-${situation.replace(" ", "-")}`;
  const sha256 = createHash("sha256").update(name).digest("hex");
  const pattern = situation === "elsewhere" || isEnabled(situation) ? "other.>" : "m.>";
  return {
    name,
    role,
    sha256,
    ...(situation === "own" ? {} : { grants: allOf(pattern) }),
    ...(situation.endsWith("denied") ? { deny: allOf(isEnabled(situation) ? "e.>" : "m.>") } : {}),
    ...(situation === "other tenant" ? { tenant: "elsewhere" } : {}),
    ...(situation === "expired" ? { expires: "2020-01-01" } : {}),
  };
}

const CELLS: readonly Cell[] = [
  ...ROLES.flatMap((who) =>
    SITUATIONS.map((situation): Cell => ({ who, situation, token: keyOf(who, situation).name })),
  ),
  { who: "anonymous", situation: "own", token: undefined },
  { who: "anonymous", situation: "enabled", token: undefined },
  { who: "anonymous", situation: "unknown", token: undefined },
];

/** What is not let in, what is configured, and what was revoked. */
async function accessOf(): Promise<{ anonymous: ConfiguredAccess; strict: ConfiguredAccess }> {
  const keys = ROLES.flatMap((role) =>
    SITUATIONS.filter((one) => one !== "unknown" && one !== "revoked").map((one) => keyOf(role, one)),
  );
  const revoked = ROLES.map((role) => keyOf(role, "revoked"));
  const both = [await createAccess({ anonymous: "client", keys }), await createAccess({ keys })] as const;
  for (const access of both) {
    access.replaceFileKeys(revoked);
    for (const { name } of revoked)
      await access.authenticate({ gateway: "test", remote: "test", token: name });
    access.replaceFileKeys([]);
  }
  return { anonymous: both[0], strict: both[1] };
}

const verdict = ({ who, situation }: Cell, verb: Verb): Verdict =>
  verdictOf(who === "anonymous" ? "client" : who, situation, verb);

const REASONS: Readonly<Record<Exclude<Verdict, "allowed">, string>> = {
  alone: "NO_RESPONDERS",
  denied: "PERMISSION_DENIED",
  unauthenticated: "UNAUTHENTICATED",
};

function expected({ says }: Gateway, cell: Cell, verb: Verb): Outcome {
  const known = verdict(cell, verb);
  if (known === "allowed" || (known === "alone" && verb !== "request" && verb !== "open")) return "ok";
  return says?.[REASONS[known]] ?? REASONS[known];
}

/** What others have noticed of an attempt, and what they would notice if it had come through. */
async function noticed(
  { hub, seen }: Scene,
  { name }: Gateway,
  prefix: string,
  verb: Verb,
  isAllowed: boolean,
): Promise<string[]> {
  const found = seen.splice(0);
  if (verb === "serve" && name !== "jobs") {
    const timeoutMs = isAllowed ? 5 : 5_000; // some that serve do not answer
    const outcome = await hub.request(`${prefix}.b`, undefined, { timeoutMs }).catch(reasonOf);
    if (outcome !== "NO_RESPONDERS") found.push("served");
  }
  if (verb === "subscribe") {
    const { deliveries } = hub.stats();
    await hub.publish(`${prefix}.x`, "x");
    if (hub.stats().deliveries > deliveries + 1) found.push("subscribed");
    seen.length = 0;
  }
  return found;
}

async function wrongIn(scene: Scene, gateway: Gateway, cell: Cell): Promise<string[]> {
  const prefix = isEnabled(cell.situation) ? "e" : "m";
  const wrong: string[] = [];
  scene.seen.length = 0;
  const opening = async (): Promise<Awaited<ReturnType<Gateway["open"]>> | Outcome> => {
    try {
      return await gateway.open(scene, { token: gateway.isNameless ? undefined : cell.token, prefix });
    } catch (error) {
      return reasonOf(error);
    }
  };
  const client = await opening();
  for (const verb of gateway.verbs) {
    const outcome = typeof client === "string" ? client : await client.attempt(verb);
    const isAllowed = verdict(cell, verb) === "allowed";
    const found = await noticed(scene, gateway, prefix, verb, isAllowed);
    const wanted = expected(gateway, cell, verb);
    const isNoticed = isAllowed && (verb !== "serve" || gateway.name !== "jobs");
    if (outcome !== wanted || found.length > 0 !== isNoticed)
      wrong.push(`${cell.who}, ${cell.situation}, ${verb}: ${outcome}, not ${wanted}; ${found.join()}`);
  }
  if (typeof client !== "string") await client.close();
  return wrong;
}

/** A hub at which everybody is who the cell says. */
async function withCells(
  run: (scene: Scene, current: (cell: Cell) => void) => Promise<void>,
  config: HubConfig = {},
): Promise<void> {
  const { anonymous, strict } = await accessOf();
  let cell: Cell = CELLS[0]!;
  /** As configured; where nobody can show a key, everybody shows the one that is tried. */
  const access: Access = {
    authenticate(credentials) {
      const { gateway } = credentials;
      const isNameless = gateway === "beam" || gateway === "tunnel";
      const of = cell.who === "anonymous" && cell.situation === "unknown" ? strict : anonymous;
      return of.authenticate(isNameless ? { ...credentials, token: cell.token } : credentials);
    },
    may: (...asked) => anonymous.may(...asked),
  };
  const opened = async (scene: Scene): Promise<void> => {
    for (const verb of ["request", "publish", "subscribe"] as const) await scene.hub.enable(verb, "e.>");
    await run(scene, (next) => (cell = next));
  };
  await withHub(access, opened, config);
}

test("everybody may do what the table of roles says", async (context) => {
  await withCells(async (scene, current) => {
    for (const gateway of GATEWAYS)
      await context.test(gateway.name, { skip: gateway.skip ?? false }, async () => {
        const wrong: string[] = [];
        for (const cell of CELLS) {
          if (gateway.isForObserversToHear === true && cell.who === "observer") continue;
          current(cell);
          wrong.push(...(await wrongIn(scene, gateway, cell)));
        }
        assert.deepEqual(wrong, []);
      });
  });
});

test("and so at a hub in front of a hub, which has one tenant", async () => {
  await using behind = await createHub({ http: false, listen: ["tcp://127.0.0.1:0"] });
  const config: HubConfig = { engine: behind.urls[0]! };
  const wrong: string[] = [];
  const run = async (scene: Scene, current: (cell: Cell) => void): Promise<void> => {
    for (const { verbs, ...gateway } of GATEWAYS) {
      const some = verbs.filter((verb) => verb === "request" || verb === "serve");
      if (!/tcp|^http$/.test(gateway.name)) continue;
      for (const cell of CELLS) {
        current(cell);
        if (cell.situation !== "other tenant")
          wrong.push(...(await wrongIn(scene, { ...gateway, verbs: some }, cell)));
        else {
          const outcome = await Promise.resolve(gateway.open(scene, { token: cell.token, prefix: "m" }))
            .then((client) => client.attempt("request"))
            .catch(reasonOf);
          assert.match(outcome, /PERMISSION_DENIED/);
        }
      }
    }
  };
  await withCells(run, config);
  assert.deepEqual(wrong, []);
});
