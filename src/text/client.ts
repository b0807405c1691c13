/** The client of the text protocol: one connection at a time, made again for ever. */
import { LintelError } from "../message/failure.ts";
import {
  aFunction,
  checkArgument,
  checkOptions,
  millisecondsOf,
  signal,
  text,
  wholeNumber,
} from "../message/options.ts";
import { urlText } from "../message/url-text.ts";
import { systemClock } from "../runtime/clock.ts";
import { defer } from "../runtime/deferred.ts";
import { Redialer } from "../runtime/redialer.ts";
import type {
  ConnectTextOptions,
  ReceivedText,
  TextHandle,
  TextHandler,
  TextPeer,
  TextRequestOptions,
  TextServeOptions,
  TextServiceHandler,
  TextState,
} from "./api.ts";
import {
  decodeText,
  encodeText,
  headerOf,
  isMalformed,
  type TextHeaders,
  type TextMessage,
} from "./message.ts";
import { PendingRequests } from "./pending.ts";
import { complaintOf, failureIn, received, refusalOf, withdrawalOf } from "./received.ts";
import { TextServices } from "./services.ts";
import { StandingCommands, type TextTimes } from "./standing.ts";
import { dialText, type OpenSocket, type TextLine } from "./socket.ts";
import { pairsOf, type TextHeadersInit } from "./text-headers.ts";

/** What may wait to be sent before more is refused. */
const MAX_BUFFERED = 16_777_216;
/** Requests that may wait for answers. */
const MAX_PENDING = 65_536;
const MAX_CONCURRENCY = 999_999_999;

const PLATFORM: TextTimes = { clock: systemClock, random: Math.random };

/** Connects, as `connectText` of the platform. */
export async function connectWith(
  open: OpenSocket,
  url: string,
  options: ConnectTextOptions = {},
  times: TextTimes = PLATFORM,
): Promise<TextPeer> {
  checkArgument("connectText", "the URL", url, text);
  checkOptions("connectText", options, {
    key: (value) =>
      typeof value === "string" || typeof value === "function"
        ? undefined
        : "a string, or a function that gives one",
    onError: aFunction,
    onState: aFunction,
    onMessage: aFunction,
  });
  const client = new TextClient(open, urlOf(url), options, times);
  await client.start(millisecondsOf("connectText: connectTimeout", options.connectTimeout ?? 10_000));
  return client;
}

/** The URL, which asks for the greeting with a GUID. Throws a TypeError for what is none. */
function urlOf(url: string): string {
  if (!/^wss?:\/\/./i.test(url) || !URL.canParse(url))
    throw new TypeError(`"${urlText(url)}" is not of the form ws://HOST:PORT/PATH`);
  const dialed = new URL(url);
  dialed.searchParams.set("greeting", "two");
  dialed.hash = "";
  return dialed.href;
}

class TextClient implements TextPeer {
  readonly #url: string;
  readonly #options: ConnectTextOptions;
  readonly #times: TextTimes;
  readonly #timeoutMs: number;
  readonly #pending: PendingRequests;
  readonly #services: TextServices;
  readonly #redialer: Redialer<TextLine>;
  readonly #handlers = new Map<string, Set<TextHandler>>();
  readonly #private = new Set<TextHandler>();
  readonly #standing: StandingCommands;
  readonly #first = defer();
  #hasBeenConnected = false;
  #state: TextState = "connecting";
  #line: TextLine | undefined;
  /** Why the last attempt failed. */
  #failure: LintelError | undefined;

