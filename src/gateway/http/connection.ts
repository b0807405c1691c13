/** One caller's connection and the exchanges under way on it. */
import type { Admitted } from "../../access/admission.ts";
import type { Quota } from "../../access/quota/quota.ts";
import { callerAt } from "../../message/caller.ts";
import { LintelError, type Failure } from "../../message/failure.ts";
import type { Origin } from "../../message/origin.ts";
import type { PeerCertificate } from "../../message/peer-identity.ts";
import type { ListenerAddress } from "../../transport/origins.ts";
import type { Delivery, HttpCall } from "../http-api.ts";
import type { BodyBuffer } from "./body-buffer.ts";
import type { Problem } from "./problem.ts";
import type { Target } from "./router.ts";

/** As much of a request as the gateway reads: node's own, or one made of another form of request. */
export interface Incoming {
  readonly method?: string | undefined;
  readonly httpVersionMajor: number;
  readonly httpVersionMinor: number;
  /** Names and values in turn. */
  readonly rawHeaders: readonly string[];
  /** True when nothing more of it will come. */
  readonly complete: boolean;
  on(event: "data", listener: (piece: Buffer) => void): unknown;
  on(event: "end", listener: () => void): unknown;
  /** Gives no more data until `resume`. */
  pause(): unknown;
  /** Goes on after `pause`; else reads and drops what is left of the body. */
  resume(): unknown;
}

/** As much of a response as the gateway writes. */
export interface Outgoing {
  writeContinue(): void;
  writeHead(status: number, headers: string[]): unknown;
  /** A string holds one byte per character. */
  end(body: string, encoding: "latin1"): unknown;
  end(body?: Uint8Array): unknown;
  /** Sends the head before the first piece of the body. */
  flushHeaders(): void;
  /** Sends a piece of the body; a string is ASCII. False when that is enough for now: "drain" follows. */
  write(piece: string | Uint8Array): boolean;
  /** Sends a piece of the body; a string holds one byte per character. */
  write(piece: string, encoding: "latin1"): boolean;
  /** Where it goes; null while others are sent before it. */
  readonly socket?: { readonly writableLength: number; cork(): void; uncork(): void } | null;
  /** To be called before `end`. */
  addTrailers(trailers: readonly [name: string, value: string][]): void;
  readonly writableNeedDrain: boolean;
  on(event: "drain", listener: () => void): unknown;
}

/** A request body that comes in as a stream. */
export interface IncomingStream {
  readonly exchange: Exchange;
  /** True if the other side waits for the caller. */
  readonly isAwaited: boolean;
  /** The exchange is over: what is still to come is dropped. */
  stop(): void;
  /** The connection is over. */
  forget(): void;
}

/** Bytes of unread answers past which a connection's next requests wait. */
const UNREAD_MARK = 1_048_576;

/** What a connection does besides carrying requests and responses. */
export interface ConnectionDriver {
  /** Where the gateway's own paths begin for the caller: empty, or the path under which an app has it. */
  readonly base: string;
  /** False if what is sent would not reach the caller. */
  readonly isOpen: boolean;
  /** Where the caller has connected to. */
  readonly at: ListenerAddress;
  /** The caller's address; undefined where it is not known. */
  readonly remote: string | undefined;
  readonly isSecure: boolean;
  /** The caller's, where it has shown one and it was verified. */
  readonly certificate?: PeerCertificate | undefined;
  /** Reads no more requests until `resume`. */
  pause(): void;
  resume(): void;
  /** The caller has ended its side, and may have left. `onCleared` is called when it is there for all that is known. */
  ended(connection: HttpConnection, onCleared: () => void): void;
  /** Sends a problem as the last response, behind `before`, and does not wait for the rest of the request. */
  refuse(problem: Problem, withBody: boolean, before: Outgoing | undefined): void;
  /** Ends at once. */
  cut(): void;
  /** Ends behind a response. One that is not whole is broken off so that the caller can tell. */
  end(response: Outgoing, isWhole: boolean): void;
  /** Tells what happens to a response that has been written. */
  watch(response: Outgoing, delivery: Delivery): void;
  /** Gives a request to the gateway for native sessions; false when it is not for that. */
  handOver(exchange: Exchange): boolean;
  /** The connection is over. */
  closed(): void;
}

