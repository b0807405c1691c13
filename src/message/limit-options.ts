/** Limits as they are given: sizes and times may be text, as in a file. */
import type { Limits } from "./limits.ts";
import { bytesOf, millisecondsOf } from "./options.ts";
import type { Duration, Size } from "./quantity.ts";

type SizeLimit = "payload" | "headers" | "httpBodies" | "queueBytes" | "sessionBuffer" | "sessionBuffers";
type TimeLimit = "timeout" | "stallTimeout" | "helloTimeout" | "heartbeat" | "heartbeatTimeout";

const SIZES: readonly SizeLimit[] = [
  "payload",
  "headers",
  "httpBodies",
  "queueBytes",
  "sessionBuffer",
  "sessionBuffers",
];
const TIMES: readonly TimeLimit[] = [
  "timeout",
  "stallTimeout",
  "helloTimeout",
  "heartbeat",
  "heartbeatTimeout",
];

/** Times are milliseconds or text such as "5s", sizes bytes or text such as "1MiB". */
export type LimitOptions = {
  readonly [K in keyof Limits]?: K extends SizeLimit ? Size : K extends TimeLimit ? Duration : number;
};

/** The same in numbers. Throws `invalid_argument` for text that is no size or no time. */
export function limitsOf(given: LimitOptions): Partial<Limits> {
  const limits: Record<string, unknown> = { ...given };
  for (const name of SIZES) {
    const size = given[name];
    if (typeof size === "string")
      limits[name] = bytesOf(`createHub: limits.${name}`, size, 1, Number.MAX_SAFE_INTEGER);
  }
  for (const name of TIMES) {
    const time = given[name];
    if (typeof time === "string") limits[name] = millisecondsOf(`createHub: limits.${name}`, time);
  }
  return limits; // whatever was text is a number now
}
