import type { Socket } from "node:net";
import { LintelError, failure, type Failure } from "../../message/failure.ts";
import type { StreamEnd } from "../../message/message.ts";
import { tunnelLimits, type OnConnectionError, type TunnelLimits, type TunnelOptions } from "./options.ts";
import { SocketStream } from "./socket-stream.ts";

const CLOSED = Object.freeze(failure("CLOSED", "this end of the tunnel was closed"));

/** The connections of one end of a tunnel. */
export class Connections {
  readonly limits: TunnelLimits;
  readonly #onError: OnConnectionError;
  readonly #open = new Set<SocketStream>();
  #making = 0;
  #onEmpty: (() => void)[] = [];

  constructor(options: TunnelOptions) {
    this.limits = tunnelLimits(options);
    this.#onError = options.onError ?? reportToStderr;
  }

  /** Those that are open, and those that are being made. */
  get size(): number {
    return this.#open.size + this.#making;
  }

  /** Counts a connection for as long as it is being made. */
  async make(attempt: () => Promise<void>): Promise<void> {
    this.#making++;
    await attempt();
    this.#making--;
    this.#settle();
  }

  /** Joins a socket and a stream. `onClosed` is called when both are over. */
  add(socket: Socket, end: StreamEnd, name: string, onClosed?: () => void): SocketStream {
    const connection = new SocketStream(socket, end, this.limits, (why) => {
      this.#open.delete(connection);
      if (why !== undefined && why !== CLOSED) this.report(why, name);
      onClosed?.();
      this.#settle();
    });
    this.#open.add(connection);
    return connection;
  }

  report(why: Failure, name: string): void {
    this.#onError(LintelError.from(why), name);
  }

  /** Resolves when all have ended by themselves. */
  ended(): Promise<void> {
    if (this.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#onEmpty.push(resolve));
  }

  /** Cuts all off. Resolves when they are gone. */
  close(): Promise<void> {
    for (const connection of this.#open) connection.abort(CLOSED);
    return this.ended();
  }

  #settle(): void {
    if (this.size === 0) for (const resolve of this.#onEmpty.splice(0)) resolve();
  }
}

function reportToStderr(error: LintelError, connection: string): void {
  console.error(`lintel: ${connection}: ${error.reason}: ${error.message}`);
}
