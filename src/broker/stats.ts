/** What a broker counts. Every request ends in exactly one of the counters from `answered` to `closed`. */
export interface BrokerStats {
  requests: number;
  answered: number;
  /** Failed by the worker, or with a payload that could not be encoded for the queue. */
  failed: number;
  deadline: number;
  canceled: number;
  workerLost: number;
  noResponders: number;
  queueFull: number;
  inFlightFull: number;
  refusedDraining: number;
  /** Ended by `close`, or refused after it. */
  closed: number;
  /** Answers to a request that had ended, or that another worker holds. */
  lateReplies: number;
  publications: number;
  deliveries: number;
}

/** What counts the end of a request. */
export type EndCounter = Exclude<
  keyof BrokerStats,
  "requests" | "lateReplies" | "publications" | "deliveries"
>;

export function createStats(): BrokerStats {
  return {
    requests: 0,
    answered: 0,
    failed: 0,
    deadline: 0,
    canceled: 0,
    workerLost: 0,
    noResponders: 0,
    queueFull: 0,
    inFlightFull: 0,
    refusedDraining: 0,
    closed: 0,
    lateReplies: 0,
    publications: 0,
    deliveries: 0,
  };
}
