/** Sockets and files in values, between processes that share nothing, and inside one. */
import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, openSync, readFileSync, readdirSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { open, type FileHandle } from "node:fs/promises";
import { Socket, connect as connectSocket, createServer, type AddressInfo, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Duplex, Readable } from "node:stream";
import { after, afterEach, before, test } from "node:test";
import { TLSSocket } from "node:tls";
import { fileURLToPath } from "node:url";
import {
  attachment,
  connect,
  createHub,
  firstOf,
  type Attachment,
  type Hub,
  type OpenFile,
  type Peer,
} from "../../../src/index.ts";
import { canPassDescriptors } from "../../../src/transport/descriptors/libc.ts";
import { kill, settledAt, start } from "./killed-receivers.ts";

const skip = canPassDescriptors() ? false : "descriptors are passed on Linux with koffi installed";
const folder = mkdtempSync(join(tmpdir(), "lintel-attach-"));
const path = join(folder, "file");
const url = `unix://${join(folder, "hub.sock")}`;
let server: Server;
let hubProcess: ChildProcess;
let receiver: ChildProcess;
let caller: Peer;

before(async () => {
  writeFileSync(path, "content of the file");
  server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  if (skip !== false) return;
  hubProcess = await start("hub-process", join(folder, "hub.sock"));
  receiver = await start("receiver-process", url);
  caller = await connect(url);
});

after(async () => {
  server.close();
  if (skip === false) {
    await caller.close();
    await kill(receiver);
    await kill(hubProcess);
  }
  rmSync(folder, { recursive: true });
});

const opened: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of opened.splice(0).toReversed()) await one.close();
});

async function hubOf(...listen: string[]): Promise<Hub> {
  const hub = await createHub({ http: false, listen });
  opened.push(hub);
  return hub;
}

async function peerOf(at: string): Promise<Peer> {
  const peer = await connect(at);
  opened.push(peer);
  return peer;
}

/** Both ends of a connection over TCP. */
async function connection(): Promise<[near: Socket, accepted: Socket]> {
  const accepted = once(server, "connection");
  const near = connectSocket((server.address() as AddressInfo).port, "127.0.0.1");
  await once(near, "connect");
  return [near, (await accepted)[0] as Socket];
}

async function textOf(stream: AsyncIterable<unknown>): Promise<string> {
  let text = "";
  for await (const chunk of stream) text += String(chunk);
  return text;
}

/** The other end is closed, or will be. */
async function closedBy(near: Socket): Promise<void> {
  near.on("error", () => undefined);
  if (!near.resume().closed) await new Promise((resolve) => near.once("close", resolve));
}

const openFds = (): number => readdirSync("/proc/self/fd").length;

test("a socket goes through the hub to another process, which answers on it", { skip }, async () => {
  const [near, accepted] = await connection();
  const heard = textOf(near);
  near.write("sent before anybody took it");
  const pid = await caller.request("receive", { item: attachment(accepted), say: "hello" });
  assert.equal(pid, receiver.pid);
  assert.equal(await heard, "hello");
  assert.equal(accepted.destroyed, true, "the sender has it no longer");
});

test("a file goes there too, wherever it stands, and by whatever it is known here", { skip }, async () => {
  const handle = await open(path);
  await handle.read(Buffer.alloc(11), 0, 11); // the position belongs to the open file, not to the process
  const fd = openSync(path, "r");
  for (const [item, expected] of [
    [handle, "the file"],
    [fd, "content of the file"],
  ] as const) {
    assert.equal(await caller.request("receive", { item: attachment(item), say: "" }), expected);
  }
  assert.equal(handle.fd, -1, "the sender's is closed");
});

test(
  "what was received is sent on, untaken or taken and attached anew, in answers too",
  { skip },
  async () => {
    for (const subject of ["return", "reattach"]) {
      const [near, accepted] = await connection();
      const { item } = await caller.request<{ item: Attachment }>(subject, { item: attachment(accepted) });
      near.write("there and back");
      const socket = await item.take<Socket>();
      assert.ok(socket instanceof Socket);
      assert.equal(String((await once(socket, "data"))[0]), "there and back");
      socket.destroy();
      await once(near, "close");
    }
  },
);

test("channels carry them as well", { skip }, async () => {
  const hub = await hubOf(`unix://${join(folder, "channel.sock")}`);
  await hub.serve("feed", async (_, context) => {
    const channel = context.accept();
    for (let count = 0; count < 3; count++) await channel.send({ file: attachment(openSync(path, "r")) });
  });
  const peer = await peerOf(hub.urls[0]!);
  const texts = [];
  for await (const value of await peer.open("feed")) {
    const file = await (value as { file: Attachment }).file.take<OpenFile>();
    texts.push(readFileSync(file.fd, "utf8"));
    await file.close();
  }
  assert.deepEqual(texts, Array(3).fill("content of the file"));
});

