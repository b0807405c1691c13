import type { IncomingMessage, ServerResponse } from "node:http";
import type { PeerIdentity } from "../../message/peer-identity.ts";
import { ConnectionEnd } from "../connection-end.ts";
import { SendWindow } from "../send-window.ts";
import type { Connection, ConnectionHandler } from "../transport.ts";

/** How an upload ended. */
export type UploadOutcome = "taken" | "too large";

/** The accepting end: a response that does not end carries bytes down, requests of their own bring bytes up. */
export class AcceptedConnection implements Connection {
  readonly remote: string;
  readonly #identify: () => PeerIdentity;
  readonly #response: ServerResponse;
  readonly #end = new ConnectionEnd();
  readonly #window: SendWindow;
  #upload: IncomingMessage | undefined;
  /** Bytes of the upward stream that have arrived. */
  received = 0;
  #isLeaving = false;
  #isReading = true;
  /** False until `open`; an upload that comes earlier waits in `#onOpen`. */
  #isOpen = false;
  #onOpen: (() => void) | undefined;

  /** `onOver` is called before the handler hears that the connection is over. */
  constructor(response: ServerResponse, remote: string, identify: () => PeerIdentity, onOver: () => void) {
    this.#identify = identify;
    this.remote = remote;
    this.#response = response;
    this.#window = new SendWindow(response, () => this.#end.drained());
    response.on("error", () => undefined); // 'close' follows
    response.on("close", () => {
      this.#upload?.destroy();
      onOver();
      this.#end.over(this.#isLeaving ? undefined : new Error("the download was cut off"));
    });
  }

  get identity(): PeerIdentity {
    return this.#identify();
  }

  open(handler: ConnectionHandler): void {
    this.#end.open(handler);
    this.#isOpen = true;
    this.#onOpen?.();
    this.#onOpen = undefined;
  }

  send(bytes: Uint8Array): boolean {
    return this.#window.send(bytes);
  }

  lend(bytes: Uint8Array, freed: () => void): boolean {
    return this.#window.lend(bytes, freed);
  }

  read(going: boolean): void {
    this.#isReading = going;
    if (going) this.#upload?.resume();
    else this.#upload?.pause();
  }

  get unsent(): number {
    return this.#window.unsent;
  }

  close(): void {
    this.#isLeaving = true;
    this.#window.hurry();
    this.#response.end();
  }

  abort(): void {
    this.#isLeaving = true;
    this.#response.destroy();
  }

  /**
   * Hands on the body of an upload that begins where the last one stopped, as it arrives. One that is still under way
   * is cut off: whoever sends another has given it up. `done` is not called for an upload that is cut off itself.
   */
  take(upload: IncomingMessage, limit: number, done: (outcome: UploadOutcome) => void): void {
    if (!this.#isOpen) {
      this.#onOpen = () => this.take(upload, limit, done);
      return;
    }
    this.#upload?.destroy(); // F-23
    this.#upload = upload;
    if (!this.#isReading) upload.pause();
    let size = 0;
    const onData = (chunk: Buffer): void => {
      if (this.#upload !== upload) return;
      size += chunk.length;
      if (size > limit) return settle("too large");
      this.received += chunk.length;
      this.#end.data(chunk);
    };
    const settle = (outcome: UploadOutcome): void => {
      if (this.#upload !== upload) return;
      this.#upload = undefined;
      upload.off("data", onData);
      upload.resume();
      done(outcome);
    };
    upload.on("data", onData);
    upload.on("end", () => settle("taken"));
    upload.on("close", () => {
      if (this.#upload === upload) this.#upload = undefined;
    });
    upload.on("error", () => undefined); // 'close' follows; the dialer sends the rest again
  }
}
