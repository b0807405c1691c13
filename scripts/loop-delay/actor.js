/**
 * Somebody who does something to the hub of a soak, in a process that can be killed. What, the first argument says; the
 * second has the details as JSON. It sends "ready", and acts when it is told to go on.
 *
 *   node scripts/loop-delay/actor.js WHAT DETAILS
 */
import { once } from "node:events";
import { connect as connectSocket } from "node:net";
import { connect } from "lintel";

/** @typedef {{ url: string, count: number, each?: number, subject?: string, size?: number, timeoutMs?: number }} Details */

const never = () => new Promise(() => undefined);
const [what = "", details = "{}"] = process.argv.slice(2);

/** Resolves when the soak says so. */
async function go() {
  process.send?.("ready");
  await once(process, "message");
}

/** @param {number} count @param {(index: number) => Promise<unknown>} start */
async function many(count, start) {
  for (let from = 0; from < count; from += 50) {
    const some = Array.from({ length: Math.min(50, count - from) }, (_, index) => start(from + index));
    await Promise.all(some);
  }
}

/** @param {number} type @param {number} flags @param {number} stream */
function frame(type, flags, stream, payload = Buffer.alloc(0)) {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** A header field as HPACK has it without compression. @param {string} name @param {string} value */
function literal(name, value) {
  return [Buffer.from([0, name.length]), Buffer.from(name), Buffer.from([value.length]), Buffer.from(value)];
}

/** @type {Record<string, (details: Details) => Promise<unknown>>} */
const ACTORS = {
  /** Workers whose answers are long streams of bytes. */
  async streams({ url, count, size = 50_000_000 }) {
    const zeros = new Blob([new Uint8Array(size)]);
    for (let at = 0; at < count; at++) {
      const peer = await connect(url);
      await peer.serve("stream", () => zeros.stream(), { concurrency: 10_000 });
    }
    await go();
  },

  /** Workers whose answers are long sequences of values of `size` bytes. */
  async values({ url, count, size = 10, each = 5_000_000 }) {
    const value = "x".repeat(size);
    const values = async function* () {
      for (let at = 0; at < each; at++) yield value;
    };
    for (let at = 0; at < count; at++) {
      const peer = await connect(url);
      await peer.serve("stream", () => values(), { concurrency: 10_000 });
    }
    await go();
  },

  /** Callers over HTTP that read nothing. */
  async silent({ url, count, subject = "stream" }) {
    const { hostname, port } = new URL(url);
    await go();
    await many(count, async () => {
      const socket = connectSocket({ host: hostname, port: Number(port) });
      socket.pause();
      await once(socket, "connect");
      socket.write(`GET /${subject} HTTP/1.1\r\nHost: ${hostname}:${port}\r\n\r\n`);
    });
  },

  /** Sessions that serve one subject each, or all the same one, and answer nothing. */
  async workers({ url, count, subject = "w", each = 1 }) {
    await many(count, async (index) => {
      const peer = await connect(url);
      for (let at = 0; at < each; at++)
        await peer.serve(subject.replace("#", `${index}.${at}`), never, { concurrency: 1_000 });
    });
    await go();
  },

  async subscribers({ url, count, subject = "s" }) {
    await many(count, async () => {
      const peer = await connect(url);
      await peer.subscribe(subject, () => undefined);
    });
    await go();
  },

  /** Requests that nobody answers. */
  async callers({ url, count, each = 1, subject = "w", timeoutMs = 600_000 }) {
    const ended = { total: 0 };
    await many(count, async (index) => {
      const peer = await connect(url);
      for (let at = 0; at < each; at++) {
        const to = subject.replace("#", String((index * each + at) % 1_000));
        peer.request(to, 1, { timeoutMs }).then(undefined, () => ended.total++);
      }
    });
    await go();
    const since = performance.now();
    while (ended.total < count * each && performance.now() - since < 60_000) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    process.send?.(ended);
  },

  /** Streams of HTTP/2 that are opened and reset in one write, on `count` connections, `each` of them at a time. */
  async resets({ url, count, each = 10_000, subject = "/.lintel/session" }) {
    const { hostname, port } = new URL(url);
    const sockets = await Promise.all(
      Array.from({ length: count }, async () => {
        const socket = connectSocket({ host: hostname, port: Number(port) });
        socket.on("error", () => undefined).resume();
        await once(socket, "connect");
        socket.write(Buffer.concat([Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), frame(4, 0, 0)]));
        return socket;
      }),
    );
    const fields = [
      [":method", "POST"],
      [":scheme", "http"],
      [":path", subject],
      [":authority", "localhost"],
      ["content-type", subject.startsWith("/.lintel") ? "application/lintel.v1" : "application/grpc"],
    ];
    const block = Buffer.concat(fields.flatMap(([name = "", value = ""]) => literal(name, value)));
    const flood = Buffer.concat(
      Array.from({ length: each }, (_, at) => [
        frame(1, 4, 2 * at + 1, block),
        frame(3, 0, 2 * at + 1, Buffer.from([0, 0, 0, 8])),
      ]).flat(),
    );
    await go();
    for (const socket of sockets) socket.write(flood);
  },
};

process.on("disconnect", () => process.exit(0));
await ACTORS[what]?.(JSON.parse(details));
setInterval(() => undefined, 1_000_000);
