/** The line of a caller on a socket of our own. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Clock } from "../../message/clock.ts";
import { cutOff } from "../../transport/sockets.ts";
import type { Delivery } from "../http-api.ts";
import type { Exchange, Line, Outgoing } from "./connection.ts";
import { closingResponse, type Problem } from "./problem.ts";
import type { SessionDoor } from "./sessions.ts";

/** How long a refused caller may go on sending before it is cut off; without it a reset could overtake the answer. */
export const LINGER_MS = 2_000;

export interface SocketLineOptions {
  readonly clock: Clock;
  readonly stallMs: number;
  readonly sessions: SessionDoor | undefined;
  /** Called when the door for sessions takes the connection, and when it gives it back. */
  readonly onTaken: (socket: Socket) => void;
  readonly onReturned: (socket: Socket) => void;
}

/** Ends a connection in the middle of a response, so that the caller cannot take what it got for the whole. */
export function breakOff(response: ServerResponse, socket: Socket): void {
  // Where the end of the connection is the end of the body, only a reset says that it came too early.
  if (response.req.httpVersionMinor === 0) cutOff(socket);
  else if (response.socket !== null) socket.destroySoon();
  else response.once("socket", () => setImmediate(() => socket.destroySoon())); // it waits behind others
}

/** A response that somebody wants to know the fate of. */
interface Watched {
  readonly response: Outgoing;
  readonly delivery: Delivery;
  /** When the connection had taken it, by the clock; 0 until then. */
  takenAt: number;
}

/** A reset that comes within this after a response was taken means that nobody has read it. Milliseconds. */
const RESET_WINDOW_MS = 2_000;

export class SocketLine implements Line {
  readonly base = "";
  readonly isSecure: boolean;
  readonly #socket: Socket;
  readonly #options: SocketLineOptions;
  #linger: unknown;
  /** Responses that the connection has not taken yet, and the last one that it has. */
  #watched: Watched[] | undefined;

  constructor(socket: Socket, options: SocketLineOptions) {
    this.#socket = socket;
    this.isSecure = "encrypted" in socket;
    this.#options = options;
  }

  /**
   * Asked on a stand-in, which inherits all there is to know: Node remembers the address where it was asked for it, and the
   * door tells by one that is unknown that a caller has reset.
   */
  get remote(): string | undefined {
    return (Object.create(this.#socket) as Socket).remoteAddress;
  }

  get isOpen(): boolean {
    const socket = this.#socket;
    return socket.writable && !socket.readableEnded;
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  cut(): void {
    this.#socket.destroy();
  }

  end(response: Outgoing, isWhole: boolean): void {
    const answer = response as ServerResponse; // as all are that come from sockets
    if (isWhole) answer.once("finish", () => this.#socket.destroySoon());
    else breakOff(answer, this.#socket);
  }

  watch(response: Outgoing, delivery: Delivery): void {
    const watched: Watched = { response, delivery, takenAt: 0 };
    this.#watched = this.#watched?.filter(({ takenAt }) => takenAt === 0) ?? [];
    this.#watched.push(watched);
    const answer = response as ServerResponse; // as all are that come from sockets
    answer.once("finish", () => {
      watched.takenAt = this.#options.clock.now();
      delivery.taken();
    });
  }

  /** The other end has reset the connection: it cannot have read what was sent last, if that was `newest`. */
  reset(newest: Outgoing | undefined): void {
    const now = this.#options.clock.now();
    const lost = this.#watched?.filter(
      ({ response, takenAt }) => response === newest && takenAt > 0 && now - takenAt < RESET_WINDOW_MS,
    );
    for (const { delivery } of lost ?? []) delivery.lost();
  }

  /** First our side is closed, so that the caller gets to read the problem even if it is still sending, then the socket. */
  refuse(problem: Problem, withBody: boolean, before: Outgoing | undefined): void {
    const response = closingResponse(problem, withBody);
    const earlier = before as ServerResponse | undefined; // as all are that come from sockets
    if (earlier === undefined || earlier.writableFinished) this.#sendLast(response);
    else earlier.once("finish", () => this.#sendLast(response));
  }

  handOver({ connection, request, response }: Exchange): boolean {
    const { sessions, stallMs, onTaken, onReturned } = this.#options;
    const socket = this.#socket;
    const answer = response as ServerResponse; // as all are that come from sockets
    if (sessions?.request(request as IncomingMessage, answer) !== true) return false;
    connection.state = "taken";
    socket.setTimeout(0); // a session has heartbeats
    onTaken(socket);
    answer.once("close", () => {
      if (connection.state !== "taken") return;
      connection.state = "open";
      socket.setTimeout(stallMs);
      onReturned(socket);
    });
    return true;
  }

  closed(): void {
    for (const { delivery, takenAt } of this.#watched ?? []) if (takenAt === 0) delivery.lost();
    this.#watched = undefined;
    if (this.#linger !== undefined) this.#options.clock.clear(this.#linger);
  }

  #sendLast(response: Buffer): void {
    const socket = this.#socket;
    if (socket.destroyed) return;
    socket.end(response);
    socket.resume();
    this.#linger = this.#options.clock.after(LINGER_MS, () => socket.destroy());
  }
}
