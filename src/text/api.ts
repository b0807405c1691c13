/** What `lintel/text` has everywhere, besides what connects. */
import type { LintelError } from "../message/failure.ts";
import type { Duration } from "../message/quantity.ts";
import type { TextMessage } from "./message.ts";
import type { TextHeaderList, TextHeadersInit } from "./text-headers.ts";

export { LintelError, type LintelErrorOptions } from "../message/failure.ts";
export type { Code, Reason } from "../message/status.ts";
export type { Duration } from "../message/quantity.ts";
export { decodeText, encodeText, isMalformed, type MalformedText, type TextMessage } from "./message.ts";
export type { TextHeaders } from "./message.ts";
export type { TextHeaderList, TextHeadersInit } from "./text-headers.ts";

/** The key of a client: a text, or a function that is asked for it before each attempt to connect. */
export type TextKey = string | (() => string | Promise<string>);

export interface ConnectTextOptions {
  /** Shown to the server first. Without `access` a hub takes any. Default: `anonymous`. */
  readonly key?: TextKey;
  /** How long to try for the first connection. Default 10 seconds; later ones are retried for ever. */
  readonly connectTimeout?: Duration;
  /** Timeout of requests that name none. Default 30 seconds. */
  readonly timeout?: Duration;
  /**
   * Told what no promise tells: refusals by the server, errors of your handlers, why a connection could not be made again.
   * Default: the console.
   */
  readonly onError?: (error: unknown, where: string) => void;
  /** Told whenever the connection is there, or lost and why. */
  readonly onState?: (state: TextState, why?: LintelError) => void;
  /** Told each message that comes, as it is. With an observer's key that is a copy of every message of the hub. */
  readonly onMessage?: (message: TextMessage) => unknown;
}

export type TextState = "connected" | "connecting" | "closed";

/** A message that has come. */
export interface ReceivedText {
  readonly target: string;
  readonly headers: TextHeaderList;
  readonly body: string;
  /** The GUID of the connection that sent it, and the user that a service has given to that connection: stamped by the server. */
  readonly cid: string;
  readonly uid: string;
  /** The body as JSON. Throws a SyntaxError where it is none. */
  json(): unknown;
}

/** What a handler of requests answers: a body alone, or with headers. */
export type TextAnswer = string | undefined | { readonly body?: string; readonly headers?: TextHeadersInit };

export interface TextRequestOptions {
  readonly headers?: TextHeadersInit;
  readonly timeout?: Duration;
  readonly signal?: AbortSignal;
}

export interface TextServeOptions {
  /** Requests at a time; more wait at the server. */
  readonly concurrency?: number;
}

export interface TextContext {
  /** Fires when the answer is no longer wanted: the caller has left, the deadline has passed, or the connection is lost. */
  readonly signal: AbortSignal;
}

export type TextHandler = (message: ReceivedText) => unknown;

export type TextServiceHandler = (
  message: ReceivedText,
  context: TextContext,
) => TextAnswer | Promise<TextAnswer>;

/** Undoes what has returned it. */
export interface TextHandle {
  close(): void;
}

/** A connection that is made again whenever it is lost, with its subscriptions, services and enablements. */
export interface TextPeer {
  /** The name of the connection, which every message from here carries as `cid`. Another one after each reconnect. */
  readonly guid: string;
  readonly state: TextState;
  /** Bytes that wait to be sent. With more than 16 MiB, `publish` and `request` fail as `SLOW_CONSUMER`. */
  readonly buffered: number;
  /** Sends to every subscriber. Throws `NOT_CONNECTED` while there is no connection. */
  publish(target: string, body?: string, headers?: TextHeadersInit): void;
  /**
   * Calls the handler with what is published, until it is closed. When the server refuses it, `onError` is told, and the server is
   * asked again from time to time: a service may enable it yet.
   */
  subscribe(target: string, handler: TextHandler): TextHandle;
  /** Calls the handler with what is sent to this connection alone, `MSG:<guid>`. */
  onPrivate(handler: TextHandler): TextHandle;
  /**
   * Asks one service. Rejects with a LintelError when the service fails, when the timeout is over, and at once when the connection
   * is lost or there is none; with the reason of the signal when that fires.
   */
  request(target: string, body?: string, options?: TextRequestOptions): Promise<ReceivedText>;
  /** Answers requests from now on. A LintelError that the handler throws reaches the caller. */
  serve(target: string, handler: TextServiceHandler, options?: TextServeOptions): void;
  /** Lets clients publish, or subscribe, for as long as this service is connected. */
  enablePublish(target: string): void;
  enableSubscribe(target: string): void;
  /** Gives a connection the name of a user, which its messages carry as `uid`. Only for services. */
  setUid(cid: string, uid: string): void;
  /** Ends the connection, and makes no other; requests under way fail as `CLOSED`. */
  close(): void;
}
