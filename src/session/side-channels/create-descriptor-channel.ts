import type { DescriptorPassing } from "../../transport/transport.ts";
import type { DescriptorChannel, DescriptorChannelOptions } from "./descriptor-channel.ts";
import type { SessionOptions } from "../options.ts";

type Events = Required<Pick<DescriptorChannelOptions, "passed" | "broken" | "ask">>;

/** The lane of a session, where its connection offers one and its owner wants it. Only an acceptor asks for it to be opened. */
export function createDescriptorChannel(
  passing: DescriptorPassing | undefined,
  {
    role,
    clock,
    limits,
    sideChannels,
  }: Pick<SessionOptions<never>, "role" | "clock" | "limits" | "sideChannels">,
  { ask, ...events }: Events,
): DescriptorChannel | undefined {
  if (passing === undefined || limits.streams === 0) return undefined;
  return sideChannels?.descriptors({ passing, clock, ...events, ...(role === "acceptor" ? { ask } : {}) });
}
