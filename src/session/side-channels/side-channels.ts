import { SessionBypasses, type SessionBypassesOptions } from "./bypasses.ts";
import { DescriptorChannel, type DescriptorChannelOptions } from "./descriptor-channel.ts";

/**
 * What goes beside a session's connection where the connection offers it. Who never has such connections, as clients in
 * browsers, does without, and need not load it.
 */
export interface SideChannels {
  descriptors(options: DescriptorChannelOptions): DescriptorChannel;
  bypasses(options: SessionBypassesOptions): SessionBypasses;
}

export const sideChannels: SideChannels = {
  descriptors: (options) => new DescriptorChannel(options),
  bypasses: (options) => new SessionBypasses(options),
};
