import { failure, type Failure } from "../message/failure.ts";
import type { Connection } from "../transport/transport.ts";
import { FrameType } from "../wire/frame.ts";
import type { FrameReader } from "../wire/frame-reader.ts";
import type { DescriptorChannel } from "./side-channels/descriptor-channel.ts";
import { writeHeaderFrame } from "./frame-writer.ts";
import { greetingOf, type Greeting } from "./greeting.ts";
import { PROTOCOL_VERSION, type SessionOptions } from "./options.ts";
import type { Outbox } from "./outbox.ts";

type GreeterOptions = Pick<
  SessionOptions<never>,
  "role" | "limits" | "clock" | "name" | "token" | "descriptorChannels" | "admit" | "registrations"
>;

export interface GreeterParts {
  readonly connection: Connection;
  readonly outbox: Outbox;
  readonly reader: FrameReader;
  readonly lane: DescriptorChannel | undefined;
  /** Bypasses that this end takes. */
  readonly bypasses: number;
}

export interface GreeterEvents {
  /** The session waits for the access check of the other end. */
  authenticating(): void;
  /** WELCOME has been sent, or read. */
  opened(greeting: Greeting): void;
  /** Reads the frames that came while nothing was read. */
  resume(): void;
  /** The session is to end. */
  failed(why: Failure): void;
}

/** The beginning of a session: sends the greeting, and welcomes the other end once it is admitted. */
export class Greeter {
  readonly #options: GreeterOptions;
  readonly #parts: GreeterParts;
  readonly #on: GreeterEvents;
  /** HELLO was read; nothing more is read until the access check is done. */
  #isAuthenticating = false;
  #timer: unknown;

  constructor(options: GreeterOptions, parts: GreeterParts, on: GreeterEvents) {
    this.#options = options;
    this.#parts = parts;
    this.#on = on;
  }

  /** To be called when the connection is open: the dialer greets. */
  start(): void {
    const { limits, clock, role } = this.#options;
    this.#timer = clock.after(limits.helloTimeout, () => this.#late()); // P-14, P-142
    if (role === "dialer") this.#greet(FrameType.hello, PROTOCOL_VERSION, PROTOCOL_VERSION);
  }

  /** The other end's greeting was read, and can be read. */
  greeted(version: number, greeting: Greeting): void {
    const { lane } = this.#parts;
    const { role, admit } = this.#options;
    if (role === "dialer") {
      if (lane !== undefined) lane.token = greeting.lane;
      return this.#over(greeting);
    }
    const decision = admit?.(greeting.token);
    if (decision === undefined) return this.#welcome(version, greeting);
    if (!(decision instanceof Promise)) return this.#on.failed(decision);
    const { reader, connection } = this.#parts;
    this.#isAuthenticating = true; // P-141
    this.#on.authenticating();
    reader.pause();
    connection.read?.(false);
    void decision.then((why) => this.#decided(why, version, greeting));
    return undefined;
  }

  /** The session has ended. */
  stop(): void {
    this.#release();
    this.#options.clock.clear(this.#timer);
  }

  #decided(why: Failure | undefined, version: number, greeting: Greeting): void {
    if (!this.#isAuthenticating) return; // the session has ended meanwhile
    if (why !== undefined) return this.#on.failed(why); // P-143
    this.#release();
    this.#welcome(version, greeting);
    return this.#on.resume();
  }

  #welcome(version: number, greeting: Greeting): void {
    const { lane } = this.#parts;
    if (lane !== undefined && greeting.attachments === "descriptors")
      this.#options.descriptorChannels?.issue(lane);
    this.#greet(FrameType.welcome, version, 0);
    this.#over(greeting);
  }

  #release(): void {
    if (this.#isAuthenticating) this.#parts.connection.read?.(true);
    this.#isAuthenticating = false;
  }

  #over(greeting: Greeting): void {
    this.#options.clock.clear(this.#timer);
    this.#on.opened(greeting);
  }

  #greet(type: FrameType, target: number, id: number): void {
    const { outbox, lane, bypasses } = this.#parts;
    const own = greetingOf({ ...this.#options, lane: lane?.token, bypasses });
    writeHeaderFrame(outbox, type, target, id, own);
  }

  #late(): void {
    const within = `within ${this.#options.limits.helloTimeout} ms`;
    this.#on.failed(
      this.#isAuthenticating
        ? failure("ACCESS_UNAVAILABLE", `the access check was not done ${within}`)
        : failure("HEARTBEAT_LOST", `no greeting ${within}`),
    );
  }
}
