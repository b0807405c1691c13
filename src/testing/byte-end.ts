import { copyOf } from "../message/bytes.ts";
import type { Connection } from "../transport/transport.ts";

/** One end of a connection, as a test sees it: what has arrived, and what has happened. */
export class ByteEnd {
  readonly connection: Connection;
  readonly #chunks: Uint8Array[] = [];
  #waiting: { condition: () => boolean; resolve: () => void }[] = [];
  length = 0;
  drainedCount = 0;
  closedCount = 0;
  error: Error | undefined;
  /** Called within `drained`. */
  onDrained: () => void = () => undefined;

  /** A deaf end reads nothing until `listen`. */
  constructor(connection: Connection, deaf = false) {
    this.connection = connection;
    if (!deaf) this.listen();
  }

  listen(): void {
    this.connection.open({
      data: (bytes) => {
        this.#chunks.push(copyOf(bytes, 0, bytes.length));
        this.length += bytes.length;
        this.#changed();
      },
      drained: () => {
        this.drainedCount++;
        this.onDrained();
        this.#changed();
      },
      closed: (error) => {
        this.closedCount++;
        this.error = error;
        this.#changed();
      },
    });
  }

  /** Everything that has arrived. */
  bytes(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  until(condition: () => boolean): Promise<void> {
    if (condition()) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ condition, resolve }));
  }

  over(): Promise<void> {
    return this.until(() => this.closedCount > 0);
  }

  /** Resolves when the connection has drained once more than now. */
  drain(): Promise<void> {
    const seen = this.drainedCount;
    return this.until(() => this.drainedCount > seen || this.closedCount > 0);
  }

  /** Sends in pieces and waits whenever the connection is full. */
  async sendAll(bytes: Uint8Array, size: number): Promise<void> {
    for (let at = 0; at < bytes.length; at += size) {
      if (!this.connection.send(bytes.subarray(at, at + size))) await this.drain();
    }
  }

  #changed(): void {
    const waiting = this.#waiting;
    this.#waiting = waiting.filter(({ condition }) => !condition());
    for (const one of waiting) if (!this.#waiting.includes(one)) one.resolve();
  }
}
