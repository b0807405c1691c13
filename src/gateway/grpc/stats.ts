/** What a gRPC gateway counts. Since the start, except for the first two. */
export type GrpcStats = {
  /** Calls of workers that are open. */
  workers: number;
  /** Jobs that workers hold. */
  jobs: number;
  /** Calls and registrations that were not taken. */
  refused: number;
  /** Answers and failures for jobs that their sender did not hold, and answers that could not be sent to the caller. */
  rejected: number;
  /** Calls that were ended because what they sent could not be read. */
  malformed: number;
};
