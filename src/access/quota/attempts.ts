/** Slows down guessing of credentials: from one address only so many are looked at in a second. */
import { hash } from "node:crypto";
import { callerAt, hostOfRemote } from "../../message/caller.ts";
import { LintelError, delayed, failure, toFailure, type Failure } from "../../message/failure.ts";
import type { Clock } from "../../runtime/clock.ts";
import { TokenBucket } from "./token-bucket.ts";

/** Attempts of an address that may fail at once, and then a second. */
const BURST = 10;
const PER_SECOND = 2;
/**
 * Addresses with failed attempts that are not made up for yet. For one more, the one that has failed longest ago is forgotten,
 * as if its bucket were full, which it is after 5 seconds.
 */
const MAX_ADDRESSES = 65_536;
/** Credentials that were good, with the address that showed them. For one more, those that were shown longest ago are forgotten. */
const MAX_GOOD = 16_384;
/** For so long after they were shown, credentials that were good are not slowed. Milliseconds. */
const GOOD_MS = 3_600_000;
/** They are noted again at most this often. Milliseconds. */
const NOTED_MS = 60_000;
/**
 * Credentials that were not good, with the address that showed them. There they get the same refusal without being looked at
 * again: for a moment, and for longer as long as guesses are slowed. Milliseconds.
 */
const REFUSED_MS = 100;
const STILL_REFUSED_MS = 60_000;
const MAX_REFUSED = 1_024;
/** Attempts that wait until it is known of others from their address whether they fail. */
const MAX_WAITING = 1_024;

/** Failures that say nothing of the credentials. */
const NO_GUESS: ReadonlySet<string> = new Set(["ACCESS_UNAVAILABLE", "CLOSED", "DRAINING", "TOO_MANY"]);

interface Address {
  readonly name: string;
  readonly bucket: TokenBucket;
  /** Attempts that have taken a token and have no outcome yet. */
  pending: number;
  waiting: Waiting[];
}

interface Waiting {
  /** Looks at it again; true when it waits no more. */
  lookAgain(): boolean;
  refuse(why: Failure): void;
}

/** An attempt that is looked at. One of its two methods is to be called. */
interface Attempt {
  succeeded(): void;
  failed(error: unknown): void;
}

export class AuthenticationAttempts {
  /** Credentials that were looked at and were not good. */
  failures = 0;
  /** Those that were not looked at. */
  slowed = 0;
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  readonly #maxAddresses: number;
  /** In the order of their last attempts. */
  readonly #addresses = new Map<string, Address>();
  /** When they were noted, in that order. */
  readonly #good = new Map<string, number>();
  readonly #refused = new Map<string, { readonly why: Failure; readonly at: number }>();
  readonly #waiting = new Set<Waiting>();

  /** An attempt waits for others at most `timeoutMs`. */
  constructor(clock: Clock, timeoutMs: number, maxAddresses: number = MAX_ADDRESSES) {
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
    this.#maxAddresses = maxAddresses;
  }

  /** Addresses of which something is known. */
  get addresses(): number {
    return this.#addresses.size;
  }

