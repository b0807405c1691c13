/** Requests of the HTTP gateway as a web app is to see them. */
import { failure, type Failure } from "../message/failure.ts";
import type { Message, StreamEnd } from "../message/message.ts";
import { isRoot } from "../stream/stream.ts";

/** What happens to the path under which the hub's routes have an app. */
export type Prefix = "strip" | "keep";

export interface AppRequest {
  readonly method: string;
  /** Path and query as the app sees them. */
  readonly target: string;
  /** Path and query as the caller sent them. */
  readonly original: string;
  /** What the path began with that the app does not see; empty when it sees all. */
  readonly base: string;
  readonly scheme: "http" | "https";
  readonly host: string;
  /** The caller's address; undefined when the gateway has not told. */
  readonly remote: string | undefined;
  /** Names in lower case, and values; without those that frame the message. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Uint8Array | StreamEnd | undefined;
  /** Bytes of the body; undefined while it is unknown. */
  readonly length: number | undefined;
}

/** Names that say how a message is framed or sent on, which is not what its headers say but what is done. */
const FRAMING = new Set([
  "connection",
  "content-length",
  "expect",
  "host",
  "keep-alive",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);
const LENGTH = /^\d{1,15}$/;
const METHOD = /^[A-Z][A-Z-]{0,31}$/;
const TARGET = /^\/[!-~\u0080-\u00ff]*$/;
// oxlint-disable-next-line no-control-regex -- control characters are what it must find
const UNFIT = /[^\t\n -~\u0080-\u00ff]/;

/** Reads the request a message stands for; a failure when it is none, or none HTTP could have brought. */
export function readRequest(message: Message, prefix: Prefix): AppRequest | Failure {
  const head = message.headText();
  if (UNFIT.test(head)) return failure("BAD_REQUEST", "a header has characters that HTTP does not allow");
  const pseudo = new Map<string, string>();
  const headers: [string, string][] = [];
  let declared: string | undefined;
  for (const line of head.split("\n")) {
    const colon = line.indexOf(":", 1);
    if (colon < 0) continue;
    const name = line.slice(0, colon);
    const value = line.slice(colon + 1);
    if (name.startsWith(":")) pseudo.set(name, value);
    else if (name === "content-length") declared = value;
    else if (!FRAMING.has(name)) headers.push([name, value]);
  }
  const method = pseudo.get(":method");
  const original = pseudo.get(":path");
  if (method === undefined || original === undefined) return NOT_HTTP;
  if (!METHOD.test(method) || !TARGET.test(original)) return failure("BAD_REQUEST");
  const body = bodyOf(message);
  if (body !== undefined && "code" in body) return body;
  const base = prefix === "strip" ? baseOf(pseudo.get(":base"), original) : "";
  const given = base === "" ? headers : headers.filter(([name]) => name !== FORWARDED_PREFIX);
  if (base !== "") given.push([FORWARDED_PREFIX, base]);
  return {
    method,
    target: base === "" ? original : withSlash(original.slice(base.length)),
    original,
    base,
    scheme: pseudo.get(":scheme") === "https" ? "https" : "http",
    host: pseudo.get(":authority") ?? "localhost",
    remote: pseudo.get(":remote"),
    headers: given,
    body,
    length: lengthOf(body, declared),
  };
}

const FORWARDED_PREFIX = "x-forwarded-prefix";
const NOT_HTTP: Failure = Object.freeze({
  code: "invalid_argument",
  reason: "NOT_HTTP",
  message: "this subject is a web app: its requests come over HTTP, or have the headers :method and :path",
  retryable: false,
});

function baseOf(base: string | undefined, path: string): string {
  if (base === undefined || base === "/" || !path.startsWith(base)) return "";
  return /^(?:[/?]|$)/.test(path.slice(base.length)) ? base : "";
}

function withSlash(target: string): string {
  return target.startsWith("/") ? target : `/${target}`;
}

function bodyOf(message: Message): Uint8Array | StreamEnd | Failure | undefined {
  const { streams } = message;
  if (streams === undefined) {
    const bytes = message.payload();
    return bytes.length === 0 ? undefined : bytes;
  }
  const [end] = streams;
  if (
    end !== undefined &&
    streams.length === 1 &&
    isRoot(message) &&
    end.receives &&
    !end.sends &&
    !end.messages
  )
    return end;
  return failure("BAD_REQUEST", "the body of a request is one stream of bytes");
}

function lengthOf(body: AppRequest["body"], declared: string | undefined): number | undefined {
  if (body === undefined) return 0;
  if (body instanceof Uint8Array) return body.length;
  return declared !== undefined && LENGTH.test(declared) ? Number(declared) : undefined;
}