/** A request that an API answers. */
export interface PendingCall extends HttpCall {
  body: Uint8Array;
  /** The body is there: gives the call to its API. */
  begin(): void;
  /** The caller has left, or is answered by others. */
  gone(): void;
  /** `isOpen` has changed, for a caller that has ended its side. */
  changed(): void;
}

/**
 * One request and its response.
 *
 * | state     | meaning                                 | next                                     |
 * |-----------|-----------------------------------------|------------------------------------------|
 * | arrived   | too many before it on the connection    | receiving, done (refused, caller gone)   |
 * | receiving | its body is on the way                  | running, done (refused, caller gone)     |
 * | running   | the engine has it, or an async answer   | streaming, done (answered, failed, gone) |
 * | streaming | its head is written, its body is coming | done (complete, failed, caller gone)     |
 * | done      | answered, given up, or given away       |                                          |
 */
export class Exchange {
  readonly connection: HttpConnection;
  readonly request: Incoming;
  readonly response: Outgoing;
  /** The request target as the gateway is to read it. */
  readonly url: string;
  /** The caller waits for `100 Continue` before it sends the body. */
  readonly expectsContinue: boolean;
  /** The response that goes out before this one. */
  before: Outgoing | undefined;
  /** By the gateway's clock; 0 if it is not needed. */
  readonly startedAt: number;
  state: "arrived" | "receiving" | "running" | "streaming" | "done" = "arrived";
  /** The principal that sent it, or why it is unknown. Undefined before the check. */
  admission: Admitted | Failure | undefined;
  path = "";
  head = "";
  target: Target | undefined;
  /** What a log says it was about, where it has no target. */
  subject: string | undefined;
  /** The page of another origin that sent it and may read the answer. */
  page: string | undefined;
  /** Set when an API answers it. */
  call: PendingCall | undefined;
  body: BodyBuffer | undefined;
  /** How the body is compressed, if it is. */
  coding: string | undefined;
  /** Bytes of the budget that its body has taken. */
  held = 0;
  /** Value of the Prefer header. */
  prefer: string | undefined;
  /** Value of the Preference-Applied header. */
  applied: string | undefined;
  /** An engine was asked: it tells of the outcome. */
  isAsked = false;
  /** Number of the request at the gateway's sink, -1 when it has none. */
  tag = -1;
  /** Number of the request at the engine. */
  handle = 0;
  /** The answer that is kept for this exchange should it take too long. */
  answerId: string | undefined;
  /** The body, when it is a stream. */
  upload: IncomingStream | undefined;
  /** The answer, when it is a stream. */
  stream: { leave(): void; abort(why: Failure, told?: Failure): void } | undefined;

  constructor(
    connection: HttpConnection,
    request: Incoming,
    response: Outgoing,
    url: string,
    expectsContinue: boolean,
    startedAt: number,
  ) {
    this.connection = connection;
    this.request = request;
    this.response = response;
    this.url = url;
    this.expectsContinue = expectsContinue;
    this.startedAt = startedAt;
    this.before = connection.last;
  }

  /** Where it comes from, for observers. */
  get origin(): Origin {
    const { admission, connection } = this;
    const principal = admission === undefined || "code" in admission ? undefined : admission.principal;
    return { gateway: "http", remote: connection.driver.remote, principal };
  }

  /** The principal that sent it. Use it only after admission. */
  get admitted(): Admitted {
    if (this.admission === undefined || "code" in this.admission)
      throw new LintelError("internal", "a request is answered before its sender was let in");
    return this.admission;
  }

