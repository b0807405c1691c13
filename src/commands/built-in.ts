import { CommandException } from "./error.ts";
import type { CommandHandlers } from "./handlers.ts";

/** The time of day in milliseconds since 1970. */
export const PING = "drs.ping";
/** Always an exception, for tests of callers. */
export const KABOOM = "drs.kaboom";
/** Shows a token, the body, on a connection that is open. */
export const UPGRADE = "auth.upgrade";

/** Withdraws a call; its body has the `key`, and may have the `code` and `reason`. Programs of the original do not know it. */
export const CANCEL = "lintel.cancel";

/** Adds the actions that every server has. */
export function addBuiltIns(handlers: CommandHandlers, epochMs: () => number = Date.now): void {
  handlers.on(PING, () => Math.floor(epochMs()));
  handlers.on(KABOOM, () => {
    throw new CommandException("kaboom");
  });
}
