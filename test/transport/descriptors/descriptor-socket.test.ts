import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  closeSync,
  fstatSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { DescriptorSocket } from "../../../src/transport/descriptors/descriptor-socket.ts";
import {
  adoptSocket,
  closeDescriptor,
  dialDescriptors,
  listenDescriptors,
  socketPair,
} from "../../../src/transport/descriptors/endpoints.ts";
import { canPassDescriptors } from "../../../src/transport/descriptors/libc.ts";

const skip = canPassDescriptors() ? false : "descriptors are passed on Linux with koffi installed";
const folder = mkdtempSync(join(tmpdir(), "lintel-fds-"));
after(() => rmSync(folder, { recursive: true }));

const openFds = (pid: number | "self" = "self"): number => readdirSync(`/proc/${pid}/fd`).length;

/** What an end has received. */
class Received {
  readonly socket: DescriptorSocket;
  bytes = "";
  readonly descriptors: number[] = [];
  drains = 0;
  closed: { error: Error | undefined } | undefined;
  #wake: () => void = () => undefined;

  constructor(socket: DescriptorSocket) {
    this.socket = socket;
    socket.open({
      data: (bytes, descriptors) => {
        this.bytes += Buffer.from(bytes).toString("latin1");
        this.descriptors.push(...descriptors);
        this.#wake();
      },
      drained: () => {
        this.drains++;
        this.#wake();
      },
      closed: (error) => {
        assert.equal(this.closed, undefined, "closed is told once");
        this.closed = { error };
        this.#wake();
      },
    });
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => (this.#wake = resolve));
  }
}

function pair(): [Received, Received] {
  const [one, other] = socketPair();
  return [new Received(adoptSocket(one)), new Received(adoptSocket(other))];
}

test(
  "bytes and descriptors arrive in order, and the sender may close its own at once",
  { skip },
  async () => {
    const before = openFds();
    const [one, other] = pair();
    for (let index = 0; index < 5; index++) {
      const path = join(folder, `file-${index}`);
      writeFileSync(path, `content ${index}`);
      const fd = openSync(path, "r");
      assert.equal(one.socket.send(Buffer.from(`<${index}`), [fd]), true);
      closeSync(fd);
      assert.equal(one.socket.send(Buffer.from(">")), true);
    }
    await other.until(() => other.bytes.length === 15);
    assert.equal(other.bytes, "<0><1><2><3><4>");
    assert.deepEqual(
      other.descriptors.map((fd) => readFileSync(fd, "utf8")),
      [0, 1, 2, 3, 4].map((index) => `content ${index}`),
    );
    for (const fd of other.descriptors) {
      assert.match(readFileSync(`/proc/self/fdinfo/${fd}`, "utf8"), /flags:\s+02/, "closed on exec");
      closeDescriptor(fd);
    }
    one.socket.close();
    await other.until(() => other.closed !== undefined);
    assert.equal(other.closed?.error, undefined);
    await one.until(() => one.closed !== undefined);
    assert.equal(openFds(), before);
  },
);

test("a number that arrives makes a socket of Node's", { skip }, async () => {
  const [one, other] = pair();
  const [near, far] = socketPair();
  one.socket.send(Buffer.from("x"), [far]);
  closeDescriptor(far);
  await other.until(() => other.descriptors.length === 1);
  const left = new Socket({ fd: near });
  const right = new Socket({ fd: other.descriptors[0]! });
  right.write("hello");
  assert.equal(String((await once(left, "data"))[0]), "hello");
  left.destroy();
  right.destroy();
  one.socket.abort();
  other.socket.abort();
});

test("what the other end does not read yet is kept, copies of descriptors too", { skip }, async () => {
  const before = openFds();
  const [one, other] = pair();
  other.socket.pause();
  const fd = openSync("/dev/null", "r");
  let sent = 0;
  while (one.socket.send(Buffer.alloc(10_000, "a"), [fd])) sent++;
  one.socket.send(Buffer.from("the end"), [fd, fd]);
  closeSync(fd);
  assert.equal(one.drains, 0);
  other.socket.resume();
  await other.until(() => other.bytes.endsWith("the end"));
  assert.equal(other.bytes.length, (sent + 1) * 10_000 + 7);
  assert.equal(other.descriptors.length, sent + 3);
  await one.until(() => one.drains === 1);
  for (const each of other.descriptors) closeDescriptor(each);
  one.socket.abort();
  await other.until(() => other.closed !== undefined);
  assert.equal(openFds(), before);
});

test("close sends what it kept; abort drops it; nothing stays open either way", { skip }, async () => {
  const before = openFds();
  for (const ending of ["close", "abort"] as const) {
    const [one, other] = pair();
    other.socket.pause();
    const fd = openSync("/dev/null", "r");
    let sent = 1;
    while (one.socket.send(Buffer.alloc(50_000, "a"), [fd])) sent++;
    closeSync(fd);
    one.socket[ending]();
    other.socket.resume();
    await other.until(() => other.closed !== undefined);
    if (ending === "close") assert.equal(other.bytes.length, sent * 50_000);
    else assert.ok(other.bytes.length < sent * 50_000);
    for (const each of other.descriptors) closeDescriptor(each);
    await one.until(() => one.closed !== undefined);
  }
  assert.equal(openFds(), before);
});

test("descriptors that were sent and never received go with the socket", { skip }, async () => {
  const before = openFds();
  const [near, far] = socketPair();
  const [gone, carried] = socketPair();
  const one = new Received(adoptSocket(near));
  one.socket.send(Buffer.from("x"), [carried]);
  closeDescriptor(carried);
  const watched = new Received(adoptSocket(gone));
  closeDescriptor(far); // the receiver dies with it in its queue
  await watched.until(() => watched.closed !== undefined);
  await one.until(() => one.closed !== undefined);
  assert.equal(openFds(), before);
});

test("a sender that does not wait is cut off, and what it kept is closed", { skip }, async () => {
  const before = openFds();
  const [one, other] = pair();
  other.socket.pause();
  const fd = openSync("/dev/null", "r");
  for (let sent = 0; one.closed === undefined && sent < 10_000; sent++) {
    one.socket.send(Buffer.alloc(1_000), [fd]);
    if (sent % 500 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  closeSync(fd);
  await one.until(() => one.closed !== undefined);
  assert.equal((one.closed?.error as { reason?: string } | undefined)?.reason, "SLOW_CONSUMER");
  other.socket.abort();
  await other.until(() => other.closed !== undefined);
  assert.equal(openFds(), before);
});

test("what cannot be sent is refused, and nothing of it is sent", { skip }, async () => {
  const [one, other] = pair();
  assert.throws(() => one.socket.send(new Uint8Array(0), [0]), TypeError);
  assert.throws(() => one.socket.send(Buffer.from("x"), Array<number>(254).fill(0)), TypeError);
  assert.throws(() => one.socket.send(Buffer.from("x"), [999_999]), { code: "EBADF" });
  one.socket.send(Buffer.from("fine"), Array<number>(253).fill(0));
  await other.until(() => other.bytes === "fine" && other.descriptors.length === 253);
  for (const fd of other.descriptors) closeDescriptor(fd);
  one.socket.abort();
  other.socket.abort();
});

test("listens on a path, and removes it", { skip }, async () => {
  const before = openFds();
  const path = join(folder, "listening.sock");
  writeFileSync(join(folder, "shared"), "shared by many");
  const accepted: Received[] = [];
  const listener = await listenDescriptors(path, (socket) => accepted.push(new Received(socket)));
  await assert.rejects(
    listenDescriptors(path, (socket) => socket.abort()),
    { code: "EADDRINUSE" },
  );
  const fd = openSync(join(folder, "shared"), "r");
  const dialed = await Promise.all(Array.from({ length: 20 }, () => dialDescriptors(path)));
  const ends = dialed.map((socket) => new Received(socket));
  for (const { socket } of ends) socket.send(Buffer.from("one"), [fd]);
  closeSync(fd);
  while (accepted.reduce((sum, one) => sum + one.descriptors.length, 0) < 20)
    await new Promise((resolve) => setImmediate(resolve));
  for (const { descriptors, socket } of accepted) {
    if (descriptors.length === 0) continue; // whoever wanted to listen, too, has looked whether somebody is there
    assert.ok(fstatSync(descriptors[0]!).isFile());
    closeDescriptor(descriptors[0]!);
    socket.close();
  }
  await Promise.all(ends.map((end) => end.until(() => end.closed !== undefined)));
  await Promise.all(accepted.map((end) => end.until(() => end.closed !== undefined)));
  await listener.close();
  await assert.rejects(dialDescriptors(path), { code: "ENOENT" });
  assert.equal(openFds(), before);
});

test(
  "descriptors that find no room in the process end the socket, and none is leaked",
  { skip },
  async () => {
    const program = fileURLToPath(new URL("crowded-process.js", import.meta.url));
    const child = spawn("sh", ["-c", `ulimit -n 40; exec "${process.execPath}" "${program}"`], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let output = "";
    child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
    const [code] = await once(child, "close");
    assert.equal(code, 0);
    assert.deepEqual(JSON.parse(output), { reason: "TOO_MANY", leaked: 0 });
  },
);

test(
  "a process ends by itself when its sockets are closed, and burns no time while they are quiet",
  { skip },
  async () => {
    const program = fileURLToPath(new URL("quiet-process.js", import.meta.url));
    const child = spawn(process.execPath, [program], { stdio: ["ignore", "pipe", "inherit"] });
    let output = "";
    child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
    const [code] = await once(child, "close");
    assert.equal(code, 0);
    const { elapsed, used } = JSON.parse(output) as { elapsed: number; used: number };
    assert.ok(used < elapsed / 2, `${used} ms of processor time in ${elapsed} ms of waiting`);
  },
);
