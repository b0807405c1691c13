/** Answers that were given to connections and that their callers have not read. */
import type { ServerResponse } from "node:http";
import { failure, type Failure } from "../../message/failure.ts";
import type { SharedBound } from "../../collections/shared-bound.ts";
import type { HttpConnection, Outgoing } from "./connection.ts";

/** What a caller hears that asks for more than it reads. */
export const ANSWERS_FULL: Failure = Object.freeze(
  failure("QUEUE_FULL", "too many bytes of answers are waiting for you to read them"),
);

/**
 * Counts the bytes of whole answers that wait for a caller to read. A connection may have many requests under way, and a caller
 * many connections: without one bound in bytes the two would multiply. Streamed answers have credit instead.
 */
export class UnreadAnswers {
  readonly #bound: SharedBound;
  readonly #onRead: (connection: HttpConnection) => void;

  /** `onRead` is called when a caller has read one of its answers. */
  constructor(bound: SharedBound, onRead: (connection: HttpConnection) => void) {
    this.#bound = bound;
    this.#onRead = onRead;
  }

  /** True when a caller has so much waiting that nothing more is executed for it. */
  isFull({ caller }: HttpConnection): boolean {
    const { taken, share, limit } = this.#bound;
    return taken >= share && (taken >= limit || this.#bound.takenBy(caller) >= share);
  }

  /** To be called after the response was ended. False when the connection piles up more than its caller may have. */
  add(connection: HttpConnection, response: Outgoing, bytes: number): boolean {
    const { socket } = response;
    // Null: it waits behind others. Undefined: a `fetch` function takes it, which is part of the process.
    if (socket === undefined || (socket !== null && socket.writableLength === 0)) return true;
    if (connection.unread > 0 && this.isFull(connection)) return false;
    this.#bound.charge(connection.caller, bytes); // the only one of a slow caller's connection is not taken from it
    connection.unread += bytes;
    connection.onUnreadDropped ??= () => this.#bound.give(connection.caller, connection.unread);
    (response as ServerResponse).once("finish", () => this.#read(connection, bytes)); // as all are that have sockets
    return true;
  }

  #read(connection: HttpConnection, bytes: number): void {
    if (connection.state === "closed") return; // given back with all others
    connection.unread -= bytes;
    this.#bound.give(connection.caller, bytes);
    this.#onRead(connection);
  }
}
