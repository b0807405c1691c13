/** Which host gets an action. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { actionMatcher } from "../../../src/commands/client/action-pattern.ts";
import { HostRules, type HostRule } from "../../../src/commands/client/host-rules.ts";

class FakeHost {
  readonly url: string;
  isUp = true;
  pendingCalls = 0;

  constructor(url: string) {
    this.url = url;
  }
}

/** Rules, and the hosts that they have opened. */
function rulesOf(...rules: HostRule[]): { rules: HostRules<FakeHost>; hosts: Map<string, FakeHost> } {
  const hosts = new Map<string, FakeHost>();
  const open = (url: string): FakeHost => {
    assert.ok(!hosts.has(url), `${url} was opened twice`);
    const host = new FakeHost(url);
    hosts.set(url, host);
    return host;
  };
  return { rules: new HostRules(rules, open), hosts };
}

describe("patterns for actions", () => {
  const cases: [pattern: string, matches: string[], others: string[]][] = [
    ["orders.create", ["orders.create"], ["orders", "orders.create.now", "Orders.create", ""]],
    ["orders.*", ["orders.create", "orders.", "orders.*"], ["orders", "orders.a.b"]],
    ["*.create", ["orders.create", ".create"], ["create", "a.b.create"]],
    ["orders.>", ["orders.a", "orders.a.b"], ["orders", "order.a"]],
    [">", ["a", "a.b", "say hello"], []],
    ["say hello", ["say hello"], ["say"]],
  ];
  for (const [pattern, matches, others] of cases) {
    test(pattern, () => {
      const isFor = actionMatcher(pattern);
      for (const action of matches) assert.ok(isFor(action), `${action} is meant`);
      for (const action of others) assert.ok(!isFor(action), `${action} is not meant`);
    });
  }

  test("what is no pattern is refused", () => {
    for (const wrong of ["", ">.a", "a.>.b", "x".repeat(256), 5 as unknown as string]) {
      assert.throws(() => actionMatcher(wrong), { code: "invalid_argument", message: /is not a pattern/ });
    }
  });
});

describe("the host of an action", () => {
  test("is of the first rule that has a pattern for it", () => {
    const { rules } = rulesOf(
      { actions: ["orders.create", "bills.>"], hosts: "ws://a" },
      { actions: "orders.*", hosts: "ws://b" },
      { actions: ">", hosts: "ws://c" },
    );
    const picked = ["orders.create", "bills.x.y", "orders.delete", "other"].map(
      (name) => rules.pick(name).url,
    );
    assert.deepEqual(picked, ["ws://a", "ws://a", "ws://b", "ws://c"]);
  });

  test("is each of them in turn, and the least busy where they differ", () => {
    const { rules, hosts } = rulesOf({ actions: ">", hosts: ["ws://a", "ws://b", "ws://c", "ws://a"] });
    const pick = (): string => rules.pick("x").url;
    assert.deepEqual([pick(), pick(), pick(), pick()], ["ws://a", "ws://b", "ws://c", "ws://a"]);
    hosts.get("ws://b")!.pendingCalls = 1;
    assert.deepEqual([pick(), pick(), pick()], ["ws://c", "ws://a", "ws://c"]);
  });

  test("C-97: is none that is down, until it is up again", () => {
    const { rules, hosts } = rulesOf({ actions: ">", hosts: ["ws://a", "ws://b"] });
    hosts.get("ws://a")!.isUp = false;
    assert.deepEqual([rules.pick("x").url, rules.pick("x").url], ["ws://b", "ws://b"]);
    assert.ok(rules.areServed);
    hosts.get("ws://b")!.isUp = false;
    assert.ok(!rules.areServed);
    assert.throws(() => rules.pick("x"), {
      reason: "NOT_CONNECTED",
      retryable: true,
      message: /all 2 hosts/,
    });
    hosts.get("ws://a")!.isUp = true;
    assert.equal(rules.pick("x").url, "ws://a");
  });

  test("is another one than the one to avoid, where there is another", () => {
    const { rules, hosts } = rulesOf({ actions: ">", hosts: ["ws://a", "ws://b"] });
    const [a, b] = [hosts.get("ws://a")!, hosts.get("ws://b")!];
    a.pendingCalls = 9;
    assert.equal(rules.pick("x", b), a);
    a.isUp = false;
    assert.equal(rules.pick("x", b), b);
  });

  test("without a rule there is none", () => {
    const { rules } = rulesOf({ actions: "a", hosts: "ws://a" });
    assert.throws(() => rules.pick("b"), { reason: "NO_RESPONDERS", message: /"b"/ });
  });

  test("wrong rules are refused before a host is opened", () => {
    const wrong: unknown[] = [
      [],
      "x",
      [{ actions: "a" }],
      [{ actions: [], hosts: "ws://a" }],
      [{ actions: "a", hosts: [1] }],
      [
        { actions: "a", hosts: "ws://a" },
        { actions: ">.a", hosts: "ws://b" },
      ],
    ];
    for (const rules of wrong) {
      assert.throws(() => new HostRules(rules as HostRule[], () => assert.fail("a host was opened")), {
        code: "invalid_argument",
      });
    }
  });
});