  /** Looks at a token from `remote` by `authenticate`, unless too many from there have failed: then that fails at once. */
  make<T>(token: string, remote: string, authenticate: () => T | Promise<T>): T | Promise<T> {
    const address = addressOf(remote);
    const key = `${address} ${digestOf(token)}`;
    const now = this.#clock.now();
    const refused = this.#refused.get(key);
    const age = refused === undefined ? Infinity : now - refused.at;
    if (age < REFUSED_MS) throw this.#again(refused!.why);
    const attempt = this.#allowed(address, key, now);
    if (attempt !== undefined) return look(attempt, authenticate);
    if (age < STILL_REFUSED_MS) throw this.#again(refused!.why);
    const entry = this.#addresses.get(address)!;
    if (entry.pending === 0 || this.#waiting.size >= MAX_WAITING)
      throw LintelError.from(this.#slow(entry, now));
    return this.#wait(entry, key).then((allowed) => look(allowed, authenticate));
  }

  /** Nothing waits any more. */
  close(): void {
    for (const waiting of this.#waiting) waiting.refuse(failure("CLOSED"));
  }

  #allowed(address: string, key: string, now: number): Attempt | undefined {
    if (this.#isGood(key, now)) {
      const failed = (error: unknown): void => {
        this.#good.delete(key);
        if (!this.#isGuess(key, error)) return;
        const { bucket } = this.#entryOf(address, now);
        if (bucket.wait(1, now) === 0) bucket.take(1, now);
      };
      return { succeeded: () => this.#note(key), failed };
    }
    const entry = this.#entryOf(address, now);
    if (entry.bucket.wait(1, now) > 0) return undefined;
    entry.bucket.take(1, now);
    entry.pending++;
    return {
      succeeded: () => {
        this.#note(key);
        entry.bucket.give(1);
        this.#settled(entry);
      },
      failed: (error) => {
        if (!this.#isGuess(key, error)) entry.bucket.give(1);
        this.#settled(entry);
      },
    };
  }

  /** Notes credentials that were not good. False if that is not known. */
  #isGuess(key: string, error: unknown): boolean {
    const why = toFailure(error);
    if (NO_GUESS.has(why.reason)) return false;
    this.failures++;
    this.#refused.delete(key);
    this.#refused.set(key, { why, at: this.#clock.now() });
    if (this.#refused.size > MAX_REFUSED) this.#refused.delete(this.#refused.keys().next().value!);
    return true;
  }

  #wait(entry: Address, key: string): Promise<Attempt> {
    return new Promise((resolve, reject) => {
      const over = (): void => {
        this.#clock.clear(timer);
        this.#waiting.delete(waiting);
      };
      const refuse = (why: Failure): void => {
        over();
        reject(LintelError.from(why));
      };
      const lookAgain = (): boolean => {
        if (!this.#waiting.has(waiting)) return true;
        const now = this.#clock.now();
        const attempt = this.#allowed(entry.name, key, now);
        if (attempt === undefined && entry.pending > 0) return false;
        if (attempt === undefined) refuse(this.#slow(entry, now));
        else over();
        if (attempt !== undefined) resolve(attempt);
        return true;
      };
      const waiting: Waiting = { lookAgain, refuse };
      const timer = this.#clock.after(this.#timeoutMs, () => refuse(failure("ACCESS_UNAVAILABLE")));
      this.#waiting.add(waiting);
      entry.waiting.push(waiting);
    });
  }

  /** Those that wait behind it may be looked at now, or are refused now. */
  #settled(entry: Address): void {
    entry.pending--;
    if (entry.waiting.length > 0) entry.waiting = entry.waiting.filter((waiting) => !waiting.lookAgain());
    const isOver = entry.pending === 0 && entry.bucket.isFull(this.#clock.now());
    if (isOver && this.#addresses.get(entry.name) === entry) this.#addresses.delete(entry.name);
  }

  #again(why: Failure): LintelError {
    this.failures++;
    return LintelError.from(why);
  }

  #slow({ bucket }: Address, now: number): Failure {
    this.slowed++;
    return delayed("TOO_MANY_ATTEMPTS", bucket.wait(1, now));
  }

  #entryOf(name: string, now: number): Address {
    const known = this.#addresses.get(name);
    if (known !== undefined) {
      this.#addresses.delete(name);
      this.#addresses.set(name, known);
      return known;
    }
    this.#forget(now);
    const bucket = new TokenBucket(PER_SECOND, BURST, now);
    const entry: Address = { name, bucket, pending: 0, waiting: [] };
    this.#addresses.set(name, entry);
    return entry;
  }

  /** Makes room for one more. Two are looked at each time, so that all that are full have gone before the table is. */
  #forget(now: number): void {
    let looks = 2;
    for (const [name, { pending, bucket }] of this.#addresses) {
      const isOver = pending === 0 && bucket.isFull(now);
      if (isOver || this.#addresses.size >= this.#maxAddresses) this.#addresses.delete(name);
      else return;
      if (--looks === 0) return;
    }
  }

  #isGood(key: string, now: number): boolean {
    const notedAt = this.#good.get(key);
    return notedAt !== undefined && now - notedAt < GOOD_MS;
  }

  #note(key: string): void {
    const now = this.#clock.now();
    const notedAt = this.#good.get(key);
    if (notedAt !== undefined && now - notedAt < NOTED_MS) return;
    this.#good.delete(key);
    this.#good.set(key, now);
    if (this.#good.size > MAX_GOOD) this.#good.delete(this.#good.keys().next().value!);
  }
}

/** Looks at credentials, and notes how it went. */
function look<T>(attempt: Attempt, authenticate: () => T | Promise<T>): T | Promise<T> {
  const failed = (error: unknown): never => {
    attempt.failed(error);
    throw error;
  };
  const succeeded = (known: T): T => {
    attempt.succeeded();
    return known;
  };
  let known: T | Promise<T>;
  try {
    known = authenticate();
  } catch (error) {
    return failed(error);
  }
  return known instanceof Promise ? known.then(succeeded, failed) : succeeded(known);
}

/** One network has one address here, and so have all unix sockets. */
function addressOf(remote: string): string {
  const host = hostOfRemote(remote);
  return host === undefined ? "unix" : callerAt(host);
}

/** It says which token it was, and nothing of the token. */
function digestOf(token: string): string {
  return hash("sha256", token, "base64");
}
