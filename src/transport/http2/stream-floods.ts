/** Streams of HTTP/2 cost their sender nothing, if it resets them at once, and us some 70 microseconds each. */
import { constants, type Http2Server, type Http2Session, type ServerHttp2Stream } from "node:http2";
import type { Socket } from "node:net";
import { handleOf } from "../socket-reads.ts";

/** Streams that begin in one turn of the loop, on all connections; then the next turn goes on. */
const STREAMS_PER_TURN = 100;
/**
 * A connection on which more begin in one turn has reset some of them in the same moment: the server allows 128
 * at a time.
 */
const FLOOD = 160;

/** Looks after the streams of one server. */
export class StreamFloods {
  readonly #later: (callback: () => void) => unknown;
  readonly #sockets = new Set<Socket>();
  /** Of this turn: all, and those of each connection. */
  #count = 0;
  readonly #counts = new Map<Http2Session, number>();
  readonly #stopped: Socket[] = [];

  /** `later` calls back in the next turn. */
  constructor(later: (callback: () => void) => unknown = setImmediate) {
    this.#later = later;
  }

  watch(server: Http2Server, isEncrypted: boolean): void {
    server.on(isEncrypted ? "secureConnection" : "connection", (socket: Socket) => this.opened(socket));
    server.on("stream", (stream) => this.begun(stream));
  }

  opened(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
  }

  begun({ session }: Pick<ServerHttp2Stream, "session">): void {
    if (session === undefined || session.destroyed) return;
    if (this.#count++ === 0) this.#later(this.#nextTurn);
    const count = (this.#counts.get(session) ?? 0) + 1;
    this.#counts.set(session, count);
    if (count > FLOOD) session.destroy(undefined, constants.NGHTTP2_ENHANCE_YOUR_CALM);
    if (this.#count === STREAMS_PER_TURN) this.#stop();
  }

  /** Nothing more is read in this turn. What the system has reported as readable already is passed over, too. */
  #stop(): void {
    for (const socket of this.#sockets) {
      handleOf(socket)?.readStop();
      this.#stopped.push(socket);
    }
  }

  readonly #nextTurn = (): void => {
    this.#count = 0;
    this.#counts.clear();
    // Those that were read last go behind those that waited.
    for (const socket of this.#stopped.splice(0).toReversed()) handleOf(socket)?.readStart();
  };
}