test("a file can be written by whoever takes it", { skip }, async () => {
  const hub = await hubOf(`unix://${join(folder, "write.sock")}`);
  await hub.serve("log", async ({ file }: { file: Attachment }) => {
    const taken = await file.take<OpenFile>();
    writeSync(taken.fd, "written elsewhere");
    await taken.close();
  });
  const peer = await peerOf(hub.urls[0]!);
  const target = join(folder, "written");
  await peer.request("log", { file: attachment(openSync(target, "w")) });
  assert.equal(readFileSync(target, "utf8"), "written elsewhere");
});

test("in one process the object itself arrives, with nothing passed", async () => {
  const hub = await hubOf();
  await hub.serve("same", async ({ item }: { item: Attachment }) => {
    const taken = await item.take();
    assert.ok(taken === expected);
    return item.kind;
  });
  const handle = await open(path);
  let expected: unknown = handle;
  assert.equal(await hub.request("same", { item: attachment(handle) }), "file");
  assert.equal((await handle.readFile()).toString(), "content of the file");
  await handle.close();
  const [near, accepted] = await connection();
  expected = accepted;
  assert.equal(await hub.request("same", { item: attachment(accepted) }), "socket");
  near.write("still read");
  assert.equal(String((await once(accepted, "data"))[0]), "still read");
  near.destroy();
  accepted.destroy();
});

test("once something was handed over no stream is left to wait for", { skip }, async () => {
  const hub = await hubOf(`unix://${join(folder, "drained.sock")}`);
  const holder = await connect(hub.urls[0]!);
  for (const peer of [holder, hub]) {
    await peer.serve("hold", async (value) => {
      const file = await (value as Attachment).take<OpenFile | FileHandle>();
      await file.close();
    });
    const sender = peer === hub ? hub : await peerOf(hub.urls[0]!);
    await sender.request("hold", attachment(await open(path)));
    await peer.drain({ streamGraceMs: 3_600_000 });
  }
});

test("where a leg is no unix socket, bytes flow if the sender lets them", async () => {
  const hub = await hubOf("tcp://127.0.0.1:0", `unix://${join(folder, "legs.sock")}`);
  const [byTcp, byUnix] = [await peerOf(hub.urls[0]!), await peerOf(hub.urls[1]!)];
  for (const [name, worker] of Object.entries({ byTcp, byUnix })) {
    await worker.serve(`echo.${name}`, async ({ item }: { item: Attachment }) => {
      const stream = await item.take<Duplex>();
      void stream.pipe(stream);
    });
    await worker.serve(`read.${name}`, async ({ item }: { item: Attachment }) =>
      textOf(await item.take<Readable>()),
    );
  }
  for (const [sender, subject] of [
    [byTcp, "byUnix"],
    [byUnix, "byTcp"],
    [byTcp, "byTcp"],
    [hub, "byTcp"],
  ] as const) {
    const [near, accepted] = await connection();
    await sender.request(`echo.${subject}`, { item: attachment(accepted, { fallback: "stream" }) });
    const sent = "x".repeat(300_000);
    near.end(sent);
    assert.ok((await textOf(near)) === sent);
    const file = attachment(await open(path), { fallback: "stream" });
    assert.equal(await sender.request(`read.${subject}`, { item: file }), "content of the file");
    const strict = await connection();
    await assert.rejects(sender.request(`echo.${subject}`, { item: attachment(strict[1]) }), {
      code: "unimplemented",
      reason: "DESCRIPTORS_UNSUPPORTED",
    });
    await closedBy(strict[0]); // what comes to nothing is closed
  }
});

test("what is given up is closed, and so is what is sent to nobody", { skip }, async () => {
  const [ignored, first] = await connection();
  assert.equal(await caller.request("ignore", { item: attachment(first) }), "ignored");
  await closedBy(ignored);
  const [refused, second] = await connection();
  await assert.rejects(caller.request("nobody.serves.it", { item: attachment(second) }), {
    reason: "NO_RESPONDERS",
  });
  const [kept, third] = await connection();
  const held = attachment(third);
  held.discard();
  await assert.rejects(held.take(), { code: "failed_precondition" });
  await closedBy(refused);
  await closedBy(kept);
});

test("it can be taken once, or sent on, but not both", async () => {
  const hub = await hubOf();
  await hub.serve("any", () => undefined);
  const [near, accepted] = await connection();
  const one = attachment(accepted);
  assert.ok((await one.take()) === accepted);
  await assert.rejects(one.take(), { code: "failed_precondition" });
  await assert.rejects(hub.request("any", { one }), { code: "failed_precondition" });
  near.destroy();
  accepted.destroy();
});

test("what has been read here, or is encrypted here, is not passed as a descriptor", { skip }, async () => {
  const [near, accepted] = await connection();
  near.write("early");
  await once(accepted, "readable");
  await assert.rejects(caller.request("receive", { item: attachment(accepted), say: "" }), {
    reason: "DESCRIPTORS_UNSUPPORTED",
    message: /have been read/,
  });
  await closedBy(near);
  const [far, plain] = await connection();
  const encrypted = new TLSSocket(plain, { isServer: true });
  await assert.rejects(caller.request("receive", { item: attachment(encrypted), say: "" }), {
    reason: "DESCRIPTORS_UNSUPPORTED",
    message: /is encrypted/,
  });
  await closedBy(far);
});

