/** Finds out whether responses were delivered, for code that needs to know. */
import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Delivery } from "../http-api.ts";

/**
 * | state     | meaning                                                        | the connection ends: it was |
 * |-----------|----------------------------------------------------------------|-----------------------------|
 * | unwritten | not all of it was given to the socket                          | lost                        |
 * | written   | the socket has all of it, and may have sent it without saying so | taken                     |
 * | stuck     | the socket has all of it, and has not sent all of it           | lost                        |
 */
interface Watched {
  readonly delivery: Delivery;
  state: "unwritten" | "written" | "stuck";
}

/**
 * Responses that a connection has not taken yet. A response is lost only if part of it was never handed to the system:
 * the caller cannot have read all of it then. Nothing that happens later proves as much. A client that has read a response may
 * reset the connection, and over TLS most do so by closing it.
 */
export class Deliveries {
  readonly #watched = new Set<Watched>();
  readonly #socket: Socket;
  readonly #isExact: boolean;

  /**
   * `isExact`: what is written to the socket is handed to the system at once, or counts as its `writableLength`. Over TLS a
   * socket tells a turn of the loop late what it has sent; in an app's own server there may be more in between.
   */
  constructor(socket: Socket, isExact: boolean) {
    this.#socket = socket;
    this.#isExact = isExact;
  }

  /** To be called before the response is ended. */
  watch(response: ServerResponse, delivery: Delivery): void {
    const watched: Watched = { delivery, state: "unwritten" };
    this.#watched.add(watched);
    response.once("prefinish", () => this.#written(watched));
    response.once("finish", () => {
      if (!this.#hasEnded && this.#watched.delete(watched)) delivery.taken(); // it also comes after a write that failed
    });
  }

  /** The connection has ended. */
  closed(): void {
    for (const { delivery, state } of this.#watched) {
      if (state === "written") delivery.taken();
      else delivery.lost();
    }
    this.#watched.clear();
  }

  get #hasEnded(): boolean {
    return this.#socket.destroyed || this.#socket.errored !== null;
  }

  #written(watched: Watched): void {
    if (this.#isExact) {
      watched.state = "stuck";
      if (this.#hasEnded || this.#socket.writableLength > 0) return;
      this.#watched.delete(watched);
      return watched.delivery.taken();
    }
    watched.state = "written";
    setImmediate(() => setImmediate(() => (watched.state = "stuck")));
  }
}
