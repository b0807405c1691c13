/** Routes as they are configured, checked and turned into what the matcher works on. */
import { METHODS, validateHeaderName, validateHeaderValue } from "node:http";
import { JsonText } from "../../codec/json-text.ts";
import { LintelError } from "../../message/failure.ts";
import { MAX_TIMEOUT } from "../../message/limits.ts";
import { parseDuration, parseSize, type Size } from "../../message/quantity.ts";
import { isSubject } from "../../message/subject.ts";
import { isHopByHop } from "./hop-by-hop.ts";
import { hasControlCharacter } from "./path.ts";

/** An answer that is known beforehand. */
export interface ConstantAnswer {
  /** 200 to 599. Default: 202 for `reply`, 200 for `fallback`. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  /** Text as it is (`text/plain` unless the headers say otherwise), any other value as JSON. Default: no body. */
  readonly body?: unknown;
}

export interface RouteOptions {
  /** Upper-case methods. Default: any. */
  readonly method?: string | readonly string[];
  /**
   * Literal segments, `{name}` for one segment, a final `{name...}` for one or more. With mode `app` everything at and below
   * it.
   */
  readonly path: string;
  /** May contain `{name}` of the path; its value must then be legal in a subject. */
  readonly subject: string;
  /**
   * `request` waits for a worker's answer, `publish` answers `reply` at once, `app` gives a web app (`serveHttp`) all there is.
   * Default `request`.
   */
  readonly mode?: Mode;
  /**
   * `whole` gives the worker the body when it has arrived, within the gateway's `bodyLimit`; `stream` a byte stream at once.
   * Default `whole`. A web app never sees a difference: what is short comes whole, all else as a stream.
   */
  readonly body?: "whole" | "stream";
  /** Largest body that is streamed: bytes, or text such as `64MiB`. Default 1 GiB. */
  readonly bodyLimit?: Size;
  /** Milliseconds, or text like `250ms`, `5s`, `1m`. Default: the gateway's. */
  readonly timeout?: number | string;
  /** Answer of a publish route. */
  readonly reply?: ConstantAnswer;
  /** Answer of a request route that no worker could be had for; it carries `Lintel-Fallback: REASON`. */
  readonly fallback?: ConstantAnswer;
}

/** An answer ready to be written. */
export interface ReadyAnswer {
  readonly status: number;
  /** Names and values in turn, without `Content-Length`. */
  readonly headers: readonly string[];
  readonly body: Buffer;
}

export type Segment =
  | { readonly kind: "literal"; readonly text: string }
  | { readonly kind: "param" | "rest"; readonly name: string };

export type Mode = "request" | "publish" | "app";

/** How requests of a route are treated. */
export interface Treatment {
  readonly mode: Mode;
  /** Bodies with a declared length up to this are given to the worker whole; -1 where none are. */
  readonly wholeUpTo: number;
  readonly bodyLimit: number;
  readonly timeoutMs: number;
  readonly reply: ReadyAnswer;
  readonly fallback: ReadyAnswer | undefined;
}

export interface RouteSpec extends Treatment {
  /** For messages to the operator: `route 3 (/users/{id})`. */
  readonly label: string;
  /** Undefined: any. */
  readonly methods: readonly string[] | undefined;
  readonly segments: readonly Segment[];
  /** Literal texts at even places, parameter names at odd ones. */
  readonly subject: readonly string[];
}

/** What a publish route answers when its configuration names nothing. */
export const ACCEPTED: ReadyAnswer = { status: 202, headers: [], body: Buffer.alloc(0) };

const MODES: ReadonlySet<unknown> = new Set<Mode>(["request", "publish", "app"]);
/** Bodies for a web app up to this are worth no stream. Bytes. */
const APP_WHOLE = 65_536;
/** Largest streamed body where the route names none. Bytes. */
const STREAMED_LIMIT = 1_073_741_824;
/** Methods a route cannot take: one makes tunnels, the other reflects what should not be seen. */
const UNSERVED = new Set(["CONNECT", "TRACE"]);
const PARAMETER = /^\{([A-Za-z_][A-Za-z0-9_]*)(\.\.\.)?\}$/;
const PLACEHOLDER = /\{([A-Za-z_][A-Za-z0-9_]*)\}/;

