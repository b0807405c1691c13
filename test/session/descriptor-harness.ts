/** A session on a unix socket that lets lanes in, and bytes and descriptors by hand at the other ends. */
import assert from "node:assert/strict";
import { closeSync, mkdtempSync, openSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import type { Attached } from "../../src/message/attached.ts";
import { DEFAULT_LIMITS } from "../../src/message/limits.ts";
import { Message, type StreamEnd } from "../../src/message/message.ts";
import { createStream } from "../../src/stream/stream-pair.ts";
import { sideChannels } from "../../src/session/side-channels/side-channels.ts";
import { DescriptorChannels } from "../../src/session/side-channels/descriptor-channel.ts";
import { Flusher } from "../../src/session/outbox.ts";
import { Session } from "../../src/session/session.ts";
import { FakeClock } from "../../src/testing/fake-clock.ts";
import type { DescriptorSocket } from "../../src/transport/descriptors/descriptor-socket.ts";
import { closeDescriptor, dialDescriptors } from "../../src/transport/descriptors/endpoints.ts";
import type { Connection, Listener } from "../../src/transport/transport.ts";
import { unix } from "../../src/transport/unix.ts";
import { FrameLog, bindBytes, frameBytes, helloBytes, sayings, timeoutPrefix } from "../wire/frame-bytes.ts";
import { vectors } from "../wire/vectors.ts";
import { Recorder } from "./recorder.ts";
import { RawEnd } from "./harness.ts";

const folder = mkdtempSync(join(tmpdir(), "lintel-lane-"));
after(() => rmSync(folder, { recursive: true }));
/** Holds "content". */
export const file = join(folder, "file");
writeFileSync(file, "content");

export const TAKE = 40;
export const BYTES = 41;
export const LANE = 42;
export const PASS = 43;
export const SOCKET = 3 | 8;
const GREETING = { "max-payload": "1000", "max-headers": "16384", "max-streams": "200" };

export const bytesOf = (name: string): string => vectors.frames.find((vector) => vector.name === name)!.hex;
export const openFds = (): number => readdirSync("/proc/self/fd").length;

/** What came on a lane, read by hand. */
export class RawLane extends FrameLog {
  readonly socket: DescriptorSocket;
  readonly descriptors: number[] = [];
  ended = false;

  constructor(socket: DescriptorSocket) {
    super();
    this.socket = socket;
    socket.open({
      data: (bytes, descriptors) => {
        this.descriptors.push(...descriptors);
        this.push(bytes);
      },
      drained: () => undefined,
      closed: () => {
        this.ended = true;
        this.changed();
      },
    });
  }

  pass(stream: number, descriptors: number): void {
    const fds = Array.from({ length: descriptors }, () => openSync(file, "r"));
    this.socket.send(frameBytes({ type: PASS, target: stream }), fds);
    for (const fd of fds) closeSync(fd);
  }
}

/** A session that accepted, on a unix socket that lets lanes in, and bytes by hand at the other end. */
export class LaneHarness {
  readonly clock = new FakeClock();
  readonly owner = new Recorder();
  readonly lanes = new DescriptorChannels();
  readonly sessions: Session<unknown>[] = [];
  readonly raws: RawEnd[] = [];
  readonly sockets: RawLane[] = [];
  readonly path = join(folder, `${Math.random().toString(36).slice(2)}.sock`);
  #listener!: Listener;
  raw!: RawEnd;

  static async open(
    greeting: Readonly<Record<string, string>> = { attachments: "descriptors" },
  ): Promise<LaneHarness> {
    const harness = new LaneHarness();
    harnesses.push(harness);
    harness.#listener = await unix.listen(`unix://${harness.path}`, (connection) =>
      harness.#accept(connection),
    );
    harness.raw = await harness.dial();
    harness.raw.send(helloBytes({ ...GREETING, ...greeting }));
    await harness.raw.next(2);
    harness.raw.send(bindBytes(1, "a"));
    return harness;
  }

  get session(): Session<unknown> {
    return this.sessions[0]!;
  }

  async dial(): Promise<RawEnd> {
    const raw = new RawEnd(await unix.dial(`unix://${this.path}`));
    this.raws.push(raw);
    return raw;
  }

  async openLane(): Promise<RawLane> {
    const lane = new RawLane(await dialDescriptors(this.path));
    this.sockets.push(lane);
    const token = sayings(await this.raw.next(2))["lane"]!;
    lane.socket.send(frameBytes({ type: LANE, body: token }));
    await lane.until(() => lane.frames.length > 0 || lane.ended);
    return lane;
  }

  /** A request that takes streams which the other end opens with these bits. */
  async opened(aux: number): Promise<StreamEnd> {
    this.raw.send(
      frameBytes({ type: 32, target: 1, aux }),
      frameBytes({ type: 16, target: 1, id: 1, flags: 4, body: timeoutPrefix(1_000) }),
    );
    await this.owner.next("request");
    return this.owner.streams.get(1)!;
  }

  /** Sends an answer that carries what is offered. */
  offer(...offers: Attached[]): void {
    const message = Message.ofBytes(new Uint8Array(1));
    message.streams = offers.map((offer) => {
      const [far, near] = createStream({ sends: true, receives: true, messages: false }, offer);
      near.listen(SILENT);
      return far;
    });
    this.session.reply(0, 1, message);
  }

  async closesWith(reason: string): Promise<void> {
    assert.equal(sayings(await this.raw.next(4))["reason"], reason);
    assert.equal(this.session.streams.size, 0);
  }

  async end(): Promise<void> {
    for (const session of this.sessions)
      session.abort({ code: "canceled", reason: "X", message: "", retryable: false });
    for (const { connection } of this.raws) connection.abort();
    for (const { socket, descriptors } of this.sockets) {
      socket.abort();
      for (const fd of descriptors.splice(0)) closeDescriptor(fd);
    }
    await this.#listener.close();
  }

  #accept(connection: Connection): void {
    const owner = this.sessions.length === 0 ? this.owner : new Recorder();
    const { clock, lanes: descriptorChannels } = this;
    const options = {
      role: "acceptor",
      name: "harness",
      limits: DEFAULT_LIMITS,
      flusher: new Flusher(),
    } as const;
    const session = new Session<unknown>(connection, {
      ...options,
      clock,
      descriptorChannels,
      lifecycle: owner,
      calls: owner,
      registrations: owner,
      sideChannels,
    });
    this.sessions.push(session);
    session.start();
  }
}

const SILENT = {
  data: () => undefined,
  ended: () => undefined,
  granted: () => undefined,
  ready: () => true,
  writable: () => undefined,
  reset: () => undefined,
};

/** Waits for so many frames of a type. */
export async function frames(raw: FrameLog, type: number, count: number): Promise<void> {
  await raw.until(() => raw.of(type).length >= count);
}

export const harnesses: LaneHarness[] = [];
