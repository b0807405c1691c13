/** What the two ends of bypasses, senders and receivers, need of the stream they work for, and of the session. */
import type { OpenStream } from "../../stream/open-streams.ts";

/** A stream that moves to a bypass, or whose other end does. */
export interface BypassUser {
  readonly number: number;
  /** What the other end may still send. Bytes. */
  readonly allowed: number;
  arrivedByBypass(bytes: Uint8Array): void;
  endedByBypass(): void;
  /** Its holder may send so many bytes more. */
  handOn(bytes: number): void;
  writable(): void;
  /** The bypass was lost before the stream was done with it. */
  bypassLost(): void;
}

export interface BypassEnd {
  /** Of its stream. */
  readonly number: number;
  abort(): void;
}

/** Where the ends are that are in use. */
export interface BypassTable {
  begin(end: BypassEnd): void;
  /** A sign of life of the other end. */
  heard(): void;
  /** Its stream has ended, and it still sends. */
  ending(end: BypassEnd & OpenStream): void;
  over(end: BypassEnd): void;
}
