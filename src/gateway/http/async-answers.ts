/** Answers that callers fetch later (`Prefer: respond-async`). Bounded in number, bytes and time. */
import { randomBytes } from "node:crypto";
import { isSame } from "../../access/access.ts";
import type { Admitted } from "../../access/admission.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Route, Sink } from "../../message/delivery.ts";
import { LintelError, failure, type Failure } from "../../message/failure.ts";
import type { Message } from "../../message/message.ts";
import type { BodyBudget } from "./body-limit.ts";
import { LEAST_SHARE, SharedBound, shareOf } from "../../collections/shared-bound.ts";
import type { Origin } from "../../message/origin.ts";
import { discardStreams } from "../../stream/stream.ts";
import { unsentAnswer } from "../../message/unsent.ts";
import { badAnswer, headOf } from "./encode.ts";
import type { HttpSettings } from "./options.ts";
import { HandleTable } from "../../collections/handle-table.ts";

/** How a request ended. */
export type Outcome = Message | Failure;

/** Hears once of the outcome, or of undefined when it took too long. */
export type Watcher = (outcome: Outcome | undefined) => void;

interface Entry {
  readonly id: string;
  /** The caller it counts for. */
  readonly caller: string;
  /** The principal that made the request, and may fetch the answer. */
  readonly admitted: Admitted;
  /** Undefined while pending. */
  outcome: Outcome | undefined;
  tag: number;
  handle: number;
  /** Bytes of the budget that the request's body has taken, given back with the outcome. */
  held: number;
  size: number;
  expires: number;
  watcher: Watcher | undefined;
  timer: unknown;
}

/** 144 random bits, so that ids cannot be guessed. */
const ID_BYTES = 18;
/** Handle of a request that is being made: no engine gives it. */
const STARTING = -1;

const TOO_MANY = Object.freeze(failure("IN_FLIGHT_FULL", "too many answers are waiting to be fetched"));
const SHARE_FULL = Object.freeze(
  failure("IN_FLIGHT_FULL", "too many answers are waiting for this caller to fetch them"),
);

/** True when `start` has asked no engine, because too many answers are kept. */
export function wasNotAsked(started: string | Failure): boolean {
  return started === TOO_MANY || started === SHARE_FULL;
}

export class AsyncAnswers implements Sink {
  readonly #clock: Clock;
  readonly #bodies: BodyBudget;
  readonly #bounds: HttpSettings["asyncAnswers"];
  /** How many are pending or kept. */
  readonly #number: SharedBound;
  /** Bytes of those that are kept. */
  readonly #bytes: SharedBound;
  readonly #entries = new Map<string, Entry>();
  readonly #slots = new HandleTable<Entry>();
  /** Entries that have an outcome, the oldest first; all are kept equally long. */
  readonly #kept = new Set<Entry>();
  #sweep: unknown;

  constructor(settings: HttpSettings, bodies: BodyBudget) {
    this.#bodies = bodies;
    this.#clock = settings.clock;
    this.#bounds = settings.asyncAnswers;
    const { max, maxBytes } = this.#bounds;
    this.#number = new SharedBound(max, shareOf(max, settings.callerShare, LEAST_SHARE));
    this.#bytes = new SharedBound(maxBytes, shareOf(maxBytes, settings.callerShare, settings.bodyLimit));
  }

