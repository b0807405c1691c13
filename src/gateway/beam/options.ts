/** What the beam gateway can be told, and what it does when it is not told. */
import { systemClock, type Clock } from "../../runtime/clock.ts";
import { LintelError } from "../../message/failure.ts";
import { DEFAULT_LIMITS, MAX_TIMEOUT } from "../../message/limits.ts";
import { isSubject } from "../../message/subject.ts";

/** What becomes of messages without an attachment, whose senders hear nothing of them. */
export const PLAIN_MODES = ["request", "publish"] as const;
export type PlainMode = (typeof PLAIN_MODES)[number];

export interface BeamOptions {
  /** Where the socket is made. */
  readonly path: string;
  /** Permissions of the socket: who may write to it may connect. Default 0o600. */
  readonly mode?: number;
  /** Subjects begin with it: with `legacy`, a message `print` goes to `legacy.print`. Default: none. */
  readonly prefix?: string;
  /** Messages without an attachment go to one worker, or are published to all subscribers. Default `request`. */
  readonly plain?: PlainMode;
  /** Peers may register as workers. Default true. */
  readonly workers?: boolean;
  /** Timeout of requests. Milliseconds, default 30,000. */
  readonly timeoutMs?: number;
  /** Largest message that is read. Bytes, default 1 MiB. */
  readonly messageLimit?: number;
  /** Connections at a time, those included whose attachments are still in use; past it one that has sent nothing yet is closed, else the new one. Default 64. */
  readonly maxConnections?: number;
  /** Attachments of one connection that are in use at a time, nested ones included. Default 64. */
  readonly maxAttachments?: number;
  /** Messages without an attachment that one connection has under way; its others wait unread. Default 256. */
  readonly maxPending?: number;
  /** Told of what no peer can be told: messages that came to nothing, connections that broke the format. */
  readonly onError?: (error: LintelError, where: string) => void;
}

/** Every option with its value. */
export interface BeamSettings extends Required<BeamOptions> {
  readonly clock: Clock;
}

/** The settings that hold. Throws `invalid_argument` for what is none. */
export function beamSettings(options: BeamOptions, clock: Clock = systemClock): BeamSettings {
  const settings: BeamSettings = {
    mode: 0o600,
    prefix: "",
    plain: "request",
    workers: true,
    timeoutMs: DEFAULT_LIMITS.timeout,
    messageLimit: DEFAULT_LIMITS.payload,
    maxConnections: 64,
    maxAttachments: 64,
    maxPending: 256,
    onError: reportToStderr,
    clock,
    ...options,
  };
  const { path, mode, prefix, plain, timeoutMs } = settings;
  if (path === "") throw wrong("path", path, "a path");
  if (!(Number.isInteger(mode) && mode >= 0 && mode <= 0o777))
    throw wrong("mode", mode, "permissions such as 0o600");
  checkPrefix(prefix);
  if (!PLAIN_MODES.includes(plain)) throw wrong("plain", plain, `one of ${PLAIN_MODES.join(", ")}`);
  if (!(timeoutMs > 0 && timeoutMs <= MAX_TIMEOUT))
    throw wrong("timeoutMs", timeoutMs, "a number of milliseconds");
  for (const name of ["messageLimit", "maxConnections", "maxAttachments", "maxPending"] as const) {
    const value = settings[name];
    if (!(Number.isInteger(value) && value > 0 && value < 2 ** 31))
      throw wrong(name, value, "a whole number above 0");
  }
  return settings;
}

/** Throws `invalid_argument` for a prefix that begins no subject. */
export function checkPrefix(prefix: string): void {
  if (prefix !== "" && (!isSubject(prefix) || prefix.startsWith("_")))
    throw wrong("prefix", prefix, "a subject such as legacy or legacy.tools");
}

function wrong(name: string, value: unknown, form: string): LintelError {
  return new LintelError(
    "invalid_argument",
    `beam option ${name} is ${JSON.stringify(value)}, it must be ${form}`,
  );
}

function reportToStderr(error: LintelError, where: string): void {
  console.error(`lintel: ${where}: ${error.reason}: ${error.message}`);
}
