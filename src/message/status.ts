/**
 * The one table of outcomes. Codes are the gRPC and Connect names, with the same numbers.
 * A reason says more precisely what happened and may refine the HTTP status of its code.
 * `docs/ERRORS.md` lists the same rows; a test compares the two.
 */

export interface CodeRow {
  /** gRPC status number; a CANCEL frame carries it. */
  readonly wire: number;
  /** Status of an HTTP answer that carries this code. */
  readonly http: number;
  /** WebSocket close code when the failure ends a connection. */
  readonly close: number;
}

export const CODES = {
  canceled: { wire: 1, http: 499, close: 4499 },
  unknown: { wire: 2, http: 500, close: 1011 },
  invalid_argument: { wire: 3, http: 400, close: 1008 },
  deadline_exceeded: { wire: 4, http: 504, close: 4504 },
  not_found: { wire: 5, http: 404, close: 4404 },
  already_exists: { wire: 6, http: 409, close: 4409 },
  permission_denied: { wire: 7, http: 403, close: 4403 },
  resource_exhausted: { wire: 8, http: 429, close: 4429 },
  failed_precondition: { wire: 9, http: 400, close: 4400 },
  aborted: { wire: 10, http: 409, close: 4409 },
  out_of_range: { wire: 11, http: 400, close: 1008 },
  unimplemented: { wire: 12, http: 501, close: 4501 },
  internal: { wire: 13, http: 500, close: 1011 },
  unavailable: { wire: 14, http: 503, close: 1013 },
  data_loss: { wire: 15, http: 500, close: 1011 },
  unauthenticated: { wire: 16, http: 401, close: 4401 },
} as const;

/** A status code: the stable, machine-readable kind of a failure. */
export type Code = keyof typeof CODES;

export interface ReasonRow {
  readonly code: Code;
  /** True if the request was certainly not executed, so that it is safe to send it again. */
  readonly retryable: boolean;
  /** HTTP status where it differs from the code's. */
  readonly http?: number;
  /** One line for people: what happened. */
  readonly text: string;
}