/** Checks one route. Throws `invalid_argument` saying which route it is and what to do. */
export function compileRoute(
  options: RouteOptions,
  index: number,
  defaults: Pick<Treatment, "timeoutMs" | "bodyLimit">,
): RouteSpec {
  const label = `route ${index + 1} (${options.path})`;
  const segments = parsePath(label, options.path);
  const mode = options.mode ?? "request";
  if (!MODES.has(mode)) throw wrong(label, `mode is ${show(mode)}; use "request", "publish" or "app"`);
  if (mode === "app") segments.push(below(label, options, segments));
  if (options.reply !== undefined && mode !== "publish") {
    throw wrong(label, 'reply needs mode "publish"; a request is answered by its worker');
  }
  if (options.fallback !== undefined && mode === "publish") {
    throw wrong(label, 'fallback needs mode "request"; a publication waits for no answer');
  }
  return {
    label,
    methods: parseMethods(label, options.method),
    segments,
    subject: parseSubject(label, options.subject, segments),
    mode,
    ...parseBody(label, mode, options, defaults.bodyLimit),
    timeoutMs: options.timeout === undefined ? defaults.timeoutMs : parseTimeout(label, options.timeout),
    reply: options.reply === undefined ? ACCEPTED : readyAnswer(label, "reply", options.reply, 202),
    fallback:
      options.fallback === undefined ? undefined : readyAnswer(label, "fallback", options.fallback, 200),
  };
}

function wrong(label: string, text: string): LintelError {
  return new LintelError("invalid_argument", `${label}: ${text}`);
}

function show(value: unknown): string {
  return typeof value === "string" ? JSON.stringify(value.slice(0, 64)) : String(value);
}

