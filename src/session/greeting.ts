/** What HELLO and WELCOME say of their sender (P-12). */
import { findHeader, type HeadersInit } from "../message/headers.ts";
import { MAX_HEADERS } from "../message/limits.ts";
import type { SessionRegistrations } from "./events.ts";
import { MAX_BINDING } from "../wire/frame.ts";
import type { Understanding } from "./streams/attachments.ts";
import type { BodyLimits } from "./frame-writer.ts";
import { MIN_HEADERS, type SessionLimits } from "./options.ts";

/** For whom subjects can be enabled. Any other word is one of a version to come. */
const ENABLES = "clients";

/** What the other end has said of itself. */
export interface Greeting {
  readonly name: string;
  /** What it takes. */
  readonly limits: BodyLimits;
  readonly bindings: number;
  readonly streams: number;
  /** How many bypasses it takes at a time, 0 where its connection has none. */
  readonly bypasses: number;
  readonly attachments: Understanding;
  /** The token of the other end (P-140); undefined if it shows none. */
  readonly token: string | undefined;
  /** It takes ENABLE (P-146). */
  readonly takesEnable: boolean;
  /** What to show where a lane is opened; empty where none can be. */
  readonly lane: string;
}

/** What this end says of itself besides its limits. */
export interface Own {
  readonly role: "dialer" | "acceptor";
  readonly name: string;
  readonly limits: SessionLimits;
  /** The token for the lane; empty at the end that opens it, undefined if descriptors cannot be passed. */
  readonly lane: string | undefined;
  readonly bypasses: number;
  /** This end takes ENABLE if its owner does. */
  readonly registrations: Pick<SessionRegistrations, "enable">;
  /** The token of this end. */
  readonly token?: string | undefined;
}

export function greetingOf({ role, name, limits, lane, bypasses, token, registrations }: Own): HeadersInit {
  const takesStreams = limits.streams > 0;
  return {
    name,
    "max-payload": String(limits.payload),
    "max-headers": String(headersTaken(limits.headers)),
    ...(takesStreams ? { "max-streams": String(limits.streams) } : {}), // P-110
    ...(takesStreams ? { attachments: lane === undefined ? "bytes" : "descriptors" } : {}), // P-120
    ...(takesStreams && bypasses > 0 ? { "max-bypasses": String(bypasses) } : {}), // P-131
    ...(role === "dialer" && token !== undefined ? { token } : {}), // P-140
    ...(role === "acceptor" && lane !== undefined && lane !== "" ? { lane } : {}), // P-121
    ...(role === "acceptor" ? { "max-bindings": String(limits.bindings) } : {}), // P-25
    ...(registrations.enable === undefined ? {} : { enablement: ENABLES }), // P-146
  };
}

/** What a header block says. A text says what is wrong with it. */
export function readGreeting(block: string, isWelcome: boolean): Greeting | string {
  const payload = readLimit(block, "max-payload");
  const headers = readLimit(block, "max-headers");
  if (payload === undefined || headers === undefined || headers < MIN_HEADERS)
    return `the greeting must have max-payload, and max-headers of at least ${MIN_HEADERS}`;
  // P-24, P-25: only an acceptor limits them, and need not
  const bindings = isWelcome ? readLimit(block, "max-bindings", MAX_BINDING) : MAX_BINDING;
  if (bindings === undefined) return "the greeting has an invalid max-bindings";
  const streams = readLimit(block, "max-streams", 0); // P-110
  if (streams === undefined) return "the greeting has an invalid max-streams";
  const bypasses = readLimit(block, "max-bypasses", 0); // P-131
  if (bypasses === undefined) return "the greeting has an invalid max-bypasses";
  return {
    name: findHeader(block, "name") ?? "",
    limits: { payload, headers },
    bindings,
    streams,
    bypasses,
    attachments: understandingOf(findHeader(block, "attachments")),
    token: isWelcome ? undefined : findHeader(block, "token"),
    takesEnable: findHeader(block, "enablement") === ENABLES,
    lane: findHeader(block, "lane") ?? "",
  };
}

/** What this end takes, whatever is configured: failures always fit, and lengths travel in 16 bits. */
export function headersTaken(limit: number): number {
  return Math.min(Math.max(limit, MIN_HEADERS), MAX_HEADERS);
}

/** P-120. A word that is not known is one of a version to come. */
function understandingOf(word: string | undefined): Understanding {
  return word === "descriptors" || word === "bytes" ? word : "none";
}

/** Undefined when it is no limit; `leftOut` when it is not there. */
function readLimit(block: string, name: string, leftOut?: number): number | undefined {
  const value = findHeader(block, name);
  if (value === undefined) return leftOut;
  return /^[1-9][0-9]{0,9}$/.test(value) ? Number(value) : undefined;
}
