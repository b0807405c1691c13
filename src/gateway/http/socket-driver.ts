/** The line of a caller on a socket of our own. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Clock } from "../../runtime/clock.ts";
import type { ListenerAddress } from "../../transport/origins.ts";
import { cutOff } from "../../transport/sockets.ts";
import { certificateOf } from "../../transport/peer-certificate.ts";
import type { PeerCertificate } from "../../message/peer-identity.ts";
import type { Delivery } from "../http-api.ts";
import type { HttpConnection, Exchange, ConnectionDriver, Outgoing } from "./connection.ts";
import { Deliveries } from "./deliveries.ts";
import { HalfClose } from "./half-close.ts";
import { closingResponse, type Problem } from "./problem.ts";
import type { PortSessions } from "../shared-port.ts";

/** How long a refused caller may go on sending before it is cut off; without it a reset could overtake the answer. */
export const LINGER_MS = 2_000;

export interface SocketDriverOptions {
  readonly at: ListenerAddress;
  readonly clock: Clock;
  readonly stallMs: number;
  readonly sessions: PortSessions | undefined;
  /** Called when the gateway for sessions takes the connection, and when it gives it back. */
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

export class SocketDriver implements ConnectionDriver {
  readonly base = "";
  readonly at: ListenerAddress;
  readonly isSecure: boolean;
  readonly #socket: Socket;
  readonly #options: SocketDriverOptions;
  #linger: unknown;
  #certificate: PeerCertificate | undefined;
  #halfClose: HalfClose | undefined;
  #deliveries: Deliveries | undefined;

  constructor(socket: Socket, options: SocketDriverOptions) {
    this.#socket = socket;
    this.isSecure = "encrypted" in socket;
    this.at = options.at;
    this.#options = options;
  }

  get remote(): string | undefined {
    return this.#socket.remoteAddress;
  }

  get certificate(): PeerCertificate | undefined {
    return (this.#certificate ??= certificateOf(this.#socket));
  }

  get isOpen(): boolean {
    const socket = this.#socket;
    return socket.writable && (!socket.readableEnded || this.#halfClose?.isCleared === true);
  }

  ended(connection: HttpConnection, onCleared: () => void): void {
    this.#halfClose = new HalfClose(this.#socket, connection, this.#options.clock, onCleared);
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
    if (isWhole && answer.writableFinished) this.#socket.destroySoon();
    else if (isWhole) answer.once("finish", () => this.#socket.destroySoon());
    else breakOff(answer, this.#socket);
  }

  watch(response: Outgoing, delivery: Delivery): void {
    this.#deliveries ??= new Deliveries(this.#socket, !this.isSecure);
    this.#deliveries.watch(response as ServerResponse, delivery); // as all are that come from sockets
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
    this.#deliveries?.closed();
    this.#halfClose?.stop();
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