  /**
   * Sends a request whose outcome is kept, and takes over the bytes that its body holds of the budget. Returns the answer's
   * id; or a failure, when too many are kept already or nobody has taken the request, which needs no keeping: the bytes then
   * stay with the caller.
   */
  start(
    route: Route,
    request: Message,
    timeoutMs: number,
    held: number,
    caller: string,
    admitted: Admitted,
  ): string | Failure {
    if (!this.#number.take(caller, 1)) return this.#refusal(caller);
    const id = randomBytes(ID_BYTES).toString("base64url");
    const entry: Entry = {
      id,
      caller,
      admitted,
      outcome: undefined,
      tag: 0,
      handle: STARTING,
      held: 0,
      size: 0,
      expires: 0,
      watcher: undefined,
      timer: undefined,
    };
    entry.tag = this.#slots.add(entry);
    this.#entries.set(id, entry);
    const handle = admitted.engine.request(route, request, timeoutMs, this, entry.tag);
    entry.handle = handle;
    if (entry.outcome === undefined) {
      entry.held = held;
      return id;
    }
    if (isRefusal(entry.outcome)) {
      this.#forget(entry);
      return entry.outcome;
    }
    this.#bodies.give(caller, held);
    return id;
  }

  /** True for an answer that this principal has asked for. */
  isOf(id: string, { principal }: Admitted): boolean {
    const entry = this.#entries.get(id);
    return entry !== undefined && isSame(entry.admitted.principal, principal);
  }

  /** `pending`, the outcome, or undefined for an id that is not known (any more). */
  look(id: string): "pending" | Outcome | undefined {
    const entry = this.#entries.get(id);
    return entry === undefined ? undefined : (entry.outcome ?? "pending");
  }

  /** Calls back when the answer is there, and then forgets it; or with undefined after `waitMs`. */
  watch(id: string, waitMs: number, watcher: Watcher): void {
    const entry = this.#entries.get(id)!;
    entry.watcher = watcher;
    if (entry.outcome !== undefined) return this.#tell(entry);
    entry.timer = this.#clock.after(waitMs, () => {
      entry.watcher = undefined;
      entry.timer = undefined;
      watcher(undefined);
    });
  }

  /** Forgets an answer, and cancels its request if it is still pending. False for an unknown id. */
  drop(id: string): boolean {
    const entry = this.#entries.get(id);
    if (entry === undefined) return false;
    this.#forget(entry);
    if (entry.outcome === undefined) {
      this.#bodies.give(entry.caller, entry.held);
      entry.admitted.engine.cancel(entry.handle); // before its origin is forgotten
      this.#slots.remove(entry.tag);
    }
    return true;
  }

  /** Drops the answers of principals whose credentials are no longer good, pending ones too. */
  dropRevoked(): void {
    for (const [id, { admitted }] of this.#entries) if (admitted.ended !== undefined) this.drop(id);
  }

  answered(tag: number, answer: Message): void {
    if (answer.streams !== undefined) {
      const why = badAnswer("a streamed answer cannot be kept to be fetched later");
      discardStreams(answer, why);
      return this.failed(tag, unsentAnswer(answer, LintelError.from(why)));
    }
    let kept: Message;
    try {
      kept = answer.retain();
    } catch (error) {
      return this.failed(tag, unsentAnswer(answer, error));
    }
    const head = headOf(kept);
    if ("code" in head) return this.failed(tag, unsentAnswer(answer, LintelError.from(head)));
    this.#ended(tag, kept, kept.bytes.length + (kept.head?.length ?? 0));
  }

  failed(tag: number, failed: Failure): void {
    this.#ended(tag, failed, failed.details?.length ?? 0);
  }

  originOf(tag: number): Origin {
    const { caller, admitted } = this.#slots.get(tag)!;
    return { gateway: "http", remote: caller, principal: admitted.principal };
  }

  callerOf(tag: number): string {
    return this.#slots.get(tag)!.caller;
  }

  /** Forgets everything and cancels what is pending. */
  close(): void {
    for (const id of this.#entries.keys()) this.drop(id);
  }

  #ended(tag: number, outcome: Outcome, size: number): void {
    const entry = this.#slots.remove(tag);
    if (entry === undefined) return;
    entry.outcome = outcome;
    this.#bodies.give(entry.caller, entry.held);
    if (entry.watcher !== undefined) return this.#tell(entry);
    if (entry.handle === STARTING && isRefusal(outcome)) return; // its caller is told at once
    if (!this.#makeRoom(entry.caller, size)) return this.#forget(entry);
    entry.size = size;
    entry.expires = this.#clock.now() + this.#bounds.keepMs;
    this.#kept.add(entry);
    if (this.#kept.size > 0) this.#sweep ??= this.#clock.after(this.#bounds.keepMs, () => this.#expire());
  }

  /** Takes room for an answer: the oldest give way, first those of the same caller. False when there would be none even then. */
  #makeRoom(caller: string, size: number): boolean {
    if (size > this.#bytes.share) return false;
    for (const mine of [true, false]) {
      for (const oldest of this.#kept) {
        if (this.#bytes.take(caller, size)) return true;
        if (!mine || oldest.caller === caller) this.#forget(oldest);
      }
    }
    return this.#bytes.take(caller, size);
  }

  #refusal(caller: string): Failure {
    return this.#number.takenBy(caller) < this.#number.share ? TOO_MANY : SHARE_FULL;
  }

  #tell(entry: Entry): void {
    const { watcher, outcome } = entry;
    this.#forget(entry);
    watcher?.(outcome);
  }

  #forget(entry: Entry): void {
    if (!this.#entries.delete(entry.id)) return;
    this.#number.give(entry.caller, 1);
    if (this.#kept.delete(entry)) this.#bytes.give(entry.caller, entry.size);
    if (entry.timer !== undefined) this.#clock.clear(entry.timer);
    entry.timer = undefined;
    entry.watcher = undefined;
    if (this.#kept.size > 0 || this.#sweep === undefined) return;
    this.#clock.clear(this.#sweep);
    this.#sweep = undefined;
  }

  #expire(): void {
    this.#sweep = undefined;
    const now = this.#clock.now();
    for (const entry of this.#kept) {
      if (entry.expires > now) {
        this.#sweep = this.#clock.after(entry.expires - now, () => this.#expire());
        return;
      }
      this.#forget(entry);
    }
  }
}

/** True if the request has not been executed, for example without a worker: there is nothing to come back for. */
function isRefusal(outcome: Outcome): outcome is Failure {
  return "retryable" in outcome && (outcome.retryable || outcome.reason === "PERMISSION_DENIED");
}