  constructor(open: OpenSocket, url: string, options: ConnectTextOptions, times: TextTimes) {
    const { key = "anonymous", timeout = 30_000 } = options;
    this.#url = url;
    this.#options = options;
    this.#times = times;
    this.#timeoutMs = millisecondsOf("connectText: timeout", timeout);
    this.#pending = new PendingRequests(times.clock);
    this.#standing = new StandingCommands(times, (frame) => this.#line?.send(frame));
    this.#services = new TextServices(
      (target, headers, body) => this.#answer(target, headers, body),
      (error, where) => this.#report(error, where),
    );
    this.#redialer = new Redialer({
      ...times,
      dial: (aborting) => dialText({ open, url, key }, aborting),
      discard: (line) => line.close(LintelError.of("CLOSED")),
      onOpened: (line) => this.#opened(line),
      onFailed: (error) => this.#failed(error),
    });
  }

  get guid(): string {
    return this.#line?.guid ?? "";
  }

  get state(): TextState {
    return this.#state;
  }

  get buffered(): number {
    return this.#line?.buffered ?? 0;
  }

  /** Resolves with the first connection. Rejects when there is none in time, or the key is refused. */
  async start(timeoutMs: number): Promise<void> {
    const { clock } = this.#times;
    const timer = clock.after(timeoutMs, () =>
      this.#giveUp(
        this.#failure ??
          LintelError.of("NOT_CONNECTED", `no connection to ${urlText(this.#url)} in ${timeoutMs} ms`),
      ),
    );
    this.#redialer.start();
    try {
      await this.#first.promise;
    } finally {
      clock.clear(timer);
    }
  }

  publish(target: string, body = "", headers?: TextHeadersInit): void {
    this.#send(commandOf("PUB", target, pairsOf(headers), body));
  }

  subscribe(target: string, handler: TextHandler): TextHandle {
    checkArgument("subscribe", "the handler", handler, aFunction);
    this.#say("SUB", target);
    const handlers = this.#handlers.get(target) ?? new Set();
    this.#handlers.set(target, handlers);
    return added(handlers, handler, () => {
      if (handlers.size > 0) return;
      this.#handlers.delete(target);
      this.#standing.remove(`SUB ${target}`);
      this.#line?.send(commandOf("UNS", target));
    });
  }

  onPrivate(handler: TextHandler): TextHandle {
    checkArgument("onPrivate", "the handler", handler, aFunction);
    return added(this.#private, handler, () => undefined);
  }

  async request(target: string, body = "", options: TextRequestOptions = {}): Promise<ReceivedText> {
    checkOptions("request", options, { signal });
    const timeoutMs = millisecondsOf("request option timeout", options.timeout ?? this.#timeoutMs);
    options.signal?.throwIfAborted();
    if (this.#pending.size >= MAX_PENDING) throw LintelError.of("IN_FLIGHT_FULL");
    const id = this.#pending.nextId();
    const headers: TextHeaders = [["ReqID", id], ["Timeout", `${timeoutMs}ms`], ...pairsOf(options.headers)];
    this.#send(commandOf("REQ", target, headers, body));
    return received(await this.#pending.add(id, { target, timeoutMs, signal: options.signal }));
  }

  serve(target: string, handler: TextServiceHandler, options: TextServeOptions = {}): void {
    checkArgument("serve", "the handler", handler, aFunction);
    checkOptions("serve", options, {});
    const headers: [string, string][] = [["Cancel", "yes"]];
    if (options.concurrency !== undefined) {
      const most = wholeNumber("serve option concurrency", options.concurrency, 1, MAX_CONCURRENCY);
      headers.push(["Concurrency", String(most)]);
    }
    commandOf("EREQ", target, headers); // throws for what is no target
    this.#checkOpen();
    this.#services.add(target, handler);
    this.#say("EREQ", target, headers);
  }

  enablePublish(target: string): void {
    this.#say("EPUB", target);
  }

  enableSubscribe(target: string): void {
    this.#say("ESUB", target);
  }

  setUid(cid: string, uid: string): void {
    checkArgument("setUid", "the cid", cid, text);
    checkArgument("setUid", "the uid", uid, text);
    const headers: TextHeaders = [
      ["forcid", cid],
      ["setuid", uid],
    ];
    this.#send(commandOf("INT", "UID", headers));
  }

  close(): void {
    if (this.#state === "closed") return;
    const line = this.#line;
    const why = LintelError.of("CLOSED");
    this.#redialer.stop();
    this.#line = undefined;
    this.#endWork(why);
    this.#enter("closed");
    line?.close(why);
  }

  /** Says it now if there is a connection, and on each later one. */
  #say(command: string, target: string, headers?: TextHeaders): void {
    this.#checkOpen();
    this.#standing.add(`${command} ${target}`, commandOf(command, target, headers));
  }

  /** Says it on this connection. */
  #send(command: string): void {
    this.#checkOpen();
    if (this.#line === undefined) throw LintelError.of("NOT_CONNECTED");
    if (this.#line.buffered > MAX_BUFFERED)
      throw LintelError.of("SLOW_CONSUMER", "the server does not read: too much waits to be sent");
    this.#line.send(command);
  }

  /** Throws what the frame of the answer cannot be made for. */
  #answer(target: string, headers: TextHeaders, body: string): void {
    const command = commandOf("RES", target, headers, body);
    if (this.#line === undefined) return; // its request ended with the connection
    this.#line.send(command);
    if (this.#line.buffered > 2 * MAX_BUFFERED)
      this.#line.close(LintelError.of("SLOW_CONSUMER", "the server asks, and does not read the answers"));
  }

  #checkOpen(): void {
    if (this.#state === "closed") throw LintelError.of("CLOSED");
  }

  #opened(line: TextLine): void {
    this.#line = line;
    this.#failure = undefined;
    this.#hasBeenConnected = true;
    this.#standing.sayAll();
    this.#enter("connected");
    this.#first.resolve();
    line.listen({
      frame: (frame) => this.#frame(frame),
      closed: (why) => this.#lost(line, why),
    });
  }

  #lost(line: TextLine, why: LintelError): void {
    if (this.#line !== line) return; // closed here
    this.#line = undefined;
    this.#redialer.lost();
    this.#endWork(why);
    this.#enter("connecting", why);
  }

  #endWork(why: LintelError): void {
    this.#standing.pause();
    this.#pending.rejectAll(why);
    this.#services.abandon(why);
  }

  #failed(error: unknown): void {
    if (!this.#hasBeenConnected) {
      const isFinal = !(error instanceof LintelError) || error.reason === "UNAUTHENTICATED";
      if (isFinal) return this.#giveUp(error as Error); // of the platform's WebSocket: it will never like the URL
      this.#failure = error;
      return;
    }
    const why = error instanceof LintelError ? error : LintelError.of("NOT_CONNECTED", String(error), error);
    const isNews = this.#failure?.reason !== why.reason;
    this.#failure = why;
    if (isNews) this.#report(why, "the connection"); // not at each attempt
  }

  #giveUp(error: Error): void {
    this.#redialer.stop();
    this.#state = "closed";
    this.#first.reject(error);
  }

  #enter(state: TextState, why?: LintelError): void {
    this.#state = state;
    try {
      this.#options.onState?.(state, why);
    } catch (error) {
      this.#report(error, "onState");
    }
  }

  #frame(frame: string): void {
    const message = decodeText(frame);
    if (isMalformed(message))
      return this.#report(new Error(`${message.problem} ${message.command}`), "a message of the server");
    const { command, headers } = message;
    if (this.#options.onMessage !== undefined) this.#call(this.#options.onMessage, message, message);
    if (command === "PUB") return this.#published(message);
    if (command === "REQ") return this.#services.execute(message, headerOf(headers, "rid") ?? "");
    if (command === "RES") return this.#answered(message, headerOf(headers, "reqid") ?? "");
    return undefined;
  }

  #answered(message: TextMessage, id: string): void {
    const failed = failureIn(message);
    if (failed === undefined) this.#pending.resolve(id, message);
    else this.#pending.reject(id, () => failed);
  }

  #published(message: TextMessage): void {
    const { target, headers } = message;
    if (target === "CANCEL" && this.#services.cancel(headerOf(headers, "rid") ?? "", withdrawalOf(message)))
      return;
    const handlers = target === `MSG:${this.guid}` ? this.#private : this.#handlers.get(target);
    if (target === "ERROR" && this.#complained(message, handlers !== undefined)) return;
    for (const handler of handlers ?? []) this.#call(handler, message, received(message));
  }

  /** True for the outcome of a request, also of one that has ended since, and for what no handler wants. */
  #complained(message: TextMessage, isHandled: boolean): boolean {
    const id = headerOf(message.headers, "reqid");
    if (id !== undefined) this.#pending.reject(id, (target) => refusalOf(message, target));
    else if (!this.#standing.refused(message.body) && !isHandled)
      this.#report(complaintOf(message), "the server");
    return id !== undefined || !isHandled;
  }

  #call<M>(handler: (message: M) => unknown, { target }: TextMessage, message: M): void {
    try {
      const returned = handler(message);
      if (returned instanceof Promise) returned.catch((error: unknown) => this.#handlerFailed(error, target));
    } catch (error) {
      this.#handlerFailed(error, target);
    }
  }

  #handlerFailed(error: unknown, target: string): void {
    this.#report(error, `the handler of ${target}`);
  }

  #report(error: unknown, where: string): void {
    const { onError } = this.#options;
    if (onError === undefined) console.error(`lintel/text: ${where}:`, error);
    else onError(error, where);
  }
}

/** Adds a handler to a set, where the same one may be twice. */
function added(handlers: Set<TextHandler>, handler: TextHandler, onRemoved: () => void): TextHandle {
  const own: TextHandler = (message) => handler(message);
  handlers.add(own);
  return {
    close: () => {
      if (handlers.delete(own)) onRemoved();
    },
  };
}

function commandOf(command: string, target: string, headers: TextHeaders = [], body = ""): string {
  checkArgument(command, "the target", target, text);
  checkArgument(command, "the body", body, text);
  return encodeText({ command, target, headers, body });
}
