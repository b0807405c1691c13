/** What a broker counts. Every accepted request ends in exactly one of the outcome counters. */
export interface BrokerStats {
  requests: number;
  answered: number;
  /** Failed by the worker. */
  failed: number;
  deadline: number;
  canceled: number;
  workerLost: number;
  noResponders: number;
  queueFull: number;
  inFlightFull: number;
  refusedDraining: number;
  /** Answers to a request that had ended, or that another worker holds. */
  lateReplies: number;
  publications: number;
  deliveries: number;
}

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
    lateReplies: 0,
    publications: 0,
    deliveries: 0,
  };
}
