/** What the HTTP gateway counts. */
export type HttpStats = {
  /** Connections to the port that are open, without those that have become sessions. */
  readonly connections: number;
};
