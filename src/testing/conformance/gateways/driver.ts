/**
 * What the matrix of gateways runs over: one driver for each gateway. A driver says what programs at its gateway can do, and
 * connects such programs, which speak the gateway's protocol as programs of other people do.
 */
import type { Hub } from "../../../hub/hub.ts";
import type { EnabledVerb } from "../../../message/delivery.ts";
import type { Payload, SampleName } from "./payload.ts";

/** True, or why not. */
export type Ability = true | string;

/** What arrives of a sample that its receiver has no form for. `as` says it to people. */
export interface Converted {
  readonly as: string;
  readonly payload: Payload;
}

/** A sample that its receiver has no form for, and that is not sent on: whoever has asked for that is told this reason. */
export interface Refused {
  readonly refused: string;
}

/** True: a sample arrives as it is. A string: it cannot come at all, for this reason. */
export type Arrival = Ability | Converted | Refused;

/** Members of a failure that a program can say, or is told. */
export const FAILURE_MEMBERS = ["code", "reason", "message"] as const;
export type FailureMember = (typeof FAILURE_MEMBERS)[number];

/** What programs at a gateway can do. */
export interface GatewaySupports {
  readonly request: Ability;
  readonly serve: Ability;
  readonly publish: Ability;
  readonly subscribe: Ability;
  /** A service enables clients to do this. */
  readonly enable: Readonly<Record<EnabledVerb, Ability>>;
  /** A program with the credentials of a client does this once it is enabled. */
  readonly use: Readonly<Record<EnabledVerb, Ability>>;
  /** As the payload of a request or a publication. */
  readonly sends: Readonly<Record<SampleName, Ability>>;
  readonly answers: Readonly<Record<SampleName, Ability>>;
  /** As a worker or a subscriber. */
  readonly receives: Readonly<Record<SampleName, Arrival>>;
  /** As a caller. */
  readonly isAnswered: Readonly<Record<SampleName, Arrival>>;
  /** Requests, publications and answers carry headers of the program, and it sees those of others. */
  readonly headers: Ability;
  /** A caller says how long a request may take. */
  readonly limitsTime: Ability;
  /** A caller takes one request back, and goes on. */
  readonly withdraws: Ability;
  /** A worker sees how long its caller waits. */
  readonly seesTime: Ability;
  /** A worker is told that its caller waits no longer. */
  readonly seesEnd: Ability;
  /** A worker that leaves takes the requests that it holds with it, and no others. */
  readonly leaves: Ability;
  /** A subscriber takes its subscription back. */
  readonly unsubscribes: Ability;
  /** Of the failure of a job. */
  readonly fails: readonly FailureMember[];
  /** Of the failure of a request. */
  readonly isTold: readonly FailureMember[];
}

export type GatewayRole = "service" | "client";

export interface GatewayDriver {
  readonly name: string;
  readonly supports: GatewaySupports;
  connect(hub: MatrixHub, role: GatewayRole, purpose: Purpose): Promise<Program>;
}

/** What a program is for. */
export interface Purpose {
  /** Of a relation: a caller is the first, its worker the second. */
  readonly side: "from" | "to";
  /**
   * The case is going to end the program. Where only a time tells that a program is lost, it is to be short then, and long for
   * all others, which may have to wait for each other.
   */
  readonly isMortal: boolean;
}

/** The hub of the matrix. A service may do everything below `x`; a client may do what is enabled. */
export interface MatrixHub extends AsyncDisposable {
  readonly hub: Hub;
  /** The API key of programs with this role. */
  readonly keyOf: (role: GatewayRole) => string;
  /** Resolves when so many serve the pattern, subscribe to it, or enable clients to do it. */
  readonly counted: (what: Counted, pattern: string, count: number) => Promise<void>;
}

export type Counted = "service" | "subscription" | EnabledVerb;

export type Headers = Readonly<Record<string, string>>;

export interface Sent {
  readonly payload: Payload;
  readonly headers?: Headers;
}

export interface Received {
  readonly payload: Payload;
  readonly headers: Headers;
}

export type FailureSeen = Readonly<Partial<Record<FailureMember, string>>>;

export type Outcome = { readonly answer: Received } | { readonly failure: FailureSeen };

/** A request under way. */
export interface Asked {
  /** Never rejects for what the hub or a worker says. */
  readonly outcome: Promise<Outcome>;
  /** The caller takes the request back. */
  leave(): void;
}

export interface Job extends Received {
  /** Milliseconds that were left when it came; undefined where a worker is not told. */
  readonly timeLeft: number | undefined;
  answer(sent: Sent): Promise<void> | void;
  fail(failure: Required<FailureSeen>): Promise<void> | void;
  /** Resolves when the caller waits no longer, with the reason where a worker is told it. */
  ended(): Promise<string | undefined>;
}

export interface WorkerService {
  /** The next job. */
  next(): Promise<Job>;
  /** Takes no further jobs. A program that can say so only by leaving leaves. */
  close(): Promise<void>;
}

export interface Listening {
  /** Publications that have come and were not taken. */
  readonly waiting: number;
  /** The next publication. */
  next(): Promise<Received>;
  close(): Promise<void>;
}

/** A program that is connected. It has what `supports` says. */
export interface Program extends AsyncDisposable {
  request?(subject: string, sent: Sent, timeoutMs?: number): Asked;
  /** Resolves when jobs can come. */
  serve?(subject: string): Promise<WorkerService>;
  /** Resolves when it is sent; rejects where the hub says that it was refused. */
  publish?(subject: string, sent: Sent): Promise<void>;
  /** Resolves when publications can come. Rejects when it is refused. */
  subscribe?(subject: string): Promise<Listening>;
  /** Resolves when clients may. It holds until the program is gone. */
  enable?(verb: EnabledVerb, subject: string): Promise<void>;
  /** It is gone, without a word: killed, or cut off. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** All samples, as they are. */
export const EVERY_SAMPLE: Readonly<Record<SampleName, true>> = {
  "a text": true,
  "a JSON object": true,
  "a list of texts": true,
  "a number of 20 digits": true,
  bytes: true,
  nothing: true,
};

/** No verb, for this reason. */
export function noVerb(reason: string): Readonly<Record<EnabledVerb, string>> {
  return { request: reason, publish: reason, subscribe: reason };
}
