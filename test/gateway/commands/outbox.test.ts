import assert from "node:assert/strict";
import { test } from "node:test";
import type { CommandLine } from "../../../src/commands/line.ts";
import { CommandOutbox, UnreadBytes } from "../../../src/gateway/commands/outbox.ts";
import { FakeClock } from "../../../src/testing/fake-clock.ts";

/** A line of which a test says what its other end has read; it is full from 10 bytes on. */
class Line implements CommandLine {
  readonly remote = "test";
  buffered = 0;

  open(): void {
    // nothing comes
  }

  send(encoded: string | Uint8Array): boolean {
    this.buffered += encoded.length;
    return this.buffered < 10;
  }

  read(): void {
    // nothing comes
  }

  close(): void {
    this.buffered = 0;
  }

  abort(): void {
    this.buffered = 0;
  }
}

const clock = new FakeClock();

function create(unread: UnreadBytes): { line: Line; outbox: CommandOutbox; told: string[] } {
  const line = new Line();
  const told: string[] = [];
  const limits = { clock, sessionBuffer: 100, stallTimeout: 40, unread };
  const outbox = new CommandOutbox(line, limits, {
    changed: (isFull) => void told.push(isFull ? "full" : "room"),
    stalled: () => void told.push("stalled"),
  });
  return { line, outbox, told };
}

test("an outbox is full until its line has room, and one that takes nothing is stalled", () => {
  const { line, outbox, told } = create(new UnreadBytes(1_000));
  outbox.send("12345678901");
  outbox.send("1");
  assert.deepEqual([told, outbox.isFull], [["full"], true]);
  clock.advance(39);
  line.buffered = 5; // it has taken some
  clock.advance(39);
  assert.deepEqual(told, ["full"]);
  line.buffered = 0;
  outbox.drained();
  clock.advance(1_000);
  assert.deepEqual([told, clock.pending], [["full", "room"], 0]);
  outbox.send("12345678901");
  clock.advance(1_000);
  assert.deepEqual(told, ["full", "room", "full", "stalled"]);
});

test("what has no room is watched too, and forgotten when nothing waits any more", () => {
  const { line, outbox, told } = create(new UnreadBytes(1_000));
  outbox.send("12345");
  assert.equal(outbox.hasRoomFor(96), false);
  line.buffered = 0;
  clock.advance(1_000);
  assert.deepEqual([told, clock.pending], [[], 0]);
  outbox.send("12345");
  assert.equal(outbox.hasRoomFor(96), false);
  clock.advance(1_000);
  assert.deepEqual(told, ["stalled"]);
});

test("C-52: what waits for all that are behind has a bound, and others have room all the same", () => {
  const unread = new UnreadBytes(30);
  const [one, other, quick] = [create(unread), create(unread), create(unread)];
  one.outbox.send("x".repeat(20));
  assert.equal(one.outbox.hasRoomFor(1), true);
  other.outbox.send("x".repeat(12));
  assert.equal(unread.taken, 32);
  for (const { outbox } of [one, other]) assert.equal(outbox.hasRoomFor(1), false);
  assert.equal(quick.outbox.hasRoomFor(1), true);
  other.line.buffered = 0;
  other.outbox.drained();
  assert.equal(one.outbox.hasRoomFor(1), true);
  one.outbox.stop();
  assert.equal(unread.taken, 0);
});
