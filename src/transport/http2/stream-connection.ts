import { constants, type Http2Stream } from "node:http2";
import type { PeerIdentity } from "../../message/peer-identity.ts";
import { ConnectionEnd } from "../connection-end.ts";
import { SendWindow } from "../send-window.ts";
import type { Connection, ConnectionHandler, Bypasses } from "../transport.ts";

/** A connection inside one HTTP/2 stream, at either end of it. */
export class StreamConnection implements Connection {
  readonly remote: string;
  readonly bypasses: Bypasses | undefined;
  readonly #identify: (() => PeerIdentity) | undefined;
  readonly #stream: Http2Stream;
  readonly #end = new ConnectionEnd();
  readonly #window: SendWindow;
  #error: Error | undefined;
  /** This end has closed or aborted, or has read the other end's last byte: what follows is no loss. */
  #isLeaving = false;

  /** `onOver` is called before the handler hears that the connection is over. */
  constructor(
    stream: Http2Stream,
    remote: string,
    bypasses: Bypasses | undefined,
    onOver: () => void,
    identify?: () => PeerIdentity,
  ) {
    this.#identify = identify;
    this.remote = remote;
    this.bypasses = bypasses;
    this.#stream = stream;
    this.#window = new SendWindow(stream, () => this.#end.drained());
    stream.on("error", (error) => {
      this.#error ??= error; // 'close' follows and reports it
    });
    stream.on("close", () => {
      onOver();
      this.#end.over(this.#isLeaving ? undefined : (this.#error ?? lost(stream)));
    });
  }

  get identity(): PeerIdentity | undefined {
    return this.#identify?.();
  }

  open(handler: ConnectionHandler): void {
    const stream = this.#stream;
    this.#end.open(handler);
    stream.on("data", (chunk: Buffer) => this.#end.data(chunk));
    stream.on("end", () => {
      this.#isLeaving ||= !stream.aborted;
      stream.end();
    });
    stream.resume();
  }

  send(bytes: Uint8Array): boolean {
    return this.#window.send(bytes);
  }

  lend(bytes: Uint8Array, freed: () => void): boolean {
    return this.#window.lend(bytes, freed);
  }

  read(going: boolean): void {
    if (going) this.#stream.resume();
    else this.#stream.pause();
  }

  get unsent(): number {
    return this.#window.unsent;
  }

  close(): void {
    this.#isLeaving = true;
    this.#window.hurry();
    this.#stream.end();
  }

  abort(): void {
    this.#isLeaving = true;
    this.#stream.close(constants.NGHTTP2_CANCEL);
    this.#stream.destroy();
  }
}

function lost({ rstCode }: Http2Stream): Error {
  return new Error(`the HTTP/2 stream was reset (error code ${rstCode ?? 0})`);
}