function parsePath(label: string, path: string): Segment[] {
  if (typeof path !== "string" || !path.startsWith("/")) throw wrong(label, "path must begin with /");
  if (path === "/") return [];
  const names = new Set<string>();
  const parts = path.slice(1).split("/");
  return parts.map((part, index): Segment => {
    if (part === "") throw wrong(label, "path has an empty segment; remove the doubled or trailing /");
    const match = PARAMETER.exec(part);
    if (match === null) {
      if (/[{}?#%]/.test(part) || part === "." || part === ".." || hasControlCharacter(part)) {
        throw wrong(
          label,
          `path segment ${show(part)} is neither plain decoded text nor {name} nor a final {name...}`,
        );
      }
      return { kind: "literal", text: part };
    }
    const name = match[1]!;
    if (names.has(name)) throw wrong(label, `parameter {${name}} appears twice; give each its own name`);
    names.add(name);
    if (match[2] === undefined) return { kind: "param", name };
    if (index !== parts.length - 1) throw wrong(label, `{${name}...} must be the last segment`);
    return { kind: "rest", name };
  });
}

/** What stands for all that is below the path of a web app. */
function below(label: string, { body }: RouteOptions, segments: readonly Segment[]): Segment {
  if (segments.some(({ kind }) => kind === "rest"))
    throw wrong(label, "an app gets everything below its path; leave {name...} out");
  if (body !== undefined) throw wrong(label, "an app reads bodies itself; leave body out");
  return { kind: "rest", name: "" };
}

function parseBody(
  label: string,
  mode: Mode,
  { body = "whole", bodyLimit }: RouteOptions,
  wholeLimit: number,
): Pick<Treatment, "wholeUpTo" | "bodyLimit"> {
  if (body !== "whole" && body !== "stream")
    throw wrong(label, `body is ${show(body)}; use "whole" or "stream"`);
  const streams = mode === "app" || body === "stream";
  if (streams && mode === "publish") throw wrong(label, "a publication cannot carry a stream");
  if (!streams) {
    if (bodyLimit !== undefined) throw wrong(label, 'bodyLimit needs body "stream" or mode "app"');
    return { wholeUpTo: wholeLimit, bodyLimit: wholeLimit };
  }
  const limit = typeof bodyLimit === "string" ? parseSize(bodyLimit) : (bodyLimit ?? STREAMED_LIMIT);
  if (limit === undefined || !Number.isSafeInteger(limit) || limit <= 0)
    throw wrong(label, `bodyLimit is ${show(bodyLimit)}; it must be a whole number of bytes`);
  return { wholeUpTo: mode === "app" ? Math.min(APP_WHOLE, wholeLimit, limit) : -1, bodyLimit: limit };
}

function parseMethods(label: string, method: string | readonly string[] | undefined): string[] | undefined {
  if (method === undefined) return undefined;
  const methods = typeof method === "string" ? [method] : [...method];
  if (methods.length === 0) throw wrong(label, "method is an empty list; leave it out to take any method");
  for (const one of methods) {
    if (!METHODS.includes(one))
      throw wrong(label, `${show(one)} is not a method; write it in upper case, as in "GET"`);
    if (UNSERVED.has(one)) throw wrong(label, `method ${one} cannot be served`);
  }
  return methods;
}

function parseSubject(label: string, subject: string, segments: readonly Segment[]): string[] {
  if (typeof subject !== "string") throw wrong(label, "subject is missing");
  const parts = subject.split(PLACEHOLDER);
  for (let index = 1; index < parts.length; index += 2) {
    const name = parts[index]!;
    if (!segments.some((segment) => segment.kind !== "literal" && segment.name === name)) {
      throw wrong(label, `subject uses {${name}}, which the path does not have`);
    }
  }
  const sample = parts.map((part, index) => (index % 2 === 1 ? "x" : part)).join("");
  if (!isSubject(sample)) {
    throw wrong(label, `subject ${show(subject)} must be tokens of [A-Za-z0-9_-] or {name}, joined by dots`);
  }
  return parts;
}

function parseTimeout(label: string, timeout: number | string): number {
  const ms = typeof timeout === "string" ? parseDuration(timeout, "none") : timeout;
  if (typeof ms === "number" && ms >= 1 && ms <= MAX_TIMEOUT) return ms;
  throw wrong(
    label,
    `timeout is ${show(timeout)}; use milliseconds from 1 to ${MAX_TIMEOUT} or text like "5s"`,
  );
}

function readyAnswer(label: string, key: string, answer: ConstantAnswer, defaultStatus: number): ReadyAnswer {
  const status = answer.status ?? defaultStatus;
  if (!Number.isInteger(status) || status < 200 || status > 599) {
    throw wrong(label, `${key}.status is ${show(status)}; it must be from 200 to 599`);
  }
  const headers: string[] = [];
  for (const [name, value] of Object.entries(answer.headers ?? {})) {
    for (const one of typeof value === "string" ? [value] : value) {
      checkHeader(label, key, name, one);
      headers.push(name, one);
    }
  }
  const [type, body] = readyBody(label, key, answer.body);
  const typed = headers.some((name, index) => index % 2 === 0 && name.toLowerCase() === "content-type");
  if (type !== undefined && !typed) headers.push("Content-Type", type);
  if (body.length > 0 && (status === 204 || status === 205 || status === 304)) {
    throw wrong(label, `${key} has a body, which status ${status} cannot carry`);
  }
  return { status, headers, body };
}

function checkHeader(label: string, key: string, name: string, value: string): void {
  try {
    validateHeaderName(name);
    validateHeaderValue(name, value);
  } catch (cause) {
    throw wrong(
      label,
      `${key}.headers: ${show(name)} has an illegal name or value (${(cause as Error).message})`,
    );
  }
  const lower = name.toLowerCase();
  if (lower === "content-length" || isHopByHop(lower)) {
    throw wrong(label, `${key}.headers: ${lower} is set by the gateway; leave it out`);
  }
}

function readyBody(label: string, key: string, body: unknown): [type: string | undefined, body: Buffer] {
  if (body === undefined) return [undefined, Buffer.alloc(0)];
  if (typeof body === "string") return ["text/plain; charset=utf-8", Buffer.from(body)];
  if (body instanceof JsonText) return ["application/json", Buffer.from(body.text)];
  let text: string | undefined;
  try {
    text = JSON.stringify(body) as string | undefined;
  } catch (cause) {
    throw wrong(label, `${key}.body is not a JSON value: ${(cause as Error).message}`);
  }
  if (text === undefined) throw wrong(label, `${key}.body is not a JSON value`);
  return ["application/json", Buffer.from(text)];
}
