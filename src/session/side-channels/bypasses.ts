/** Bypasses of one session (P-131 to P-137): what its byte streams send and receive beside the connection. */
import type { OpenStream, OpenStreams } from "../../stream/open-streams.ts";
import type { Bypass, Bypasses } from "../../transport/transport.ts";
import { BypassSays, FrameType } from "../../wire/frame.ts";
import type { BypassEnd, BypassTable, BypassUser } from "./bypass-end.ts";
import { BypassReceiver } from "./bypass-receiver.ts";
import { BypassSender } from "./bypass-sender.ts";

/** A stream of the session, as one that may move to a bypass. */
export interface BypassStream extends BypassUser {
  /** Sends on this bypass from now on. False when it does not want it (any longer). */
  sendOn(bypass: Bypass): boolean;
  /** What is to receive from a bypass that comes; undefined when there can be none. */
  awaitBypass(): BypassReceiver | undefined;
  /** The other end uses its bypass. Returns what is wrong with that. */
  bypassUsed(): string | undefined;
}

export interface SessionBypassesOptions {
  /** Those of the connection. */
  readonly bypasses: Bypasses;
  readonly role: "dialer" | "acceptor";
  /** Called for every sign of life of the other end. */
  readonly heard: () => void;
  /** A stream that is open. */
  readonly find: (number: number) => BypassStream | undefined;
  readonly control: (type: FrameType, number: number, id: number) => void;
  /** Where streams are counted that have ended here and still send. */
  readonly ending: OpenStreams | undefined;
}

/** The bypasses of a session that are in use, and the way to others. */
export class SessionBypasses implements BypassTable {
  readonly #options: SessionBypassesOptions;
  readonly #inUse = new Set<BypassEnd>();
  /** Those of streams that have ended, until the other end has read everything. */
  readonly #ending = new Map<BypassEnd, OpenStream>();
  #opening = 0;
  #peerLimit = 0;
  #isOver = false;
  #whenSent: () => void = () => undefined;

  constructor(options: SessionBypassesOptions) {
    this.#options = options;
    options.bypasses.accept((number, sends, bypass) => this.#accepted(number, sends, bypass));
  }

  /** How many this end takes. */
  get limit(): number {
    return this.#options.bypasses.limit;
  }

  /** True when both ends take bypasses. */
  get areThere(): boolean {
    return this.#peerLimit > 0;
  }

  /** The other end takes so many at a time. */
  allow(limit: number): void {
    this.#peerLimit = limit;
  }

  /** Looks for a bypass; `sendOn` follows if there is one. */
  want(stream: BypassStream): void {
    const { role, control } = this.#options;
    if (role === "acceptor") return control(FrameType.bypass, stream.number, BypassSays.wanted); // P-133
    return this.#request(stream.number, true, (bypass) => {
      if (bypass !== undefined && !stream.sendOn(bypass)) bypass.abort();
    });
  }

  /** BYPASS has come for a stream. Returns what is wrong with that. */
  said(stream: BypassStream, id: number): string | undefined {
    if (id === BypassSays.used) return stream.bypassUsed();
    const isAsked = id === BypassSays.wanted && this.#options.role === "dialer";
    const receiver = isAsked ? stream.awaitBypass() : undefined;
    if (receiver === undefined) return `BYPASS on stream ${stream.number} says ${id}`; // P-133
    this.#request(stream.number, false, (bypass) => receiver.attach(bypass));
    return undefined;
  }

  /** The stream uses this one. `credit` is what its holder may still send. */
  sender(bypass: Bypass, stream: BypassStream, credit: number): BypassSender {
    return new BypassSender(this, bypass, stream, credit);
  }

  receiver(stream: BypassStream): BypassReceiver {
    return new BypassReceiver(this, stream);
  }

  /** The other end has reset the stream, and does not use its bypasses any more (P-136). */
  abort(number: number): void {
    for (const end of this.#inUse) if (end.number === number) end.abort();
  }

  /** The session is over, but for what streams that have ended still send. */
  clear(): void {
    this.#isOver = true;
    for (const end of [...this.#inUse]) if (!this.#ending.has(end)) end.abort();
  }

  /** True while streams that have ended still send. */
  get isSending(): boolean {
    return this.#ending.size > 0;
  }

  /** `then` is called once that is over. */
  whenSent(then: () => void): void {
    this.#whenSent = then;
  }

  // For the ends in use.

  begin(end: BypassEnd): void {
    this.#inUse.add(end);
  }

  heard(): void {
    this.#options.heard();
  }

  ending(end: BypassEnd & OpenStream): void {
    this.#ending.set(end, end);
    this.#options.ending?.opened(end);
  }

  over(end: BypassEnd): void {
    this.#inUse.delete(end);
    const sending = this.#ending.get(end);
    if (sending === undefined) return;
    this.#ending.delete(end);
    this.#options.ending?.closed(sending);
    if (!this.isSending) this.#whenSent();
  }

  /** Opens a bypass, where this end has dialed. `opened` is called once, perhaps with nothing. */
  #request(number: number, sends: boolean, opened: (bypass: Bypass | undefined) => void): void {
    const limit = Math.min(this.#peerLimit, this.limit); // P-137
    if (this.#isOver || this.#inUse.size + this.#opening >= limit) return opened(undefined);
    this.#opening++;
    return this.#options.bypasses.request(number, sends, (bypass) => {
      this.#opening--;
      if (this.#isOver) bypass?.abort();
      opened(this.#isOver ? undefined : bypass);
    });
  }

  /** The other end has opened a bypass. False: it is for nothing. */
  #accepted(number: number, sends: boolean, bypass: Bypass): boolean {
    if (this.#isOver || !this.areThere) return false;
    const stream = this.#options.find(number);
    if (sends || stream === undefined) return stream?.sendOn(bypass) ?? false;
    const receiver = stream.awaitBypass();
    receiver?.attach(bypass);
    return receiver !== undefined;
  }
}
