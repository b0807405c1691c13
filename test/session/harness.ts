/** A session on one end of a pipe, and bytes written and read by hand on the other. */
import { DEFAULT_LIMITS, type Limits } from "../../src/message/limits.ts";
import { Flusher } from "../../src/session/outbox.ts";
import type { OpenStreams } from "../../src/stream/open-streams.ts";
import type { SessionOptions } from "../../src/session/options.ts";
import { sideChannels } from "../../src/session/side-channels/side-channels.ts";
import { Session } from "../../src/session/session.ts";
import { FakeClock } from "../../src/testing/fake-clock.ts";
import { createMemoryTransport } from "../../src/transport/memory.ts";
import type { Connection, Bypasses } from "../../src/transport/transport.ts";
import { FrameLog, helloBytes, welcomeBytes } from "../wire/frame-bytes.ts";
import { EnablingRecorder, Recorder } from "./recorder.ts";

/** The other end of the pipe. */
export class RawEnd extends FrameLog {
  readonly connection: Connection;
  ended = false;

  /** A deaf end sends, but never reads. */
  constructor(connection: Connection, deaf = false) {
    super();
    this.connection = connection;
    if (deaf) return;
    connection.open({
      data: (bytes) => this.push(bytes),
      drained: () => undefined,
      closed: () => {
        this.ended = true;
        this.changed();
      },
    });
  }

  /** Sends bytes, each array as a chunk of its own. */
  send(...chunks: Uint8Array[]): void {
    for (const chunk of chunks) this.connection.send(chunk);
  }
}

export interface Harness {
  readonly clock: FakeClock;
  readonly session: Session<unknown>;
  readonly owner: Recorder;
  readonly raw: RawEnd;
}

export interface HarnessOptions {
  readonly role?: SessionOptions<unknown>["role"];
  readonly limits?: Partial<Limits>;
  readonly name?: string;
  readonly firstBinding?: number;
  readonly token?: string;
  readonly admit?: SessionOptions<unknown>["admit"];
  /** Notes whether the session's end of the pipe is read, each time that changes. */
  readonly reads?: boolean[];
  /** Beside the session's end of the pipe, which has none by itself. */
  readonly bypasses?: Bypasses;
  readonly endingStreams?: OpenStreams | undefined;
  /** The session takes ENABLE. */
  readonly takesEnable?: boolean;
  /** The raw end never reads. */
  readonly deaf?: boolean;
  /** Headers of the greeting the raw end sends; false: it sends none. */
  readonly greeting?: Readonly<Record<string, string>> | false;
}

/** Both ends of a connection inside the process. */
export async function pipe(): Promise<[dialed: Connection, accepted: Connection]> {
  const transport = createMemoryTransport();
  let accepted: Connection | undefined;
  await transport.listen("memory:harness", (connection) => {
    accepted = connection;
  });
  const dialed = await transport.dial("memory:harness");
  return [dialed, accepted!];
}

function withBypasses(connection: Connection, bypasses: Bypasses): Connection {
  return {
    remote: connection.remote,
    bypasses,
    open: (handler) => connection.open(handler),
    send: (bytes) => connection.send(bytes),
    close: () => connection.close(),
    abort: () => connection.abort(),
  };
}

/** A session that is open, unless there is no greeting. */
export async function openHarness(options: HarnessOptions = {}): Promise<Harness> {
  const { role = "acceptor", greeting, firstBinding } = options;
  const [dialed, accepted] = await pipe();
  const clock = new FakeClock();
  const owner = options.takesEnable === true ? new EnablingRecorder() : new Recorder();
  const own = role === "acceptor" ? accepted : dialed;
  const connection = options.bypasses === undefined ? own : withBypasses(own, options.bypasses);
  const { reads } = options;
  if (reads !== undefined) {
    const read = connection.read!.bind(connection);
    connection.read = (going): void => {
      reads.push(going);
      read(going);
    };
  }
  const session = new Session<unknown>(connection, {
    role,
    name: options.name ?? "harness",
    limits: { ...DEFAULT_LIMITS, ...options.limits },
    clock,
    flusher: new Flusher(),
    token: options.token,
    admit: options.admit,
    lifecycle: owner,
    calls: owner,
    registrations: owner,
    sideChannels,
    endingStreams: options.endingStreams,
    ...(firstBinding === undefined ? {} : { firstBinding }),
  });
  session.start();
  const raw = new RawEnd(role === "acceptor" ? dialed : accepted, options.deaf);
  if (greeting !== false) {
    raw.send(role === "acceptor" ? helloBytes(greeting) : welcomeBytes(greeting));
    await owner.until(() => owner.events.length > 0);
    if (role === "acceptor" && options.deaf !== true) await raw.next(2);
  }
  return { clock, session, owner, raw };
}

/** Everything that is under way inside the process arrives. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 6; turn++) await new Promise((resolve) => setImmediate(resolve));
}