test("what was written before it is attached goes first", { skip }, async () => {
  const [near, accepted] = await connection();
  const heard = textOf(near);
  near.pause();
  const early = "e".repeat(4_000_000);
  accepted.write(early);
  const receiving = caller.request("receive", { item: attachment(accepted), say: "late" });
  near.resume();
  await receiving;
  assert.ok((await heard) === `${early}late`);
});

test("what is no socket, file or descriptor is refused", async () => {
  const handle = await open(folder); // a folder
  for (const wrong of [handle, -1, 999_999, "x", undefined, {}] as (FileHandle | number)[])
    assert.throws(() => attachment(wrong), { code: "invalid_argument" });
  const [near, accepted] = await connection();
  assert.throws(() => attachment(accepted, { fallback: "copy" as "stream" }), { code: "invalid_argument" });
  near.destroy();
  accepted.destroy();
  await handle.close();
});

test("the first of several destinations that takes it has it", { skip }, async () => {
  const [near, accepted] = await connection();
  const heard = textOf(near);
  const destinations = firstOf([
    { peer: caller, subject: "nobody.serves.it" },
    { peer: caller, subject: "receive" },
  ]);
  await destinations.request({ item: attachment(accepted), say: "the second" });
  assert.equal(await heard, "the second");
});

test("over HTTP a file is the body of the answer, if its bytes may flow", async () => {
  const hub = await createHub({ listen: [], http: { port: 0 } });
  opened.push(hub);
  await hub.serve("lenient", async () => attachment(await open(path), { fallback: "stream" }));
  await hub.serve("strict", async () => attachment(await open(path)));
  const answer = await fetch(`${hub.httpUrl}/lenient`);
  assert.equal(await answer.text(), "content of the file");
  const refused = await fetch(`${hub.httpUrl}/strict`);
  assert.equal(refused.status, 501);
  assert.equal(((await refused.json()) as { reason: string }).reason, "DESCRIPTORS_UNSUPPORTED");
});

test("a sender that is gone fails whoever is taking", { skip }, async () => {
  const hub = await hubOf(`unix://${join(folder, "gone.sock")}`);
  const sender = await peerOf(hub.urls[0]!);
  const [near, accepted] = await connection();
  let got: Attachment | undefined;
  await hub.serve("hold", ({ item }: { item: Attachment }) => void (got = item));
  await sender.request("hold", { item: attachment(accepted) });
  await sender.close();
  await assert.rejects(got!.take(), (error: { reason?: string }) => error.reason !== undefined);
  await closedBy(near);
});

test("a lane that is not let in costs no session", { skip }, async () => {
  let lost = 0;
  const hub = await createHub({
    http: false,
    listen: [`unix://${join(folder, "crowded.sock")}`],
    limits: { sessions: 1 },
    onSession: (event, _remote, why) => {
      if (event === "closed" && why?.reason !== "TOO_MANY") lost++;
    },
  });
  opened.push(hub);
  await hub.serve("read", async ({ item }: { item: Attachment }) => textOf(await item.take<Readable>()));
  const peer = await peerOf(hub.urls[0]!);
  const lenient = attachment(openSync(path, "r"), { fallback: "stream" });
  assert.equal(await peer.request("read", { item: lenient }), "content of the file");
  await assert.rejects(peer.request("read", { item: attachment(openSync(path, "r")) }), {
    reason: "DESCRIPTORS_UNSUPPORTED",
  });
  assert.equal(lost, 0);
});

test("without koffi bytes flow, and what may not says what to install", { skip }, async () => {
  const program = fileURLToPath(new URL("without-koffi-process.js", import.meta.url));
  const child = spawn(process.execPath, [program, join(folder, "bare.sock"), path], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const output = textOf(child.stdout);
  assert.deepEqual(await once(child, "exit"), [0, null]);
  assert.deepEqual(JSON.parse(await output), {
    lenient: "content of the file",
    strict: "DESCRIPTORS_UNSUPPORTED",
    primitive: "to pass descriptors, install the package koffi: npm install koffi",
  });
});

test(
  "a hundred attachments of one message arrive, each in its place, and none stays open",
  { skip },
  async () => {
    const count = openFds();
    const items = Array.from({ length: 100 }, (_, index) => {
      const each = join(folder, `each-${index}`);
      writeFileSync(each, String(index));
      return attachment(openSync(each, "r"));
    });
    const { item } = await caller.request<{ item: Attachment[] }>("return", { item: items });
    const texts = await Promise.all(
      item.map(async (one) => textOf((await one.take<OpenFile>()).createReadStream())),
    );
    assert.deepEqual(
      texts,
      Array.from({ length: 100 }, (_, index) => String(index)),
    );
    assert.equal(await settledAt(count, openFds), count);
  },
);
