/** What peers send each other: commands, and the three that are replies. */

/** One command. Every field but `action` may be absent. */
export interface Command {
  /** A reply carries the key of the command that it answers. Without one a command gets a reply without one. */
  readonly key?: string | undefined;
  readonly action: string;
  /** Any JSON value. `null` and `undefined` are left out. */
  readonly body?: unknown;
  readonly version?: number | undefined;
  /** Milliseconds after which its sender waits no longer. Originals neither send nor read it. */
  readonly timeout?: number | undefined;
  /** The body as the JSON text that it came in, where the command was read from JSON: for code that passes it on. */
  readonly bodyText?: string | undefined;
}

/** The reply to a command whose handlers all returned; its body is what the last one returned. */
export const RESPONSE = "drs.response";
/** The reply to a command that failed as its handlers foresee; its body is `{"message": ...}`. */
export const ERROR = "drs.error";
/** The reply to a command whose handler crashed; its body is `{"message": ...}`. */
export const EXCEPTION = "drs.exception";

export type ReplyAction = typeof RESPONSE | typeof ERROR | typeof EXCEPTION;

/** True for a command that answers another. Such a command never gets a reply. */
export function isReply(action: string): action is ReplyAction {
  return action === RESPONSE || action === ERROR || action === EXCEPTION;
}
