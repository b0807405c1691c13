import type { Connection, ConnectionHandler } from "../../src/transport/transport.ts";
import { FrameLog } from "../wire/frame-bytes.ts";

/** A connection whose other end is the test: it takes what is sent when the test says so. */
export class HandConnection extends FrameLog implements Connection {
  readonly remote = "hand";
  /** False while the other end is held back. */
  isRead = true;
  /** Takes everything at once. */
  isOpen = true;
  unsent = 0;
  ended: "closed" | "aborted" | undefined;
  #handler: ConnectionHandler | undefined;
  #kept: Uint8Array[] = [];

  open(handler: ConnectionHandler): void {
    this.#handler = handler;
  }

  send(bytes: Uint8Array): boolean {
    if (this.isOpen) {
      this.push(Buffer.from(bytes));
      return true;
    }
    this.#kept.push(bytes);
    this.unsent += bytes.length;
    return false;
  }

  read(going: boolean): void {
    this.isRead = going;
  }

  close(): void {
    this.ended ??= "closed";
  }

  abort(): void {
    this.ended ??= "aborted";
  }

  /** Bytes arrive, whether they are wanted or not. */
  arrive(...chunks: Uint8Array[]): void {
    for (const chunk of chunks) this.#handler?.data(chunk, false);
  }

  /** The system takes so many bytes of the buffer that it was given; with the last one it may be given the next. */
  take(count: number): void {
    this.unsent -= Math.min(count, this.unsent);
    if (this.unsent > 0) return;
    for (const bytes of this.#kept.splice(0)) this.push(Buffer.from(bytes));
    this.#handler?.drained();
  }

  /** The system takes everything, and goes on doing so. */
  takeAll(): void {
    this.isOpen = true;
    this.take(this.unsent);
  }
}
