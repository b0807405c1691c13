/** Requests whose bytes are kept: those that wait, those that may be handed out again, and those that a worker keeps. */
import { OWN_CALLER } from "../message/caller.ts";
import type { Sink } from "../message/delivery.ts";
import { failure, type Failure } from "../message/failure.ts";
import { DEFAULT_LIMITS, type Limits } from "../message/limits.ts";
import type { Message } from "../message/message.ts";
import { SharedBound, shareOf } from "../collections/shared-bound.ts";
import { INITIAL_CREDIT } from "../stream/stream.ts";
import type { Member } from "./queue-group.ts";
import { keptRequest } from "./outcomes.ts";

/** What a kept request takes besides its bytes. */
const OVERHEAD = 256;

export const BYTES_FULL: Failure = Object.freeze(
  failure("QUEUE_FULL", "the hub keeps too many bytes of requests"),
);
export const SHARE_FULL: Failure = Object.freeze(
  failure("QUEUE_FULL", "the hub keeps too many bytes of this caller's requests"),
);

export type KeepingLimits = Partial<Pick<Limits, "queueBytes" | "callerShare" | "payload" | "headers">>;

/** A request that is kept, and what it has taken of the bound. */
export interface Kept {
  /** With bytes of its own; undefined where only the worker keeps it. */
  readonly message: Message | undefined;
  readonly caller: string;
  readonly bytes: number;
}

/** Whose request is kept. */
interface Keeper {
  message: Message | undefined;
  kept: Kept | undefined;
}

/** How many bytes of requests a broker keeps, all together and for each caller. */
export class KeptRequests {
  readonly #bound: SharedBound;

  constructor(limits: KeepingLimits) {
    const { queueBytes, callerShare, payload, headers } = { ...DEFAULT_LIMITS, ...limits };
    this.#bound = new SharedBound(queueBytes, shareOf(queueBytes, callerShare, payload + headers + OVERHEAD));
  }

  /** Bytes that are kept. */
  get bytes(): number {
    return this.#bound.taken;
  }

  /** Keeps a request, or says why not. It is copied if it is `copied`; else only counted, because its worker keeps it. */
  keep(request: Message, sink: Sink, tag: number, copied: boolean): Kept | Failure {
    const caller = sink.callerOf?.(tag) ?? OWN_CALLER;
    // Before it is copied: what there is no room for costs nothing. A value shows its size when it is encoded.
    if (!this.#bound.hasRoomFor(caller, sizeOf(request))) return this.#refusal(caller, sizeOf(request));
    const message = copied ? keptRequest(request) : undefined;
    if (message !== undefined && "code" in message) return message;
    const bytes = sizeOf(message ?? request);
    if (!this.#bound.take(caller, bytes)) return this.#refusal(caller, bytes);
    return { message, caller, bytes };
  }

  /** Keeps a request that is handed out at once: with a copy, if it may be handed out again. Streams can be read only once. */
  keepHeld(request: Message, sink: Sink, tag: number, attempts: number): Kept | Failure {
    return this.keep(request, sink, tag, attempts !== 1 && request.streams === undefined);
  }

  /** A copy is handed out for the last time: its bytes count only where the worker keeps them. */
  handOver(row: Keeper, { keeps }: Member): void {
    row.message = undefined;
    if (keeps !== true) this.release(row);
  }

  release(row: Pick<Keeper, "kept">): void {
    if (row.kept !== undefined) this.#bound.give(row.kept.caller, row.kept.bytes);
    row.kept = undefined;
  }

  #refusal(caller: string, bytes: number): Failure {
    return this.#bound.takenBy(caller) + bytes > this.#bound.share ? SHARE_FULL : BYTES_FULL;
  }
}

/** What a message takes when it is kept, as far as its bytes are there. Each stream may have sent its first credit. */
function sizeOf({ head, headStart, end, streams }: Message): number {
  return OVERHEAD + (end - headStart) + (head?.length ?? 0) + (streams?.length ?? 0) * INITIAL_CREDIT;
}
