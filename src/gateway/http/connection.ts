/** One caller's connection and the exchanges under way on it. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Clock } from "../../message/clock.ts";
import type { BodyBuffer } from "./body.ts";
import type { Target } from "./router.ts";

/**
 * One request and its response.
 *
 * | state     | meaning                                 | next                                     |
 * |-----------|-----------------------------------------|------------------------------------------|
 * | arrived   | too many before it on the connection    | receiving, done (refused, caller gone)   |
 * | receiving | its body is on the way                  | running, done (refused, caller gone)     |
 * | running   | the engine has it, or an async answer   | done (answered, failed, caller gone)     |
 * | done      | answered or given up                    |                                          |
 */
export class Exchange {
  readonly connection: Connection;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** The caller waits for `100 Continue` before it sends the body. */
  readonly expectsContinue: boolean;
  /** The response that goes out before this one. */
  before: ServerResponse | undefined;
  /** By the gateway's clock; 0 when nobody asks for it. */
  readonly startedAt: number;
  state: "arrived" | "receiving" | "running" | "done" = "arrived";
  path = "";
  head = "";
  target: Target | undefined;
  body: BodyBuffer | undefined;
  /** Value of the Prefer header. */
  prefer: string | undefined;
  /** Value of the Preference-Applied header. */
  applied: string | undefined;
  /** Number of the request at the gateway's sink, -1 when it has none. */
  tag = -1;
  /** Number of the request at the engine. */
  handle = 0;
  /** The answer that is kept for this exchange should it take too long. */
  answerId: string | undefined;

  constructor(
    connection: Connection,
    request: IncomingMessage,
    response: ServerResponse,
    expectsContinue: boolean,
    startedAt: number,
  ) {
    this.connection = connection;
    this.request = request;
    this.response = response;
    this.expectsContinue = expectsContinue;
    this.startedAt = startedAt;
    this.before = connection.last;
  }
}

/** How long a refused caller may go on sending before it is cut off; without it a reset could overtake the answer. */
const LINGER_MS = 2_000;

/** What is known of one socket. */
export class Connection {
  readonly socket: Socket;
  /** `refusing`: the last response is on its way and nothing more is read. */
  state: "open" | "refusing" | "closed" = "open";
  /** Exchanges begun and not done. */
  readonly pending: Exchange[] = [];
  /** Exchanges that have arrived and not begun. At the most what one read of the socket can hold: it is paused then. */
  readonly waiting: Exchange[] = [];
  /** The exchange that arrived last. */
  newest: Exchange | undefined;
  /** The response that goes out last. */
  last: ServerResponse | undefined;
  /** True while exchanges that waited are being begun. */
  beginning = false;
  #linger: unknown;
  readonly #clock: Clock;

  constructor(socket: Socket, clock: Clock) {
    this.socket = socket;
    this.#clock = clock;
  }

  /** Notes a request in its order. */
  arrived(exchange: Exchange): void {
    this.newest = exchange;
    this.last = exchange.response;
  }

  /** Takes an exchange that is done off the list. */
  remove(exchange: Exchange): void {
    const { pending } = this;
    const index = pending.indexOf(exchange);
    if (index < 0) return;
    const moved = pending.pop()!;
    if (index < pending.length) pending[index] = moved;
  }

  /**
   * Sends a last response when everything before it has gone out, then closes: first our side, so that the caller gets
   * to read it even if it is still sending, then the socket.
   */
  refuse(response: Buffer, before: ServerResponse | undefined): void {
    if (this.state !== "open") return;
    this.state = "refusing";
    this.waiting.length = 0;
    if (before === undefined || before.writableFinished) this.#sendLast(response);
    else before.once("finish", () => this.#sendLast(response));
  }

  #sendLast(response: Buffer): void {
    const { socket } = this;
    if (socket.destroyed) return;
    socket.end(response);
    socket.resume();
    this.#linger = this.#clock.after(LINGER_MS, () => socket.destroy());
  }

  /** To be called when the socket has closed. */
  closed(): void {
    this.state = "closed";
    this.waiting.length = 0;
    this.newest = undefined;
    this.last = undefined;
    if (this.#linger !== undefined) this.#clock.clear(this.#linger);
  }
}
