import type { OwnDropCause } from "./slow-consumer.ts";

/** What the gateway of native sessions counts. Since the start, except for the first. */
export type SessionStats = {
  /** Sessions that are open. */
  readonly sessions: number;
  /** Publications that were dropped instead of sent to a session: all of them, whatever the reason. */
  readonly droppedPublications: number;
  /** Of these: new ones, because their session was slow and its policy is drop-newest. */
  readonly droppedNewest: number;
  /** Of these: old ones, because their session was slow and its policy is drop-oldest. */
  readonly droppedOldest: number;
  /** Of these: because their session does not take messages of their size. */
  readonly droppedTooLarge: number;
  /** Sessions that were ended because they did not keep up. */
  readonly slowDisconnects: number;
};

export function sessionStats(
  sessions: number,
  { newest, oldest, "too-large": tooLarge, untaken }: Readonly<Record<OwnDropCause, number>>,
  slowDisconnects: number,
): SessionStats {
  return {
    sessions,
    droppedPublications: newest + oldest + tooLarge + untaken,
    droppedNewest: newest,
    droppedOldest: oldest,
    droppedTooLarge: tooLarge,
    slowDisconnects,
  };
}
