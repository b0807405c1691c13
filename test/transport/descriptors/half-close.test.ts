/** Sockets of which one end sends nothing more, and permissions of those that are listened on. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { DescriptorSocket } from "../../../src/transport/descriptors/descriptor-socket.ts";
import {
  adoptSocket,
  dialDescriptors,
  listenDescriptors,
  socketPair,
} from "../../../src/transport/descriptors/endpoints.ts";
import { canPassDescriptors } from "../../../src/transport/descriptors/libc.ts";

const skip = canPassDescriptors() ? false : "descriptors are passed on Linux with koffi installed";
const folder = mkdtempSync(join(tmpdir(), "lintel-half-"));
after(() => rmSync(folder, { recursive: true }));

/** What an end that keeps half-open sockets has seen. */
class HalfOpen {
  readonly socket: DescriptorSocket;
  readonly events: string[] = [];
  received = 0;
  #wake: () => void = () => undefined;

  constructor(descriptor: number) {
    this.socket = adoptSocket(descriptor);
    this.socket.open({
      data: (bytes) => {
        this.received += bytes.length;
        this.#wake();
      },
      ended: () => this.#saw("ended"),
      drained: () => this.#saw("drained"),
      closed: (error) => this.#saw(error === undefined ? "closed" : `closed: ${error.message}`),
    });
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => (this.#wake = resolve));
  }

  #saw(event: string): void {
    this.events.push(event);
    this.#wake();
  }
}

function pair(): [HalfOpen, HalfOpen] {
  const [one, other] = socketPair();
  return [new HalfOpen(one), new HalfOpen(other)];
}

test(
  "an end that ends still receives, and both are over when the other has ended, too",
  { skip },
  async () => {
    const [one, other] = pair();
    one.socket.send(Buffer.from("hello"));
    one.socket.end();
    one.socket.send(Buffer.from("too late"));
    await other.until(() => other.events.includes("ended"));
    assert.equal(other.received, 5);
    for (let count = 0; count < 3; count++) {
      other.socket.send(Buffer.from("answer"));
      await one.until(() => one.received === 6 * (count + 1));
    }
    assert.deepEqual([one.events, other.events], [[], ["ended"]]);
    other.socket.end();
    await one.until(() => one.events.includes("closed"));
    await other.until(() => other.events.includes("closed"));
    assert.deepEqual(
      [one.events, other.events],
      [
        ["ended", "closed"],
        ["ended", "closed"],
      ],
    );
  },
);

test("what waits is sent before the end", { skip }, async () => {
  const [one, other] = pair();
  other.socket.pause();
  assert.equal(one.socket.send(Buffer.alloc(3_000_000)), false);
  one.socket.end();
  other.socket.resume();
  await other.until(() => other.events.includes("ended"));
  assert.equal(other.received, 3_000_000);
  assert.deepEqual(one.events, ["drained"]);
  other.socket.abort();
  await one.until(() => one.events.includes("closed"));
});

test("an end that ended and leaves later is noticed, though it sends nothing", { skip }, async () => {
  const [one, other] = pair();
  one.socket.end();
  await other.until(() => other.events.includes("ended"));
  one.socket.close();
  await other.until(() => other.events.includes("closed"));
  assert.deepEqual(other.events, ["ended", "closed"]);
});

test("who listens says who may connect", { skip }, async () => {
  for (const mode of [0o600, 0o660, 0o666]) {
    const path = join(folder, `${mode.toString(8)}.sock`);
    const listener = await listenDescriptors(path, (socket) => socket.abort(), mode);
    assert.equal(statSync(path).mode & 0o777, mode);
    (await dialDescriptors(path)).abort();
    await listener.close();
  }
});
