/** What the options of a peer's calls must be. */
import { isCodec } from "../codec/check.ts";
import { isToken } from "../engine/remote/reconnecting-session.ts";
import { LintelError } from "../message/failure.ts";
import { MAX_TIMEOUT } from "../message/limits.ts";
import {
  aFunction,
  checkArgument,
  checkOptions,
  list,
  milliseconds,
  object,
  orNull,
  signal,
  text,
  type Check,
} from "../message/options.ts";
import type { RequestOptions, ServeOptions } from "./peer.ts";

type Checks = Readonly<Record<string, Check>>;

const LIMITS = orNull(object("{ payload: 4_194_304 }"));
const aNumber: Check = (value) =>
  typeof value === "number" && value >= 0 ? undefined : "a number, 0 or more";

const CONNECT: Checks = {
  timeoutMs: milliseconds,
  requestTimeoutMs: milliseconds,
  name: orNull(text),
  onState: aFunction,
  onError: aFunction,
  limits: LIMITS,
};

const REQUEST: Checks = { timeoutMs: milliseconds, signal, codec: isCodec, streams: orNull(list) };

const SERVE: Checks = {
  queue: text,
  concurrency: (value) =>
    value === Infinity || (Number.isInteger(value) && (value as number) >= 0)
      ? undefined
      : "a whole number above 0",
};

const DRAIN: Checks = { graceMs: milliseconds, streamGraceMs: milliseconds };

export function checkConnect(options: unknown): void {
  checkOptions("connect", options, CONNECT);
  checkLimits("connect", options);
  const { token, key } = (options ?? {}) as { readonly token?: unknown; readonly key?: unknown }; // it is an object, or nothing
  const given = token ?? key;
  const isOne = token === undefined || key === undefined;
  if (given === undefined || (isOne && (typeof given === "function" || isToken(given)))) return;
  const wanted =
    "one string of 1 to 8,192 printable characters without spaces, or a function that returns one";
  throw new LintelError("invalid_argument", `connect: key or token must be ${wanted}`); // its text must not appear in a log
}

/** The limits of a hub or a peer, each by itself. */
export function checkLimits(call: string, options: unknown): void {
  checkOptions(call, options, { limits: LIMITS });
  const { limits } = options as { readonly limits?: unknown };
  if (typeof limits !== "object" || limits === null) return;
  for (const [name, value] of Object.entries(limits))
    if (value !== undefined) checkArgument(call, `limits.${name}`, value, aNumber);
}

/** How long to wait, for timers that take no more than about 24 days. */
export function timerMs(ms: number): number {
  return Math.min(ms, MAX_TIMEOUT);
}

/** A timeout that is a number but out of range is a RangeError, with the code of all others. */
export function checkRequest(options: RequestOptions, call = "request"): void {
  const { timeoutMs } = options;
  if (typeof timeoutMs === "number" && !(timeoutMs >= 0)) {
    const message = `${call}: timeoutMs is ${timeoutMs}, it must be a number of milliseconds, 0 or more`;
    throw Object.assign(new RangeError(message), { code: "invalid_argument", reason: "INVALID_ARGUMENT" });
  }
  checkOptions(call, options, REQUEST);
}

export function checkServe(subject: string, handler: unknown, options: ServeOptions): void {
  checkArgument(`serve(${JSON.stringify(subject)})`, "the handler", handler, aFunction);
  checkOptions("serve", options, SERVE);
}

export function checkListener(listener: unknown, options: unknown): void {
  if (typeof listener !== "function" && listener !== null) checkOptions("subscribe", listener, {}); // it may be the options
  checkOptions("subscribe", options, {});
}

export function checkDrain(options: unknown): void {
  checkOptions("drain", options, DRAIN);
}
