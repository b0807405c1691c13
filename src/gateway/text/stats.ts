/** What a text gateway counts. Since the start, except for the first. */
export type TextStats = {
  /** Connections that are open. */
  connections: number;
  /** Requests made, and publications. */
  requests: number;
  publications: number;
  /** Connections and commands that were not let through. */
  refused: number;
  /** Frames that were no messages. */
  malformed: number;
  /** Publications that were not sent to a connection, because too much was waiting for it. */
  dropped: number;
  /** Connections that were ended because they did not read. */
  slowDisconnects: number;
};
