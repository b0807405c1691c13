import type { DescriptorPassing } from "../transport/transport.ts";
import type { Lane, LaneOptions } from "./lane.ts";
import type { SessionOptions } from "./options.ts";

type Events = Required<Pick<LaneOptions, "passed" | "broken" | "ask">>;

/** The lane of a session, where its connection offers one and its owner wants it. Only an acceptor asks for it to be opened. */
export function createLane(
  passing: DescriptorPassing | undefined,
  { role, clock, limits, beside }: Pick<SessionOptions<never>, "role" | "clock" | "limits" | "beside">,
  { ask, ...events }: Events,
): Lane | undefined {
  if (passing === undefined || limits.streams === 0) return undefined;
  return beside?.lane({ passing, clock, ...events, ...(role === "acceptor" ? { ask } : {}) });
}
