/** What a commands gateway counts. Since the start, except for the first three. */
export type CommandsStats = {
  /** Connections that are open. */
  connections: number;
  /** Calls of clients that have no outcome yet. */
  calls: number;
  /** Requests that clients hold. */
  jobs: number;
  /** Calls and fires of clients, those included that were refused. */
  commands: number;
  /** Those of them that were answered. */
  answered: number;
  /** Those that got `drs.error`. */
  errors: number;
  /** Those that got `drs.exception`. */
  exceptions: number;
  /** Publications that were sent to a client, each time. */
  sent: number;
  /** Publications that were dropped because a client does not read fast enough, each time. */
  dropped: number;
  /** Replies that no request waited for. */
  late: number;
  /** Connections that were refused: no credentials, no room, or over a quota. */
  refused: number;
  /** Connections that were ended because of what they sent. */
  malformed: number;
};
