/** What one client has announced: what it serves, subscribes to, and has enabled for others. It ends with the connection. */
import type { Admitted } from "../../access/admission.ts";
import { whenDecided } from "../../access/decisions.ts";
import { ENABLED_VERBS, type EnabledVerb, type Enabling } from "../../message/delivery.ts";
import { LintelError, type Failure } from "../../message/failure.ts";
import { subjectOf } from "../../message/foreign-name.ts";
import { isPattern, isSubject } from "../../message/subject.ts";
import type { CommandClient } from "./client.ts";
import type { FanOutTarget, Listener } from "./fan-out.ts";
import type { ClientPrincipal } from "./principal.ts";
import { AnnouncedWorker } from "./worker.ts";

/** The connection that they belong to. */
export interface AnnouncementHost extends CommandClient, FanOutTarget {
  readonly principal: ClientPrincipal;
  /** An announcement has ended by itself. */
  announcementEnded(what: string, pattern: string, why: Failure): void;
}

export interface AnnouncementLimits {
  /** Announcements of one connection. */
  readonly registrations: number;
  /** Requests that a service holds which names no number. */
  readonly concurrency: number;
}

interface Subscribed extends Listener {
  release: (() => void) | undefined;
  /** It is one of the subscriptions of the principal's quota. */
  isCounted: boolean;
  /** The hub broadcasts the pattern: the client has not asked for it. */
  isBroadcast: boolean;
}

/** What may be said of a pattern. */
type Fields = Readonly<Record<string, unknown>>;

const MAX_CONCURRENCY = 1_000_000;

export class Announcements {
  readonly #host: AnnouncementHost;
  readonly #limits: AnnouncementLimits;
  readonly #workers = new Map<string, AnnouncedWorker>();
  readonly #subscriptions = new Map<string, Subscribed>();
  /** By verb and pattern. */
  readonly #enablings = new Map<string, Enabling>();
  #isOver = false;

  constructor(host: AnnouncementHost, limits: AnnouncementLimits) {
    this.#host = host;
    this.#limits = limits;
  }

  /** True once it has served something: it is a client of Lintel then, and not of an original. */
  get hasServed(): boolean {
    return this.#workers.size > 0;
  }

