/** What the beam gateway can be told, and what it does when it is not told. */
import { systemClock, type Clock } from "../../runtime/clock.ts";
import { LintelError } from "../../message/failure.ts";
import { DEFAULT_LIMITS } from "../../message/limits.ts";
import { bytesOf, timeOption, wholeNumber, type OldNames } from "../../message/options.ts";
import type { Duration, Size } from "../../message/quantity.ts";
import { isSubject } from "../../message/subject.ts";

/** What happens to messages without an attachment, whose senders get no outcome. */
export const PLAIN_MODES = ["request", "publish"] as const;
export type PlainMode = (typeof PLAIN_MODES)[number];

/** What files, variables and flags can say too. */
export interface BeamFileOptions {
  /** Where the socket is made. */
  readonly path: string;
  /** Permissions of the socket, as a number or in octal digits: programs that may write to it may connect. Default "0600". */
  readonly mode?: number | string;
  /** Subjects begin with it: with `legacy`, a message `print` goes to `legacy.print`. Default: none. */
  readonly prefix?: string;
  /** Messages without an attachment go to one worker, or are published to all subscribers. Default `request`. */
  readonly plain?: PlainMode;
  /** Peers may register as workers. Default true. */
  readonly workers?: boolean;
  /** Timeout of requests: milliseconds, or text such as "5s". Default 30 s. */
  readonly timeout?: Duration;
  /** Largest message that is read: bytes, or text such as "1MiB". Default 1 MiB. */
  readonly messageLimit?: Size;
  /** Connections at a time, those included whose attachments are still in use; past it one that has sent nothing yet is closed, else the new one. Default 64. */
  readonly maxConnections?: number;
  /** Attachments of one connection that are in use at a time, nested ones included. Default 64. */
  readonly maxAttachments?: number;
  /** Messages without an attachment that one connection has under way; its others wait unread. Default 256. */
  readonly maxPending?: number;
}

export interface BeamOptions extends BeamFileOptions, OldNames<"timeout"> {
  /** Called with what no peer can be told: messages that failed, connections that broke the format. */
  readonly onError?: (error: LintelError, where: string) => void;
}

/** Every option with its value. */
export interface BeamSettings {
  readonly path: string;
  readonly mode: number;
  readonly prefix: string;
  readonly plain: PlainMode;
  readonly workers: boolean;
  readonly timeoutMs: number;
  readonly messageLimit: number;
  readonly maxConnections: number;
  readonly maxAttachments: number;
  readonly maxPending: number;
  readonly onError: (error: LintelError, where: string) => void;
  readonly clock: Clock;
}

/** The settings that hold. Throws `invalid_argument` for what is none. */
export function beamSettings(options: BeamOptions, clock: Clock = systemClock): BeamSettings {
  const { path, prefix = "", plain = "request" } = options;
  if (path === "") throw wrong("path", path, "a path");
  checkPrefix(prefix);
  if (!PLAIN_MODES.includes(plain)) throw wrong("plain", plain, `one of ${PLAIN_MODES.join(", ")}`);
  const count = (name: "maxConnections" | "maxAttachments" | "maxPending", otherwise: number): number =>
    wholeNumber(`beam option ${name}`, options[name] ?? otherwise, 1, 2 ** 31 - 1);
  return {
    path,
    mode: modeOf(options.mode ?? 0o600),
    prefix,
    plain,
    workers: options.workers ?? true,
    timeoutMs: timeOption("beam option ", options, "timeout", DEFAULT_LIMITS.timeout),
    messageLimit: bytesOf(
      "beam option messageLimit",
      options.messageLimit ?? DEFAULT_LIMITS.payload,
      1,
      2 ** 31 - 1,
    ),
    maxConnections: count("maxConnections", 64),
    maxAttachments: count("maxAttachments", 64),
    maxPending: count("maxPending", 256),
    onError: options.onError ?? reportToStderr,
    clock,
  };
}

/** Permissions in octal digits. */
export const MODE: RegExp = /^0?[0-7]{3}$/;

function modeOf(mode: number | string): number {
  const bits = typeof mode === "string" && MODE.test(mode) ? Number.parseInt(mode, 8) : mode;
  if (typeof bits === "number" && Number.isInteger(bits) && bits >= 0 && bits <= 0o777) return bits;
  throw wrong("mode", mode, 'permissions such as 0o600 or "0600"');
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
