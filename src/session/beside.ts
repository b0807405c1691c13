import { SessionBypasses, type SessionBypassesOptions } from "./bypasses.ts";
import { Lane, type LaneOptions } from "./lane.ts";

/**
 * What goes beside a session's connection where the connection offers it. Who never has such connections, as clients in
 * browsers, does without, and need not load it.
 */
export interface Beside {
  lane(options: LaneOptions): Lane;
  bypasses(options: SessionBypassesOptions): SessionBypasses;
}

export const beside: Beside = {
  lane: (options) => new Lane(options),
  bypasses: (options) => new SessionBypasses(options),
};
