import type { Sink } from "../message/delivery.ts";
import type { Failure } from "../message/failure.ts";
import type { Message } from "../message/message.ts";
import { discardStreams } from "../stream/stream.ts";
import type { Kept, KeptRequests } from "./kept-requests.ts";
import { IN_FLIGHT_FULL } from "./outcomes.ts";
import type { BrokerStats } from "./stats.ts";

/** Ends requests that a broker does not take. Each returns 0, the handle of a request that has ended. */
export class Refusals {
  readonly #stats: BrokerStats;
  readonly #kept: KeptRequests;

  constructor(stats: BrokerStats, kept: KeptRequests) {
    this.#stats = stats;
    this.#kept = kept;
  }

  refuse(counter: keyof BrokerStats, why: Failure, request: Message, sink: Sink, tag: number): 0 {
    this.#stats[counter]++;
    sink.failed(tag, why);
    discardStreams(request, why);
    return 0;
  }

  /** Its bytes cannot be kept: there is no room, or they cannot be made. */
  unkept(why: Failure, request: Message, sink: Sink, tag: number): 0 {
    return this.refuse(why.reason === "QUEUE_FULL" ? "queueFull" : "failed", why, request, sink, tag);
  }

  /** The table is full; what was kept for it is released. */
  noRow(kept: Kept | undefined, request: Message, sink: Sink, tag: number): 0 {
    this.#kept.release({ kept });
    return this.refuse("inFlightFull", IN_FLIGHT_FULL, request, sink, tag);
  }
}
