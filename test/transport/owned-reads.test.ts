/** Reads that may be kept, and writes that are not copied: on sockets, where memory is used again. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { BufferLease } from "../../src/message/buffer-lease.ts";
import { tcp } from "../../src/transport/tcp.ts";
import type { Connection } from "../../src/transport/transport.ts";

const CHUNK = 65_536;

interface Line {
  readonly dialed: Connection;
  readonly accepted: Connection;
  readonly close: () => Promise<void>;
}

async function line(): Promise<Line> {
  let accepted: ((connection: Connection) => void) | undefined;
  const arrived = new Promise<Connection>((resolve) => (accepted = resolve));
  // `open` is due before `accept` returns; nothing is sent before the test opens the other end.
  const listener = await tcp.listen("tcp://127.0.0.1:0", (connection) => accepted!(connection));
  const dialed = await tcp.dial(listener.url);
  const far = await arrived;
  return {
    dialed,
    accepted: far,
    close: async () => {
      dialed.abort();
      far.abort();
      await listener.close();
    },
  };
}

function pattern(size: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, index) => (index * 31 + (index >> 8)) % 251);
}

test("what was taken of a read is never written to again, what was not is used again", async () => {
  const { dialed, accepted, close } = await line();
  const bytes = pattern(8 * 1_048_576);
  const kept: Uint8Array[] = [];
  const memories = new Set<ArrayBufferLike>();
  let length = 0;
  let taken = 0;
  await new Promise<void>((done) => {
    dialed.open({
      data: (read, isOffered) => {
        const loan = new BufferLease(read, isOffered);
        kept.push(loan.keep(0, read.length));
        length += read.length;
        memories.add(read.buffer);
        if (loan.isTaken) taken++;
        if (length === bytes.length) done();
        return loan.isTaken;
      },
      drained: () => undefined,
      closed: () => undefined,
    });
    let at = 0;
    const more = (): void => {
      while (at < bytes.length) {
        const chunk = bytes.subarray(at, (at += CHUNK));
        if (!accepted.send(chunk)) return;
      }
    };
    accepted.open({ data: () => undefined, drained: more, closed: () => undefined });
    more();
  });
  assert.ok(taken > 0, "large reads are offered");
  assert.ok(memories.size > 1 && memories.size <= 8 * 16, `${memories.size} blocks for 8 MiB`);
  const digest = (parts: readonly Uint8Array[]): string =>
    parts.reduce((hash, part) => hash.update(part), createHash("sha256")).digest("hex");
  assert.equal(digest(kept), digest([bytes]));
  await close();
});

test("sendBoth: one after the other, complete and in order, and full like send", async () => {
  const { dialed, accepted, close } = await line();
  const body = pattern(CHUNK);
  const rounds = 100;
  const expected = Buffer.concat(
    Array.from({ length: rounds }, (_, round) => Buffer.concat([Buffer.from(`head ${round};`), body])),
  );
  const got: Buffer[] = [];
  let length = 0;
  let waits = 0;
  await new Promise<void>((done) => {
    accepted.open({
      data: (read) => {
        got.push(Buffer.from(read));
        length += read.length;
        if (length === expected.length) done();
      },
      drained: () => undefined,
      closed: () => undefined,
    });
    let round = 0;
    const more = (): void => {
      while (round < rounds) {
        if (!dialed.sendBoth!(Buffer.from(`head ${round++};`), body)) {
          waits++;
          return;
        }
      }
    };
    dialed.open({ data: () => undefined, drained: more, closed: () => undefined });
    more();
  });
  assert.ok(waits < rounds);
  assert.ok(Buffer.concat(got).equals(expected));
  await close();
});
