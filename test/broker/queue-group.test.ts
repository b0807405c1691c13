import assert from "node:assert/strict";
import { test } from "node:test";
import { QueueGroup, type Member } from "../../src/broker/queue-group.ts";
import type { Worker } from "../../src/message/delivery.ts";

const idle: Worker = { execute: () => undefined, cancel: () => undefined };

function groupOf(concurrencies: readonly number[]): { group: QueueGroup; members: Member[] } {
  const group = new QueueGroup("a.b", "");
  const members = concurrencies.map((concurrency): Member => ({
    worker: idle,
    group,
    concurrency,
    held: 0,
    aside: 0,
    serving: true,
  }));
  for (const member of members) group.add(member);
  return { group, members };
}

function take(group: QueueGroup): Member | undefined {
  const member = group.choose();
  if (member !== undefined) member.held++;
  return member;
}

for (const size of [1, 2, 3, 16, 17, 40]) {
  test(`${size} equal members that answer at once get the same, within one`, () => {
    const { group, members } = groupOf(new Array<number>(size).fill(4));
    const counts = new Map<Member, number>(members.map((member) => [member, 0]));
    for (let request = 0; request < 1_000; request++) {
      const member = group.choose()!;
      counts.set(member, counts.get(member)! + 1);
      assert.ok(Math.max(...counts.values()) - Math.min(...counts.values()) <= 1, `request ${request}`);
    }
  });

  test(`${size} members are filled up completely, and no further`, () => {
    const { group, members } = groupOf(Array.from({ length: size }, (_, index) => 1 + (index % 5)));
    const room = members.reduce((sum, member) => sum + member.concurrency, 0);
    for (let request = 0; request < room; request++) {
      assert.ok(group.isReady);
      assert.ok(take(group) !== undefined, `request ${request} of ${room}`);
    }
    assert.equal(group.isReady, false);
    assert.equal(group.choose(), undefined);
    for (const member of members) assert.equal(member.held, member.concurrency);
    const last = members.at(-1)!;
    last.held--;
    assert.equal(group.choose(), last, "the only free one is found");
  });
}

for (const size of [2, 16]) {
  test(`${size} equal members that hold their requests stay equal, within one`, () => {
    const { group, members } = groupOf(new Array<number>(size).fill(50));
    for (let request = 0; request < size * 50; request++) {
      take(group);
      const held = members.map((member) => member.held);
      assert.ok(Math.max(...held) - Math.min(...held) <= 1, held.join(" "));
    }
  });
}

test("a slow member gets fewer", () => {
  const { group, members } = groupOf([8, 8, 8]);
  const slow = members[1]!;
  const counts = new Map<Member, number>(members.map((member) => [member, 0]));
  for (let request = 0; request < 300; request++) {
    const member = take(group)!;
    counts.set(member, counts.get(member)! + 1);
    if (member !== slow) member.held--;
    else if (request % 50 === 0) slow.held--;
  }
  assert.ok(counts.get(slow)! < 20, `the slow one got ${counts.get(slow)}`);
  assert.ok(counts.get(members[0]!)! > 100 && counts.get(members[2]!)! > 100);
});

test("load is counted by the share of what a member takes", () => {
  const { group, members } = groupOf([10, 30]);
  for (let request = 0; request < 20; request++) take(group);
  assert.deepEqual(
    members.map((member) => member.held),
    [5, 15],
  );
});

test("a member that left gets nothing, the others go on taking turns", () => {
  const { group, members } = groupOf([4, 4, 4]);
  take(group);
  group.remove(members[1]!);
  group.remove(members[1]!);
  for (let request = 0; request < 7; request++) assert.notEqual(take(group), members[1]);
  assert.equal(take(group), undefined);
});

test("numbers leave the queue in the order they came", () => {
  const { group } = groupOf([1]);
  let next = 1;
  let expected = 1;
  for (let round = 0; round < 50; round++) {
    for (let index = 0; index < 100; index++) group.enqueue(next++, () => true);
    for (let index = 0; index < (round < 25 ? 60 : 140); index++) {
      assert.equal(group.dequeue(), expected++);
      group.waitingCount--;
    }
  }
  assert.equal(group.dequeue(), undefined);
  assert.equal(group.waitingCount, 0);
});

test("what ended in the queue does not pile up there", () => {
  const { group } = groupOf([1]);
  group.enqueue(1, () => true);
  let asked = 0;
  for (let id = 2; id <= 10_000; id++) {
    group.enqueue(id, (other) => {
      asked++;
      return other === 1 || other === id;
    });
    group.waitingCount--; // canceled at once
  }
  assert.ok(asked < 30_000, `asked ${asked} times`);
  assert.equal(group.dequeue(), 1);
  let stale = 0;
  while (group.dequeue() !== undefined) stale++;
  assert.ok(stale <= 68, `${stale} stale numbers`);
});
