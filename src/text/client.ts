/** The client of the text protocol: one connection at a time, made again for ever. */
import { LintelError } from "../message/failure.ts";
import { aFunction, checkArgument, checkOptions, millisecondsOf, signal, text } from "../message/options.ts";
import { urlText } from "../message/url-text.ts";
import { backoffMs } from "../runtime/backoff.ts";
import type {
  ConnectTextOptions,
  ReceivedText,
  TextAnswer,
  TextContext,
  TextPeer,
  TextRequestOptions,
  TextServeOptions,
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
import { TextServices } from "./services.ts";
import { greet, type GreetedSocket, type OpenSocket } from "./socket.ts";
import { received, refusalIn } from "./received.ts";
import { pairsOf, type TextHeadersInit } from "./text-headers.ts";

const RETRY = { firstMs: 100, lastMs: 5_000 };
const GREETING_MS = 5_000;
/** Bytes that may wait to be sent before more is refused. */
const MAX_BUFFERED = 16_777_216;
/** Requests that may wait for answers. */
const MAX_PENDING = 65_536;

type Handler = (message: ReceivedText) => unknown;

/** Connects, as `connectText` of the platform. */
export async function connectWith(
  open: OpenSocket,
  url: string,
  options: ConnectTextOptions = {},
): Promise<TextPeer> {
  checkArgument("connectText", "the URL", url, text);
  if (!/^wss?:\/\/./i.test(url))
    throw new TypeError(`"${urlText(url)}" is not of the form ws://HOST:PORT/PATH`);
  checkOptions("connectText", options, { onError: aFunction, onState: aFunction });
  const client = new TextClient(open, url, options);
  await client.connected(millisecondsOf("connectText: connectTimeout", options.connectTimeout ?? 10_000));
  return client;
}

class TextClient implements TextPeer {
  guid = "";
  #state: TextState = "connecting";
  readonly #open: OpenSocket;
  readonly #url: string;
  readonly #options: ConnectTextOptions;
  readonly #timeoutMs: number;
  readonly #pending = new PendingRequests();
  readonly #services: TextServices;
  readonly #handlers = new Map<string, Set<Handler>>();
  readonly #private = new Set<Handler>();
  /** Commands that are said again on each new connection, each once. */
  readonly #standing = new Set<string>();
  #socket: GreetedSocket | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(open: OpenSocket, url: string, options: ConnectTextOptions) {
    this.#open = open;
    this.#url = url;
    this.#options = options;
    this.#timeoutMs = millisecondsOf("connectText: timeout", options.timeout ?? 30_000);
    this.#services = new TextServices(
      (target, headers, body) => this.#trySend("RES", target, headers, body),
      (error, where) => this.#report(error, where),
    );
  }

  get state(): TextState {
    return this.#state;
  }

  /** Resolves with the first connection. Rejects when there is none in time, or the key is refused. */
  async connected(timeoutMs: number): Promise<void> {
    const end = performance.now() + timeoutMs;
    for (let failures = 1; ; failures++) {
      try {
        return await this.#connect(Math.max(1, Math.min(GREETING_MS, end - performance.now())));
      } catch (error) {
        const waitMs = backoffMs(RETRY, failures, Math.random);
        const isFinal = !(error instanceof LintelError) || error.reason === "UNAUTHENTICATED";
        if (isFinal || performance.now() + waitMs > end) throw error;
        await new Promise((resolve) => setTimeout(resolve, waitMs));
      }
    }
  }

  publish(target: string, body = "", headers?: TextHeadersInit): void {
    this.#send("PUB", target, pairsOf(headers), body);
  }

  subscribe(target: string, handler: Handler): { close(): void } {
    checkArgument("subscribe", "the handler", handler, aFunction);
    const first = commandOf("SUB", target, []);
    const handlers = this.#handlers.get(target) ?? new Set();
    this.#handlers.set(target, handlers);
    const one: Handler = (message) => handler(message); // the same handler may be there twice
    handlers.add(one);
    this.#say(first);
    return {
      close: () => {
        if (!handlers.delete(one) || handlers.size > 0) return;
        this.#handlers.delete(target);
        this.#standing.delete(first);
        this.#trySend("UNS", target, [], "");
      },
    };
  }

  onPrivate(handler: Handler): { close(): void } {
    checkArgument("onPrivate", "the handler", handler, aFunction);
    const one: Handler = (message) => handler(message);
    this.#private.add(one);
    return { close: () => void this.#private.delete(one) };
  }

  async request(target: string, body = "", options: TextRequestOptions = {}): Promise<ReceivedText> {
    checkOptions("request", options, { signal });
    const { timeout = this.#timeoutMs, signal: aborting } = options;
    const timeoutMs = millisecondsOf("request option timeout", timeout);
    aborting?.throwIfAborted();
    if (this.#pending.size >= MAX_PENDING) throw LintelError.of("IN_FLIGHT_FULL");
    const own = pairsOf(options.headers);
    const frame = (id: string): string =>
      commandOf("REQ", target, [["ReqID", id], ["Timeout", `${timeoutMs}ms`], ...own], body);
    frame("0"); // what cannot be written is no request
    this.#checkSocket();
    const { id, outcome } = this.#pending.add(timeoutMs, aborting);
    this.#socket?.send(frame(id));
    return received(await outcome);
  }

  serve(
    target: string,
    handler: (message: ReceivedText, context: TextContext) => TextAnswer | Promise<TextAnswer>,
    { concurrency }: TextServeOptions = {},
  ): void {
    checkArgument("serve", "the handler", handler, aFunction);
    const headers: [string, string][] = [["Cancel", "yes"]];
    if (concurrency !== undefined) headers.push(["Concurrency", String(concurrency)]);
    const command = commandOf("EREQ", target, headers);
    this.#services.add(target, handler);
    this.#say(command);
  }

  enablePublish(target: string): void {
    this.#say(commandOf("EPUB", target, []));
  }

  enableSubscribe(target: string): void {
    this.#say(commandOf("ESUB", target, []));
  }

  setUid(cid: string, uid: string): void {
    this.#send(
      "INT",
      "UID",
      [
        ["forcid", cid],
        ["setuid", uid],
      ],
      "",
    );
  }

  close(): void {
    if (this.#state === "closed") return;
    clearTimeout(this.#timer);
    this.#enter("closed");
    const socket = this.#socket;
    this.#socket = undefined;
    this.#pending.rejectAll(LintelError.of("CLOSED"));
    this.#services.abandon(LintelError.of("CLOSED"));
    socket?.close();
  }

  /** Says it now if there is a connection, and on each later one. */
  #say(command: string): void {
    const isNew = !this.#standing.has(command);
    this.#standing.add(command);
    if (isNew) this.#socket?.send(command);
  }

  #send(command: string, target: string, headers: TextHeaders, body: string): void {
    const frame = commandOf(command, target, headers, body);
    this.#checkSocket();
    this.#socket?.send(frame);
  }

  /** As `#send`, of what has no meaning on another connection. */
  #trySend(command: string, target: string, headers: TextHeaders, body: string): void {
    if (this.#socket !== undefined) this.#socket.send(commandOf(command, target, headers, body));
  }

  #checkSocket(): void {
    if (this.#state === "closed") throw LintelError.of("CLOSED");
    if (this.#socket === undefined) throw LintelError.of("NOT_CONNECTED");
    if (this.#socket.bufferedAmount > MAX_BUFFERED)
      throw LintelError.of("SLOW_CONSUMER", "the server does not read: too much waits to be sent");
  }

  async #connect(greetingMs: number): Promise<void> {
    const { key = "anonymous" } = this.#options;
    const shown = typeof key === "function" ? await key() : key;
    const socket = await greet(this.#open, this.#url, shown, greetingMs, {
      frame: (frame) => this.#frame(frame),
      closed: (why) => this.#lost(why),
    });
    if (this.#state === "closed") return socket.close();
    this.#socket = socket;
    this.guid = socket.guid;
    for (const command of this.#standing) socket.send(command);
    return this.#enter("connected");
  }

  #lost(why: Error): void {
    this.#socket = undefined;
    if (this.#state === "closed") return;
    this.#pending.rejectAll(why);
    this.#services.abandon(why);
    this.#enter("connecting");
    this.#retry(1);
  }

  #retry(failures: number): void {
    this.#timer = setTimeout(
      () => {
        this.#connect(GREETING_MS).catch((error: unknown) => {
          if (this.#state === "closed") return;
          if (failures === 1) this.#report(error, "the connection"); // once, not at each attempt
          this.#retry(failures + 1);
        });
      },
      backoffMs(RETRY, failures, Math.random),
    );
  }

  #enter(state: TextState): void {
    this.#state = state;
    this.#options.onState?.(state);
  }

  #frame(frame: string): void {
    const message = decodeText(frame);
    if (isMalformed(message))
      return this.#report(new Error(`${message.problem} ${message.command}`), "a message of the server");
    if (message.command === "PUB") return this.#published(message);
    const { headers } = message;
    if (message.command === "RES") return this.#pending.resolve(headerOf(headers, "reqid") ?? "", message);
    if (message.command === "REQ") this.#services.execute(message, headerOf(headers, "rid") ?? "");
    return undefined;
  }

  #published(message: TextMessage): void {
    const { target } = message;
    const { headers } = message;
    const rid = headerOf(headers, "rid");
    if (target === "CANCEL" && rid !== undefined && this.#services.cancel(rid)) return;
    const refusal = target === "ERROR" ? refusalIn(message) : undefined;
    const handlers = target === `MSG:${this.guid}` ? this.#private : this.#handlers.get(target);
    if (refusal !== undefined && handlers === undefined) {
      const { error, command, reqId } = refusal;
      if (reqId !== undefined && this.#pending.reject(reqId, error)) return;
      if (command !== "RES") this.#report(error, command === "" ? "the server" : command);
    }
    for (const handler of handlers ?? []) this.#call(handler, message);
  }

  #call(handler: Handler, message: TextMessage): void {
    const where = `the handler of ${message.target}`;
    try {
      const returned = handler(received(message));
      if (returned instanceof Promise) returned.catch((error: unknown) => this.#report(error, where));
    } catch (error) {
      this.#report(error, where);
    }
  }

  #report(error: unknown, where: string): void {
    const { onError } = this.#options;
    if (onError === undefined) console.error(`lintel/text: ${where}:`, error);
    else onError(error, where);
  }
}

function commandOf(command: string, target: string, headers: TextHeaders, body = ""): string {
  checkArgument(command, "the target", target, text);
  checkArgument(command, "the body", body, text);
  return encodeText({ command, target, headers, body });
}
