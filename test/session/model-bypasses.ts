/** A connection and its bypasses as a model: what is sent, asked for and answered arrives when a run says so. */
import assert from "node:assert/strict";
import type {
  Connection,
  ConnectionHandler,
  Bypass,
  BypassHandler,
  Bypasses,
} from "../../src/transport/transport.ts";

const WINDOW = 100_000;

/** One end of a bypass. What is sent waits until the run lets it through and the other end reads. */
class BypassEnd implements Bypass {
  other!: BypassEnd;
  handler: BypassHandler | undefined;
  going = false;
  isAborted = false;
  #sent: Uint8Array[] = [];
  #waiting = 0;
  #isFull = false;
  #isTold = false;

  open(handler: BypassHandler): void {
    this.handler = handler;
  }

  send(bytes: Uint8Array): boolean {
    this.#sent.push(bytes.slice());
    this.#waiting += bytes.length;
    this.#isFull ||= this.#waiting >= WINDOW;
    return !this.#isFull;
  }

  end(): void {
    // the model's bypasses end when the run aborts them
  }

  read(going: boolean): void {
    this.going = going;
  }

  abort(): void {
    this.isAborted = true;
    this.other.isAborted = true;
  }

  /** Something happens to what was sent here. False: nothing can. */
  step(): boolean {
    if (this.isAborted) return this.#close();
    if (!this.other.going || this.other.handler === undefined) return false;
    const next = this.#sent.shift();
    if (next === undefined) return false;
    this.#waiting -= next.length;
    this.other.handler.data(next);
    if (this.#isFull && this.#waiting === 0) {
      this.#isFull = false;
      this.handler?.drained();
    }
    return true;
  }

  #close(): boolean {
    if (this.#isTold || this.handler === undefined) return false;
    this.#isTold = true;
    this.handler.closed();
    return true;
  }
}

/** The bypasses between two sessions: what is asked for arrives, and is answered, when the run says so. */
export class BypassNet {
  readonly limit = 3;
  readonly ends: BypassEnd[] = [];
  readonly steps: (() => void)[] = [];
  #onBypass: (number: number, sends: boolean, bypass: Bypass) => boolean = () => false;

  readonly dialed: Bypasses = {
    limit: 3,
    accept: () => undefined,
    request: (number, sends, opened) =>
      void this.steps.push(() => {
        const [near, far] = [new BypassEnd(), new BypassEnd()];
        near.other = far;
        far.other = near;
        const isTaken = this.#onBypass(number, !sends, far);
        if (isTaken) this.ends.push(near, far);
        this.steps.push(() => opened(isTaken && !near.isAborted ? near : undefined));
      }),
  };

  readonly accepted: Bypasses = {
    limit: 3,
    request: () => assert.fail("an acceptor opens none"),
    accept: (onBypass) => {
      this.#onBypass = onBypass;
    },
  };
}

/** One end of the connection: a queue of bytes. */
export class Wire implements Connection {
  readonly remote = "model";
  readonly bypasses: Bypasses;
  other!: Wire;
  handler!: ConnectionHandler;
  #sent: Buffer = Buffer.alloc(0);

  constructor(bypasses: Bypasses) {
    this.bypasses = bypasses;
  }

  open(handler: ConnectionHandler): void {
    this.handler = handler;
  }

  send(bytes: Uint8Array): boolean {
    this.#sent = Buffer.concat([this.#sent, bytes]);
    return true;
  }

  deliver(count: number): boolean {
    const bytes = this.#sent.subarray(0, count);
    this.#sent = this.#sent.subarray(bytes.length);
    if (bytes.length > 0) this.other.handler.data(new Uint8Array(bytes), true);
    return bytes.length > 0;
  }

  close(): void {
    assert.fail("a session was closed");
  }

  abort(): void {
    assert.fail("a session was cut off");
  }
}
