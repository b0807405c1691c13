import type { Message } from "../../message/message.ts";
import type { OpenStream } from "../../stream/open-streams.ts";
import type { Bypass, BypassHandler } from "../../transport/transport.ts";
import type { BypassEnd, BypassTable, BypassUser } from "./bypass-end.ts";

/** What the holder of a stream may send ahead of its bypass. Bytes. */
const WINDOW = 262_144;

const TWO_TO_32 = 0x1_0000_0000;

/**
 * Sends a stream's bytes on a bypass. Credit is no longer the reader's to grant: the bypass grants again what it has taken,
 * and stops while it is full.
 */
export class BypassSender implements BypassEnd, BypassHandler, OpenStream {
  readonly number: number;
  readonly moves: number = 0;
  /** How far its reader is the transport does not tell. */
  readonly isAwaited: boolean = true;
  readonly #table: BypassTable;
  readonly #bypass: Bypass;
  #stream: BypassUser | undefined;
  #sent = 0;
  /** Sent and not granted anew; below 0 while more was granted than may be sent ahead of a bypass. */
  #owed: number;
  isFull: boolean = false;

  /** `credit` is what the stream's holder may still send. */
  constructor(table: BypassTable, bypass: Bypass, stream: BypassUser, credit: number) {
    this.number = stream.number;
    this.#table = table;
    this.#bypass = bypass;
    this.#stream = stream;
    this.#owed = WINDOW - credit;
    table.begin(this);
    bypass.open(this);
  }

  send(message: Message): void {
    const { payloadStart, end } = message;
    const size = end - payloadStart;
    this.#sent += size;
    this.#owed += size;
    const isOwn = message.isKept || message.loan !== undefined;
    const bytes = message.loan === undefined ? message.view(payloadStart, end) : message.payload();
    if (!this.#bypass.send(bytes, isOwn)) this.isFull = true;
    this.grant();
  }

  /** Hands out credit, unless the bypass is full. */
  grant(): void {
    if (this.isFull || this.#owed < WINDOW / 4) return;
    const bytes = this.#owed;
    this.#owed = 0;
    this.#stream?.handOn(bytes);
  }

  /** Nothing more is sent. Returns what END says. */
  end(): number {
    this.#stream = undefined;
    this.#table.ending(this);
    this.#bypass.end();
    return this.#sent % TWO_TO_32;
  }

  /** The stream is over. The bypass goes when the other end knows it. */
  stop(): void {
    this.#stream = undefined;
  }

  abort(): void {
    this.#stream = undefined;
    this.#bypass.abort();
  }

  // BypassHandler

  data(): void {
    // the transport lets nothing come against the direction
  }

  drained(): void {
    this.#table.heard();
    this.isFull = false;
    this.grant();
    this.#stream?.writable();
  }

  closed(): void {
    this.#table.over(this);
    this.#stream?.bypassLost();
  }
}
