/**
 * The limits that the owner of a hub or a peer can set, and their defaults. Sizes are bytes, times are milliseconds. Bounds
 * that nobody sets are constants beside the code that keeps them; `docs/ARCHITECTURE.md` lists them all.
 */

/** Longest subject or pattern. Part of the protocol: not configurable. */
export const MAX_SUBJECT = 255;
/** Longest header block. Its length travels in 16 bits: not configurable upwards. */
export const MAX_HEADERS = 65_535;
/** Longest timeout, about 24 days: what fits a timer of the platform. */
export const MAX_TIMEOUT = 2_147_483_647;

export interface Limits {
  /** Largest payload of a message. */
  readonly payload: number;
  /** Largest header block of a message, at most 65,535. */
  readonly headers: number;
  /** Timeout of a request that names none. */
  readonly timeout: number;
  /** Requests in flight in one broker, queued ones included. Past it: `IN_FLIGHT_FULL`. */
  readonly inFlight: number;
  /** Requests one session has in flight: no peer can use up the whole table. Past it: `IN_FLIGHT_FULL`. */
  readonly sessionInFlight: number;
  /**
   * Bytes of HTTP request bodies, of all gateways of a hub, that have arrived and whose requests have no outcome yet. Past it:
   * `IN_FLIGHT_FULL`.
   */
  readonly httpBodies: number;
  /** Requests waiting for a free worker, in one queue group. Past it: `QUEUE_FULL`. */
  readonly queue: number;
  /**
   * Bytes of requests that a hub keeps: those that wait for a free worker, those that polling workers hold, and those that
   * may be handed out again. Past it: `QUEUE_FULL`.
   */
  readonly queueBytes: number;
  /**
   * What one caller may have of each bound that is for all callers of a hub, in percent; from 100 on there is only the bound
   * for all. A caller is an address; on the hub's own machine each session.
   */
  readonly callerShare: number;
  /** Requests one worker holds at a time when it names no number. */
  readonly concurrency: number;
  /**
   * Bytes waiting to be written to one session. Past it publications to it are dropped; past an eighth of it requests and
   * answers for it wait where they are.
   */
  readonly sessionBuffer: number;
  /** Bytes of answers waiting in all sessions of a hub together. Past it, sessions that answer a full session are held back. */
  readonly sessionBuffers: number;
  /** A session that is full and takes nothing for this long is ended. */
  readonly stallTimeout: number;
  /** Subjects one peer may have bound at a time on one session. */
  readonly bindings: number;
  /** Services and subscriptions one session may hold. */
  readonly registrations: number;
  /** Streams the other end of a session may have open at a time. */
  readonly streams: number;
  /** Sessions one hub accepts. */
  readonly sessions: number;
  /** A session that has not said hello by then is closed. */
  readonly helloTimeout: number;
  /** A quiet session is pinged after this long. */
  readonly heartbeat: number;
  /** A pinged session that stays quiet this long more is lost. */
  readonly heartbeatTimeout: number;
}

export const DEFAULT_LIMITS: Limits = {
  payload: 1_048_576,
  headers: 32_768,
  timeout: 30_000,
  inFlight: 262_144,
  sessionInFlight: 65_536,
  httpBodies: 268_435_456,
  queue: 1_000,
  queueBytes: 201_326_592,
  callerShare: 25,
  concurrency: 256,
  sessionBuffer: 8_388_608,
  sessionBuffers: 134_217_728,
  stallTimeout: 5_000,
  bindings: 4_096,
  registrations: 4_096,
  streams: 2_048,
  sessions: 65_536,
  helloTimeout: 5_000,
  heartbeat: 2_500,
  heartbeatTimeout: 2_500,
};
