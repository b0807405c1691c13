/** What a beam gateway counts. Since the start, except for the first two. */
export type BeamStats = {
  /** Connections that are open, and those that are not and have attachments in use. */
  connections: number;
  /** Attachments in use. */
  attachments: number;
  /** Messages that came on connections. */
  messages: number;
  /** Messages without an attachment that failed: there was no worker, the worker failed, and so on. */
  lost: number;
  /** Messages and attachments that were refused: names that are no subject, too many attachments, and so on. */
  refused: number;
  /** Messages on attachments that were no longer in use. */
  dropped: number;
  /** Connections and attachments that were ended because their bytes break the format. */
  malformed: number;
};