export const REASONS = {
  NO_RESPONDERS: { code: "unavailable", retryable: true, text: "nobody serves this subject" },
  WORKER_LOST: {
    code: "unavailable",
    retryable: false,
    http: 502,
    text: "the worker was lost while it held the request, which may have been executed",
  },
  DEADLINE: {
    code: "deadline_exceeded",
    retryable: false,
    text: "the deadline passed before an answer arrived",
  },
  CALLER_GONE: { code: "canceled", retryable: false, text: "the caller canceled the request or left" },
  QUEUE_FULL: {
    code: "resource_exhausted",
    retryable: true,
    http: 503,
    text: "all workers are busy and the queue of the group is full",
  },
  IN_FLIGHT_FULL: {
    code: "resource_exhausted",
    retryable: true,
    http: 503,
    text: "too many requests are in flight",
  },
  SLOW_CONSUMER: {
    code: "resource_exhausted",
    retryable: false,
    http: 503,
    text: "the peer does not read fast enough",
  },
  DRAINING: { code: "unavailable", retryable: true, text: "the peer is shutting down and takes nothing new" },
  CLOSED: { code: "failed_precondition", retryable: false, http: 503, text: "the peer was closed" },
  NOT_CONNECTED: { code: "unavailable", retryable: true, text: "there is no connection to the hub" },
  CONNECTION_LOST: {
    code: "unavailable",
    retryable: false,
    http: 502,
    text: "the connection was lost while the request was under way; it may have been executed",
  },
  HEARTBEAT_LOST: { code: "unavailable", retryable: false, text: "the peer stopped answering pings" },
  BAD_SUBJECT: { code: "invalid_argument", retryable: false, text: "not a legal subject or pattern" },
  BAD_HEADER: { code: "invalid_argument", retryable: false, text: "not a legal header name or value" },
  BAD_PAYLOAD: {
    code: "invalid_argument",
    retryable: false,
    text: "the payload does not match its content type",
  },
  UNSUPPORTED_MEDIA_TYPE: {
    code: "invalid_argument",
    retryable: false,
    http: 415,
    text: "the charset or content coding of the payload is not supported",
  },
  BAD_FRAME: { code: "invalid_argument", retryable: false, text: "the bytes violate the wire protocol" },
  BAD_VERSION: { code: "failed_precondition", retryable: false, text: "no common protocol version" },
  TOO_LARGE: {
    code: "resource_exhausted",
    retryable: false,
    http: 413,
    text: "the payload is over the limit",
  },
  TOO_MANY: { code: "resource_exhausted", retryable: false, text: "a per-connection limit was exceeded" },
  STREAMS_UNSUPPORTED: {
    code: "unimplemented",
    retryable: false,
    text: "the message carries streams or channels, which its receiver does not support",
  },
  OPTION_UNSUPPORTED: {
    code: "unimplemented",
    retryable: false,
    text: "the engine cannot keep an option of the registration",
  },
  ENABLE_UNSUPPORTED: {
    code: "unimplemented",
    retryable: false,
    text: "this hub does not take enablements",
  },
  DESCRIPTORS_UNSUPPORTED: {
    code: "unimplemented",
    retryable: false,
    text: "a socket or file cannot be passed on this connection, and its sender does not allow it to be streamed instead",
  },
  NOT_ACCEPTED: {
    code: "failed_precondition",
    retryable: false,
    text: "the handler answered instead of accepting the channel",
  },
  HANDLER_FAILED: { code: "internal", retryable: false, text: "the handler failed; its log says why" },
  BAD_ANSWER: {
    code: "internal",
    retryable: false,
    http: 502,
    text: "the worker's answer cannot be sent to the caller",
  },
  SOURCE_FAILED: { code: "aborted", retryable: false, http: 502, text: "the source of the stream failed" },
  BAD_REQUEST: { code: "invalid_argument", retryable: false, text: "not a legal HTTP request" },
  URI_TOO_LONG: { code: "invalid_argument", retryable: false, http: 414, text: "the URL is over the limit" },
  HEADERS_TOO_LARGE: {
    code: "resource_exhausted",
    retryable: false,
    http: 431,
    text: "the headers are over the limit",
  },
  METHOD_NOT_ALLOWED: {
    code: "unimplemented",
    retryable: false,
    http: 405,
    text: "the route does not allow this method",
  },
  NO_SUCH_ANSWER: {
    code: "not_found",
    retryable: false,
    text: "there is no answer here: the id is unknown, or the answer was fetched already or has expired",
  },
  NO_SUCH_JOB: {
    code: "not_found",
    retryable: false,
    text: "no job has this id: it was never handed out, or ended long ago",
  },
  JOB_ENDED: {
    code: "already_exists",
    retryable: false,
    text: "the job has already been answered or given back",
  },
  LEASE_EXPIRED: {
    code: "aborted",
    retryable: false,
    http: 410,
    text: "the lease of the job ran out before it was answered",
  },
  JOB_WITHDRAWN: {
    code: "canceled",
    retryable: false,
    http: 410,
    text: "the answer is no longer wanted: the caller left, or the deadline passed",
  },
  UNAUTHENTICATED: {
    code: "unauthenticated",
    retryable: false,
    text: "there are no credentials, or they are not valid",
  },
  PERMISSION_DENIED: {
    code: "permission_denied",
    retryable: false,
    text: "these credentials do not allow it",
  },
  INSECURE_LISTEN: {
    code: "failed_precondition",
    retryable: false,
    text: "a hub without access does not listen where other machines can reach it",
  },
  ACCESS_UNAVAILABLE: {
    code: "unavailable",
    retryable: true,
    text: "the access check failed, so nothing was done; the hub's log says why",
  },
  RATE_LIMITED: {
    code: "resource_exhausted",
    retryable: true,
    text: "these credentials have used up what they may send for now; the details say when to come again",
  },
  QUOTA_EXCEEDED: {
    code: "resource_exhausted",
    retryable: true,
    text: "these credentials have in use as many as they may at a time",
  },
  TOO_MANY_ATTEMPTS: {
    code: "resource_exhausted",
    retryable: true,
    text: "too many credentials from this address were not valid; these were not looked at",
  },
  REQUEST_TIMEOUT: {
    code: "deadline_exceeded",
    retryable: true,
    http: 408,
    text: "the HTTP request did not arrive in time",
  },
} as const;

/** A reason Lintel itself gives. Handlers may use others of their own: `[A-Z0-9_]`, at most 64 characters. */
export type Reason = keyof typeof REASONS;

const CODE_ROWS: Readonly<Record<Code, CodeRow>> = CODES;
const REASON_ROWS: ReadonlyMap<string, ReasonRow> = new Map(Object.entries(REASONS));

/** True for one of the codes of the table. */
export function isCode(name: unknown): name is Code {
  return typeof name === "string" && Object.hasOwn(CODES, name);
}

/** HTTP status for a failure: the reason's own where the table has one, else the code's. */
export function httpStatus(failure: { readonly code: Code; readonly reason: string }): number {
  const row = REASON_ROWS.get(failure.reason);
  if (row?.http !== undefined && row.code === failure.code) return row.http;
  return CODE_ROWS[failure.code].http;
}

/** True for a reason that Lintel itself gives. */
export function isOwnReason(reason: string): reason is Reason {
  return REASON_ROWS.has(reason);
}

const REASON = /^[A-Z0-9_]{1,64}$/;

/** True for text that may be a reason, Lintel's or a handler's own. */
export function isReason(text: string): boolean {
  return REASON.test(text);
}

/** A reason from outside, or the code in upper case if that is not a legal reason. */
export function reasonOr(named: string | undefined, code: Code): string {
  return named !== undefined && REASON.test(named) ? named : code.toUpperCase();
}