  pause(): void {
    for (const worker of this.#workers.values()) worker.pause();
  }

  /** Until the client is full again. Those that are given something go behind the others, for the next time. */
  resume(): void {
    for (const [pattern, worker] of [...this.#workers]) {
      if (this.#host.isFull) return;
      if (this.#workers.get(pattern) !== worker) continue; // its end came of those before
      this.#workers.delete(pattern);
      this.#workers.set(pattern, worker);
      worker.resume();
    }
  }

  /** Resolves when requests can arrive. Throws and rejects with a LintelError. */
  async serve(body: unknown): Promise<void> {
    const fields = fieldsOf(body);
    const pattern = patternIn(fields);
    if (this.#workers.has(pattern)) throw already("serves", pattern);
    this.#checkRoom();
    const { queue } = fields;
    if (queue !== undefined && !(typeof queue === "string" && isSubject(queue)))
      throw LintelError.of("BAD_SUBJECT", "queue must be a subject");
    const concurrency = this.#concurrencyIn(fields);
    const worker = new AnnouncedWorker(this.#host, concurrency);
    this.#workers.set(pattern, worker);
    this.#served();
    const ended = (why: Failure): void => {
      if (!this.#remove(this.#workers, pattern, worker)) return;
      this.#served();
      this.#host.announcementEnded("lintel.serve", pattern, why);
    };
    try {
      await worker.join(this.#host.principal.admitted.engine, pattern, {
        queue,
        concurrency,
        onEnded: ended,
      });
    } catch (error) {
      this.#remove(this.#workers, pattern, worker);
      this.#served();
      throw error;
    }
  }

  /** Resolves when no request can come any more. */
  async unserve(body: unknown): Promise<void> {
    const pattern = patternIn(fieldsOf(body));
    const worker = this.#workers.get(pattern);
    if (worker === undefined) throw notThere("serves", pattern);
    this.#workers.delete(pattern);
    this.#served();
    await worker.leave();
  }

  /** Resolves when publications reach the client. Throws and rejects with a LintelError. */
  async subscribe(body: unknown): Promise<void> {
    const pattern = patternIn(fieldsOf(body));
    const known = this.#subscriptions.get(pattern);
    if (known?.isBroadcast === true) return; // it has it already
    if (known !== undefined) throw already("subscribes to", pattern);
    this.#checkRoom();
    const { admitted } = this.#host.principal;
    const why = admitted.told(admitted.quota?.takeSubscription(), "subscribe", pattern);
    if (why !== undefined) throw LintelError.from(why);
    await this.#listen(pattern, { isCounted: admitted.quota !== undefined, isBroadcast: false });
  }

  /** Publications of a pattern that the hub broadcasts, as far as the client may have them. */
  receive(pattern: string): void {
    const how = { isCounted: false, isBroadcast: true };
    this.#listen(pattern, how).catch(() => undefined); // it may not, or leaves
  }

  unsubscribe(body: unknown): void {
    const pattern = patternIn(fieldsOf(body));
    const subscribed = this.#subscriptions.get(pattern);
    if (subscribed === undefined) throw notThere("subscribes to", pattern);
    this.#unsubscribe(pattern, subscribed);
  }

  /** Resolves when clients may do it. Throws and rejects with a LintelError. */
  async enable(body: unknown): Promise<void> {
    const fields = fieldsOf(body);
    const [verb, pattern] = [verbIn(fields), patternIn(fields)];
    const key = `${verb} ${pattern}`;
    if (this.#enablings.has(key)) throw already("has enabled", key);
    this.#checkRoom();
    const onEnded = (why: Failure): void => {
      if (this.#remove(this.#enablings, key, enabling))
        this.#host.announcementEnded("lintel.enable", key, why);
    };
    const enabling = this.#host.principal.admitted.enable(verb, pattern, { onEnded });
    this.#enablings.set(key, enabling);
    try {
      await enabling.ready;
    } catch (error) {
      this.#remove(this.#enablings, key, enabling);
      throw error;
    }
  }

  async disable(body: unknown): Promise<void> {
    const fields = fieldsOf(body);
    const key = `${verbIn(fields)} ${patternIn(fields)}`;
    const enabling = this.#enablings.get(key);
    if (enabling === undefined) throw notThere("has enabled", key);
    this.#enablings.delete(key);
    await enabling.close();
  }

  /** Everything ends: jobs that are held fail as `WORKER_LOST`. What was enabled ends first. */
  end(): void {
    this.#isOver = true;
    for (const enabling of this.#enablings.values()) void enabling.close();
    this.#enablings.clear();
    const workers = [...this.#workers.values()];
    this.#workers.clear();
    for (const worker of workers) worker.lose();
    for (const [pattern, subscribed] of [...this.#subscriptions]) this.#unsubscribe(pattern, subscribed);
  }

  /** The client may be somebody else from now on, and announces anew. */
  restart(): void {
    this.end();
    this.#isOver = false;
  }

  async #listen(pattern: string, how: Pick<Subscribed, "isCounted" | "isBroadcast">): Promise<void> {
    const { admitted, tenant } = this.#host.principal;
    const ended = (why: Failure): void => {
      if (this.#subscriptions.get(pattern) !== subscribed) return;
      this.#unsubscribe(pattern, subscribed);
      if (!how.isBroadcast) this.#host.announcementEnded("lintel.subscribe", pattern, why);
    };
    const subscribed: Subscribed = { target: this.#host, ended, release: undefined, ...how };
    this.#subscriptions.set(pattern, subscribed);
    // A client that may not have what the hub broadcasts has not tried anything.
    const check = (): ReturnType<Admitted["check"]> =>
      how.isBroadcast ? admitted.expects("subscribe", pattern) : admitted.check("subscribe", pattern);
    try {
      await new Promise<void>((resolve, reject) => {
        whenDecided({ decision: check(), check }, (why) => {
          if (why !== undefined) return reject(LintelError.from(why));
          if (this.#subscriptions.get(pattern) !== subscribed) return reject(LintelError.of("CLOSED"));
          subscribed.release = admitted.hold("subscribe", pattern, ended);
          return resolve(tenant.fanOut.add(pattern, subscribed));
        });
      });
    } catch (error) {
      if (this.#subscriptions.get(pattern) === subscribed) this.#unsubscribe(pattern, subscribed);
      throw error;
    }
  }

  #unsubscribe(pattern: string, subscribed: Subscribed): void {
    this.#subscriptions.delete(pattern);
    if (subscribed.isCounted) this.#host.principal.admitted.quota?.giveSubscription();
    subscribed.isCounted = false;
    subscribed.release?.();
    this.#host.principal.tenant.fanOut.remove(pattern, subscribed);
  }

  #served(): void {
    this.#host.principal.announces(this.hasServed); // C-34
  }

  #checkRoom(): void {
    if (this.#isOver) throw LintelError.of("CLOSED");
    const { registrations } = this.#limits;
    if (this.#workers.size + this.#subscriptions.size + this.#enablings.size < registrations) return;
    throw LintelError.of("TOO_MANY", `a connection may announce ${registrations} patterns`);
  }

  #concurrencyIn({ concurrency }: Fields): number {
    if (concurrency === undefined) return this.#limits.concurrency;
    const isRight =
      typeof concurrency === "number" &&
      Number.isInteger(concurrency) &&
      concurrency >= 1 &&
      concurrency <= MAX_CONCURRENCY;
    if (!isRight) throw wrong(`concurrency must be a whole number from 1 to ${MAX_CONCURRENCY}`);
    return concurrency;
  }

  /** False when it was removed already. */
  #remove<T>(from: Map<string, T>, key: string, value: T): boolean {
    return from.get(key) === value && from.delete(key);
  }
}

/** A pattern alone may stand for the fields. */
function fieldsOf(body: unknown): Fields {
  if (typeof body === "string") return { pattern: body };
  if (typeof body === "object" && body !== null && !Array.isArray(body)) return body as Fields;
  throw wrong("the body must be a pattern, or an object with `pattern`");
}

/** A pattern of subjects, or a name as actions have it. Throws `BAD_SUBJECT`. */
function patternIn({ pattern }: Fields): string {
  if (typeof pattern !== "string") throw wrong("`pattern` must be text");
  const found = isPattern(pattern) ? pattern : subjectOf(pattern);
  if (found === undefined) throw LintelError.of("BAD_SUBJECT", "the name is too long");
  return found;
}

function verbIn({ verb }: Fields): EnabledVerb {
  const found = ENABLED_VERBS.find((one) => one === verb);
  if (found === undefined) throw wrong(`\`verb\` must be one of ${ENABLED_VERBS.join(", ")}`);
  return found;
}

function wrong(text: string): LintelError {
  return new LintelError("invalid_argument", text);
}

function already(does: string, what: string): LintelError {
  return new LintelError("already_exists", `the connection ${does} ${what} already`);
}

function notThere(does: string, what: string): LintelError {
  return new LintelError("not_found", `the connection no longer ${does} ${what}, or never did`);
}
