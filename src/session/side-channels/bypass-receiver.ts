import { viewOf } from "../../message/bytes.ts";
import type { Bypass, BypassHandler } from "../../transport/transport.ts";
import type { BypassEnd, BypassTable, BypassUser } from "./bypass-end.ts";

const TWO_TO_32 = 0x1_0000_0000;

/** Receives a stream's bytes from a bypass: from when its sender has said so, as fast as the reader grants credit. */
export class BypassReceiver implements BypassEnd, BypassHandler {
  readonly number: number;
  readonly #table: BypassTable;
  #stream: BypassUser | undefined;
  #bypass: Bypass | undefined;
  /** Nothing more comes than what has. */
  #isGone = false;
  /** What has come and waits for credit. */
  #rest: Uint8Array | undefined;
  #received = 0;
  /** What END says will have been received, modulo 2^32. */
  #total: number | undefined;
  #isHandingOn = false;
  /** The sender uses the bypass: nothing comes by DATA any more. */
  isUsed: boolean = false;

  constructor(table: BypassTable, stream: BypassUser) {
    this.number = stream.number;
    this.#table = table;
    this.#stream = stream;
  }

  /** There is a bypass, or there will be none. */
  attach(bypass: Bypass | undefined): void {
    if (bypass === undefined || this.#stream === undefined) {
      bypass?.abort();
      this.#isGone = true;
      this.#go();
      return;
    }
    this.#bypass = bypass;
    this.#table.begin(this);
    bypass.open(this);
    this.#go();
  }

  /** The sender says that it uses the bypass. */
  use(): void {
    this.isUsed = true;
    this.#go();
  }

  /** True when END has come. */
  get isEnding(): boolean {
    return this.#total !== undefined;
  }

  /** END says how much there is. */
  endsAt(total: number): void {
    this.#total = total;
    this.#go();
  }

  /** The reader takes more. */
  granted(): void {
    this.#go();
  }

  stop(): void {
    this.#stream = undefined;
    this.#rest = undefined;
    this.#bypass?.read(false);
  }

  abort(): void {
    this.stop();
    this.#bypass?.abort();
  }

  // BypassHandler

  data(bytes: Uint8Array): void {
    this.#table.heard();
    this.#rest = bytes;
    this.#go();
  }

  drained(): void {
    // nothing is sent here
  }

  /** END or RESET says what that means, and may be on its way. */
  closed(): void {
    this.#table.over(this);
    this.#isGone = true;
    this.#go();
  }

  /** Hands on what the reader takes, and reads on when it would take more. */
  #go(): void {
    if (!this.isUsed || this.#isHandingOn) return;
    this.#isHandingOn = true; // the reader may grant more before it returns
    while (this.#rest !== undefined && this.#stream !== undefined && this.#stream.allowed > 0) this.#handOn();
    this.#isHandingOn = false;
    if (this.#stream === undefined) return;
    if (this.#total === this.#received % TWO_TO_32) this.#finish();
    else if (!this.#isGone) this.#bypass?.read(this.#rest === undefined && this.#stream.allowed > 0);
    else if (this.#rest === undefined && (this.#bypass === undefined || this.#total !== undefined))
      this.#stream.bypassLost();
  }

  #handOn(): void {
    const bytes = this.#rest!;
    const length = Math.min(bytes.length, this.#stream!.allowed);
    const isAll = length === bytes.length;
    this.#rest = isAll ? undefined : viewOf(bytes, length, bytes.length);
    this.#received += length;
    this.#stream!.arrivedByBypass(isAll ? bytes : viewOf(bytes, 0, length));
  }

  #finish(): void {
    const stream = this.#stream!;
    this.#stream = undefined;
    if (this.#rest === undefined) this.#bypass?.read(true); // to its end
    else this.#bypass?.abort();
    stream.endedByBypass();
  }
}
