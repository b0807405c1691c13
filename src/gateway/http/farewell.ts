/** How the connections of a gateway that drains are closed: so that no caller sees a reset. */
import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Clock } from "../../runtime/clock.ts";
import type { HttpConnection } from "./connection.ts";
import { LINGER_MS } from "./socket-driver.ts";

/** A connection that is kept is closed when no request comes for so long. Milliseconds. */
const IDLE_MS = 300;

/**
 * A caller that keeps its connection may be sending a request right now, and one that has its last answer may have sent
 * others behind it. If the connection were destroyed, the system would reset it, and the caller could lose even an answer
 * that is on its way. So idle connections have a moment for one more request, and a connection is closed by its own side
 * first; what still comes is read and dropped until the caller has closed its side, too.
 */
export class Farewell {
  readonly #clock: Clock;
  readonly #connections = new Map<Socket, HttpConnection>();
  #idle: unknown;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The connection ends behind its next last response, or when it is idle. */
  add(socket: Socket, connection: HttpConnection): void {
    this.#connections.set(socket, connection);
    socket.destroySoon = () => this.#close(socket, connection); // what Node calls after a last response
    socket.once("close", () => this.#connections.delete(socket));
    this.#idle ??= this.#clock.after(IDLE_MS, () => this.#closeIdle());
  }

  stop(): void {
    this.#clock.clear(this.#idle);
  }

  #closeIdle(): void {
    for (const [socket, connection] of this.#connections)
      if (isIdle(connection)) this.#close(socket, connection);
    this.#idle = undefined;
  }

  #close(socket: Socket, connection: HttpConnection): void {
    if (socket.destroyed || !this.#connections.delete(socket)) return;
    if (connection.state === "open") connection.state = "refusing";
    socket.end();
    socket.resume();
    const timer = this.#clock.after(LINGER_MS, () => socket.destroy());
    socket.once("close", () => this.#clock.clear(timer));
  }
}

/** True when nothing was asked for that is not answered. */
function isIdle({ state, pending, waiting, unsent, last }: HttpConnection): boolean {
  if (state !== "open" || pending.length + waiting.length + unsent > 0) return false;
  return last === undefined || (last as ServerResponse).writableFinished; // as all are that come from sockets
}