  /** Why its principal's credentials are no longer good; undefined while they are, or before they are known. */
  get ended(): Failure | undefined {
    return this.admission === undefined || "code" in this.admission ? undefined : this.admission.ended;
  }

  /** What its principal may use, where that is limited and it is known. */
  get quota(): Quota | undefined {
    return this.admission === undefined || "code" in this.admission ? undefined : this.admission.quota;
  }

  get isDone(): boolean {
    return this.state === "done";
  }
}

/**
 * | state    | meaning                                                                  | next             |
 * |----------|--------------------------------------------------------------------------|------------------|
 * | open     | requests are taken                                                       | all others       |
 * | taken    | the gateway for sessions answers; nothing may come meanwhile                | open, closed     |
 * | refusing | the last response is on its way, or broken off; nothing more is read     | closed           |
 * | closed   | the caller has left                                                      |                  |
 */
export class HttpConnection {
  readonly driver: ConnectionDriver;
  state: "open" | "taken" | "refusing" | "closed" = "open";
  /** Exchanges begun and not done. */
  readonly pending: Exchange[] = [];
  /** Exchanges that have arrived and not begun. At the most what one read of the socket can hold: it is paused then. */
  readonly waiting: Exchange[] = [];
  /** Responses that are decided and wait for the end of the turn: the caller is not the slow side. */
  unsent = 0;
  /** Bytes of whole answers that wait for the caller to read. */
  unread = 0;
  /** Called when the connection ends with answers that were not read. */
  onUnreadDropped: (() => void) | undefined = undefined;
  /** The caller has ended its side: no request follows. */
  hasEnded = false;
  /** The exchange that arrived last. */
  newest: Exchange | undefined;
  /** The response that goes out last. */
  last: Outgoing | undefined;
  /** The body that is coming in as a stream. */
  upload: IncomingStream | undefined;
  /** True while exchanges that waited are being begun. */
  beginning = false;
  #caller: string | undefined;

  constructor(line: ConnectionDriver) {
    this.driver = line;
  }

  /** The caller that everything on it counts for. */
  get caller(): string {
    this.#caller ??= callerAt(this.driver.remote);
    return this.#caller;
  }

  /** True when one more request may begin: `most` at a time, and none while much of what was answered is unread. */
  hasRoom(most: number): boolean {
    return this.pending.length + this.unsent < most && this.unread < UNREAD_MARK;
  }

  /** Notes a request in its order. */
  arrived(exchange: Exchange): void {
    this.newest = exchange;
    this.last = exchange.response;
  }

  /** Takes an exchange that is done off the list. */
  remove(exchange: Exchange): void {
    const { pending } = this;
    const index = pending.indexOf(exchange);
    if (index < 0) return;
    const moved = pending.pop()!;
    if (index < pending.length) pending[index] = moved;
  }

  /** Sends a last response when everything before it has gone out, then closes. */
  refuse(problem: Problem, withBody: boolean, before: Outgoing | undefined): void {
    if (this.state !== "open") return;
    this.state = "refusing";
    this.waiting.length = 0;
    this.driver.refuse(problem, withBody, before);
  }

  /** The response under way has been broken off: nothing else can be sent. */
  breakOff(response: Outgoing): void {
    if (this.state === "open") this.state = "refusing";
    this.waiting.length = 0;
    this.driver.end(response, false);
  }

  /** The caller has ended its side: it gets the answers to what it has asked, unless it has left altogether. */
  ended(): void {
    this.hasEnded = true;
    const changed = (): void => {
      for (const { call } of this.pending.slice()) call?.changed();
    };
    this.driver.ended(this, changed);
    changed();
  }

  /** To be called when the caller has left. */
  closed(): void {
    this.state = "closed";
    this.waiting.length = 0;
    this.newest = undefined;
    this.last = undefined;
    this.upload?.forget();
    this.onUnreadDropped?.();
    this.unread = 0;
    this.driver.closed();
  }
}
