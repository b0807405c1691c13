/** Credentials become principals. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Access, Principal } from "../../src/access/access.ts";
import { createAdmission, type Admission } from "../../src/access/admission.ts";
import { Tenants } from "../../src/access/tenants.ts";
import { openAccess } from "../../src/access/open-access.ts";
import { LocalEngine } from "../../src/engine/local/local-engine.ts";
import { LintelError } from "../../src/message/failure.ts";
import { DEFAULT_LIMITS } from "../../src/message/limits.ts";
import { bearerToken } from "../../src/message/peer-identity.ts";
import { RecordingCaller } from "../../src/testing/engine/actors.ts";
import { FakeClock } from "../../src/testing/fake-clock.ts";
import { TestAccess } from "../../src/testing/test-access.ts";

const CREDENTIALS = { gateway: "test", remote: "test" };
const ADA: Principal = { id: "ada", tenant: "main", role: "worker" };

interface Scene {
  readonly clock: FakeClock;
  readonly engine: LocalEngine;
  readonly admission: Admission;
  readonly errors: string[];
}

function scene(access: Access): Scene {
  const clock = new FakeClock(1_000);
  const engine = new LocalEngine({ clock });
  const errors: string[] = [];
  const admission = createAdmission(new Tenants(engine), {
    access,
    limits: DEFAULT_LIMITS,
    timeOfDay: () => clock.now(),
    onError: (error, where) => errors.push(`${where}: ${String(error)}`),
  });
  return { clock, engine, admission, errors };
}

const isReason =
  (reason: string) =>
  (error: unknown): boolean =>
    error instanceof LintelError && error.reason === reason;

describe("admission", () => {
  test("to a hub that asks nobody anything is to its own engine", () => {
    const { engine, admission } = scene(openAccess);
    assert.equal(admission.isOpen, true);
    assert.equal(admission.admit(CREDENTIALS), admission.everyone);
    assert.equal(admission.everyone.engine, engine);
    assert.equal(admission.everyone.check("admin", "anything"), undefined);
  });

  test("gives what was shown to the access, and waits for its answer", async () => {
    const access = new TestAccess({ tokens: ["good"], isSlow: true });
    const { admission } = scene(access);
    const good = admission.admit({ ...CREDENTIALS, token: "good" });
    const bad = admission.admit({ ...CREDENTIALS, token: "bad" });
    access.answer();
    assert.equal((await good).principal.id, "good");
    await assert.rejects(Promise.resolve(bad), isReason("UNAUTHENTICATED"));
    assert.throws(() => admission.admit(CREDENTIALS), isReason("UNAUTHENTICATED"));
    assert.deepEqual(access.credentials[0], { ...CREDENTIALS, token: "good" });
  });

  test("is refused when the access fails, answers what is no principal, or does not answer", async () => {
    const answers: (() => Principal | Promise<Principal>)[] = [
      () => {
        throw new Error("out of order");
      },
      () => Promise.reject(new Error("out of order")),
      // oxlint-disable-next-line no-unsafe-type-assertion -- what an access written in JavaScript may return
      () => ({ id: "ada" }) as Principal,
      () => {
        throw new LintelError("unavailable", "try again later");
      },
      () => new Promise(() => undefined),
    ];
    const outcomes: string[] = [];
    const { clock, admission, errors } = scene({ authenticate: () => answers.shift()!(), may: () => true });
    for (let count = 0; count < 5; count++) {
      try {
        const admitted = admission.admit(CREDENTIALS);
        if (count === 4) clock.advance(DEFAULT_LIMITS.helloTimeout);
        await admitted;
      } catch (error) {
        outcomes.push((error as LintelError).reason);
      }
    }
    assert.deepEqual(outcomes, [
      "ACCESS_UNAVAILABLE",
      "ACCESS_UNAVAILABLE",
      "UNAUTHENTICATED",
      "UNAVAILABLE",
      "ACCESS_UNAVAILABLE",
    ]);
    assert.equal(errors.length, 3);
    assert.match(errors[0]!, /access\.authenticate, for test from test.*out of order/);
    assert.match(errors[2]!, /must return a principal/);
  });

  test("is not given to a principal that expires at no time", () => {
    for (const expiresAt of [NaN, "soon", new Date(), null, {}]) {
      const principal = { ...ADA, expiresAt } as unknown as Principal;
      const { admission, errors } = scene({ authenticate: () => principal, may: () => true });
      assert.throws(() => admission.admit(CREDENTIALS), { reason: "UNAUTHENTICATED" });
      assert.match(errors[0]!, /expiresAt/);
    }
  });

  test("ends when the credentials expire, and is not given to those that have", async () => {
    const principal = { ...ADA, expiresAt: 11_000 };
    const { clock, engine, admission } = scene({ authenticate: () => principal, may: () => true });
    const admitted = await admission.admit(CREDENTIALS);
    const ends: string[] = [];
    admitted.watch((why) => ends.push(why.reason));
    const unwatch = admitted.watch(() => ends.push("nobody waits for this one"));
    unwatch();
    clock.advance(9_999);
    assert.deepEqual(ends, []);
    clock.advance(1);
    assert.deepEqual(ends, ["UNAUTHENTICATED"]);
    assert.equal(await new RecordingCaller(admitted.engine).ask("a"), "UNAUTHENTICATED");
    assert.throws(() => admission.admit(CREDENTIALS), isReason("UNAUTHENTICATED"));
    await engine.close();
  });

  test("tells principals apart that have members of their own", async () => {
    const asked: string[] = [];
    const grants = [["a"], ["b"]];
    const { engine, admission } = scene({
      authenticate: () => ({ ...ADA, grants: grants.shift() }),
      may(principal, _verb, subject) {
        asked.push(subject);
        return (principal as { grants?: string[] }).grants!.includes(subject);
      },
    });
    const outcomes: string[] = [];
    for (let count = 0; count < 2; count++) {
      const { engine: guarded } = await admission.admit(CREDENTIALS);
      outcomes.push(await new RecordingCaller(guarded).ask("a"));
    }
    assert.deepEqual(outcomes, ["NO_RESPONDERS", "PERMISSION_DENIED"]);
    assert.deepEqual(asked, ["a", "a"]);
    await engine.close();
  });

  test("a bearer token is read from the header by RFC 6750, and from nothing else", () => {
    assert.equal(bearerToken("Bearer abc.DEF-1_2~3+/=="), "abc.DEF-1_2~3+/==");
    assert.equal(bearerToken("bearer  x "), "x");
    for (const other of [undefined, "", "Basic YTpi", "Bearerx", " Bearer x"])
      assert.equal(bearerToken(other), undefined, other);
    for (const malformed of ["Bearer", "Bearer ", "Bearer a b", "bearer =", "Bearer ä", "Bearer  x,y"])
      assert.equal(bearerToken(malformed), "", malformed);
  });
});
