/** What is sent to one connection, and what happens when it does not read. */
import { failure, type Failure } from "../../message/failure.ts";
import type { Limits } from "../../message/limits.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { MessageSocket } from "../../transport/ws/message-socket.ts";
import { errorFrame } from "./encode.ts";

/** Targets of which a connection is told at a time how much it has missed. */
const MAX_TOLD = 1_024;

/** Connections of a gateway for which more waits than they take at once. */
export class FullOutlets {
  readonly #limit: number;
  readonly #full = new Set<TextOutlet>();

  /** `limit`: bytes that may wait for all of them together. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  add(outlet: TextOutlet): void {
    this.#full.add(outlet);
  }

  delete(outlet: TextOutlet): void {
    this.#full.delete(outlet);
  }

  get isPastLimit(): boolean {
    let waiting = 0;
    for (const { buffered } of this.#full) waiting += buffered;
    return waiting > this.#limit;
  }
}

export interface OutletOptions {
  readonly socket: MessageSocket;
  readonly clock: Clock;
  readonly limits: Pick<Limits, "sessionBuffer" | "stallTimeout">;
  readonly full: FullOutlets;
  /** So many publications were not sent. */
  readonly onDropped: (count: number) => void;
  /** The connection is to be ended because it does not read. */
  readonly onStalled: (why: Failure) => void;
  /** More waits than the connection takes at once, or no longer. */
  readonly onPressure: (isFull: boolean) => void;
}

export class TextOutlet {
  readonly #options: OutletOptions;
  readonly #socket: MessageSocket;
  /** Publications it has missed since it became slow, by their targets. */
  readonly #missed = new Map<string, number>();
  #isFull = false;
  /** True from when more waits than `limits.sessionBuffer` until there is room again. */
  #isSlow = false;
  #taken = 0;
  #timer: unknown;

  constructor(options: OutletOptions) {
    this.#options = options;
    this.#socket = options.socket;
  }

  get isFull(): boolean {
    return this.#isFull;
  }

  get buffered(): number {
    return this.#socket.buffered;
  }

  /** Sends what must not be lost: an answer, a request, an ERROR. */
  send(text: string): void {
    if (this.#socket.send(text)) return undefined;
    if (!this.#isFull) return this.#becomeFull();
    const { full, limits } = this.#options;
    if (this.buffered > limits.sessionBuffer && full.isPastLimit) this.#end();
    return undefined;
  }

  /** Sends a publication, unless too much waits already. */
  publish(frame: Uint8Array, target: string): void {
    if (this.#isSlow) return this.#drop(target);
    if (this.#socket.sendFrame(frame)) return undefined;
    if (!this.#isFull) this.#becomeFull();
    this.#isSlow = this.buffered > this.#options.limits.sessionBuffer;
    return undefined;
  }

  /** So many publications were lost on their way here. */
  missed(target: string, count: number): void {
    if (this.#isSlow) this.#note(target, count);
    else this.#tell(target, count);
  }

  /** There is room again. */
  drained(): void {
    if (!this.#isFull) return;
    this.#isFull = false;
    this.#isSlow = false;
    this.#stop();
    for (const [target, count] of this.#missed) this.#tell(target, count);
    this.#missed.clear();
    if (!this.#isFull) this.#options.onPressure(false);
  }

  /** The connection is over. */
  close(): void {
    this.#missed.clear();
    this.#stop();
  }

  #becomeFull(): void {
    this.#isFull = true;
    this.#options.full.add(this);
    this.#watch();
    this.#options.onPressure(true);
  }

  #drop(target: string): void {
    this.#options.onDropped(1);
    this.#note(target, 1);
  }

  #tell(target: string, count: number): void {
    this.send(errorFrame(failure("SLOW_CONSUMER", `${count} lost of`), { command: "PUB", target }));
  }

  #note(target: string, count: number): void {
    const before = this.#missed.get(target);
    if (before !== undefined || this.#missed.size < MAX_TOLD) this.#missed.set(target, (before ?? 0) + count);
  }

  /** Ends the connection when it takes nothing for a while. */
  #watch(): void {
    const { clock, limits } = this.#options;
    this.#taken = this.#socket.taken;
    this.#timer = clock.after(limits.stallTimeout, () => {
      if (this.#socket.taken === this.#taken) this.#end();
      else this.#watch();
    });
  }

  #stop(): void {
    this.#options.clock.clear(this.#timer);
    this.#options.full.delete(this);
  }

  #end(): void {
    this.#stop();
    this.#options.onStalled(failure("SLOW_CONSUMER", "the connection does not read what is sent to it"));
  }
}
