/**
 * Commands that have to last: SUB, EREQ, EPUB, ESUB. They are said on each connection, and again for as long as the server refuses
 * them: a page may be back before the service that enables what it asks for.
 */
import { backoffMs, type BackoffLimits } from "../runtime/backoff.ts";
import type { Clock, Random } from "../runtime/clock.ts";

/** What only tests give. */
export interface TextTimes {
  readonly clock: Clock;
  readonly random: Random;
}

const RETRY: BackoffLimits = { firstMs: 500, lastMs: 30_000 };
/** What was not refused for so long was accepted. Milliseconds. */
const ACCEPTED_MS = 60_000;
/** Where, in the body of an ERROR, the command and target may begin. */
const BEFORE_COMMAND = / (?=(?:SUB|EREQ|EPUB|ESUB) )/g;

interface Entry {
  readonly frame: string;
  saidAt: number;
  failures: number;
  timer: unknown;
}

export class StandingCommands {
  readonly #times: TextTimes;
  readonly #send: (frame: string) => void;
  /** By command and target, in the order they were first said. */
  readonly #entries = new Map<string, Entry>();

  constructor(times: TextTimes, send: (frame: string) => void) {
    this.#times = times;
    this.#send = send;
  }

  /** Says it, unless it is said already. */
  add(name: string, frame: string): void {
    if (this.#entries.has(name)) return;
    const entry: Entry = { frame, saidAt: 0, failures: 0, timer: undefined };
    this.#entries.set(name, entry);
    this.#say(entry);
  }

  remove(name: string): void {
    this.#times.clock.clear(this.#entries.get(name)?.timer);
    this.#entries.delete(name);
  }

  /** There is a new connection. */
  sayAll(): void {
    this.pause();
    for (const entry of this.#entries.values()) this.#say(entry);
  }

  /** There is no connection. */
  pause(): void {
    for (const entry of this.#entries.values()) {
      this.#times.clock.clear(entry.timer);
      entry.failures = 0;
    }
  }

  /** The server has refused something, as the body of its ERROR says. True if it is said again, and was refused before. */
  refused(body: string): boolean {
    const entry = this.#named(body);
    if (entry === undefined) return false;
    const { clock, random } = this.#times;
    const isNews = entry.failures === 0 || clock.now() - entry.saidAt > ACCEPTED_MS;
    entry.failures = isNews ? 1 : entry.failures + 1;
    clock.clear(entry.timer);
    entry.timer = clock.after(backoffMs(RETRY, entry.failures, random), () => this.#say(entry));
    return !isNews;
  }

  #named(body: string): Entry | undefined {
    for (const { index } of body.matchAll(BEFORE_COMMAND)) {
      const entry = this.#entries.get(body.slice(index + 1));
      if (entry !== undefined) return entry;
    }
    return undefined;
  }

  #say(entry: Entry): void {
    entry.saidAt = this.#times.clock.now();
    this.#send(entry.frame);
  }
}
