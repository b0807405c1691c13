import { LintelError, failure } from "../message/failure.ts";
import { checkArgument, checkOptions, millisecondsOf, signal, text } from "../message/options.ts";
import { defer } from "../runtime/deferred.ts";
import { StallWatch } from "../session/stall-watch.ts";
import { CANCEL } from "./built-in.ts";
import { isReply, RESPONSE, type Command, type ReplyAction } from "./command.ts";
import { CommandError, errorOfReply } from "./error.ts";
import { CommandHandlers } from "./handlers.ts";
import { HalfClose } from "./half-close.ts";
import { IncomingCommands } from "./incoming.ts";
import { endOfStream, type CommandLine, type LineEnd } from "./line.ts";
import { settingsOf, type CommandConnectionOptions, type CommandSettings } from "./options.ts";
import type { CallOptions, CommandHandler, CommandPeer } from "./peer.ts";
import { PendingCalls } from "./pending-calls.ts";
import type { CommandDecoder } from "./protocol.ts";
import { pushId } from "./push-id.ts";

/** One end of a line. Both ends are equal: each calls the other, and each has handlers. */
export class CommandConnection implements CommandPeer {
  readonly cache: Map<string, unknown> = new Map();
  readonly query: URLSearchParams;
  readonly #line: CommandLine;
  readonly #settings: CommandSettings;
  readonly #handlers = new CommandHandlers();
  readonly #decoder: CommandDecoder;
  readonly #calls: PendingCalls;
  readonly #incoming: IncomingCommands;
  readonly #ended = new AbortController();
  readonly #lineEnded = defer();
  readonly #onClose = new Set<(why: Error | undefined) => void>();
  readonly #stall: StallWatch;
  /** The other end does not read its replies, and is not read either. */
  #isHeldBack = false;
  /** Set when the other end sends nothing more. */
  #halfClose: HalfClose | undefined;
  /** What was sent since the start, as text counts it. */
  #sent = 0;

  /** Opens the line. Commands that come before the code that called has returned to the loop find the handlers that it adds. */
  constructor(line: CommandLine, options: CommandConnectionOptions = {}) {
    const settings = settingsOf(options);
    this.#line = line;
    this.#settings = settings;
    this.query = settings.query;
    this.#decoder = settings.protocol.decoder(settings);
    this.#calls = new PendingCalls(settings.clock, (key) => this.#withdraw(key));
    this.#incoming = new IncomingCommands(this, this.#handlers, settings, (command) => {
      if (!this.isClosed) this.forward(settings.protocol.encode(command));
    });
    this.#stall = new StallWatch({
      clock: settings.clock,
      timeoutMs: settings.stallTimeoutMs,
      taken: () => this.#sent - line.buffered,
      required: () => 1,
      stalled: () => this.#abandon(),
    });
    line.open({
      data: (chunk) => this.#read(chunk),
      drained: () => this.#drained(),
      ended: () => this.#othersEnd(),
      closed: (why) => {
        this.#lineEnded.resolve();
        this.#end(why);
      },
    });
  }

  get remote(): string {
    return this.#line.remote;
  }

  get isClosed(): boolean {
    return this.#ended.signal.aborted;
  }

  get signal(): AbortSignal {
    return this.#ended.signal;
  }

  /** Resolves when the line is gone, which may be a while after the connection was closed. */
  get lineEnded(): Promise<void> {
    return this.#lineEnded.promise;
  }

  /** Commands that handlers of this end are busy with. */
  get underWay(): number {
    return this.#incoming.underWay;
  }

  /** Calls of this end without an outcome. */
  get pending(): number {
    return this.#calls.size;
  }

  on(action: string, ...handlers: readonly CommandHandler[]): this {
    this.#handlers.on(action, ...handlers);
    return this;
  }

  off(action: string, handler?: CommandHandler): this {
    this.#handlers.off(action, handler);
    return this;
  }

  before(...handlers: readonly CommandHandler[]): this {
    this.#handlers.before(...handlers);
    return this;
  }

  after(...handlers: readonly CommandHandler[]): this {
    this.#handlers.after(...handlers);
    return this;
  }

  async call<T = unknown>(action: string, body?: unknown, options: CallOptions = {}): Promise<T> {
    checkArgument("call", "action", action, text);
    checkOptions("call", options, CALL_CHECKS);
    const { timeout = this.#settings.timeoutMs, signal: aborting } = options;
    const timeoutMs = millisecondsOf("call option timeout", timeout);
    aborting?.throwIfAborted();
    if (this.#calls.size >= this.#settings.maxPending)
      throw LintelError.of("IN_FLIGHT_FULL", `${this.#calls.size} calls wait for a reply on this connection`);
    if (this.#halfClose !== undefined)
      throw LintelError.of("NOT_CONNECTED", "the other end sends nothing more, so no reply could come");
    const key = this.#freshKey();
    const encoded = this.#encode({
      key,
      action,
      body,
      timeout: this.#settings.cancels ? timeoutMs : undefined,
    });
    const answered = this.#calls.wait(key, { timeoutMs, signal: aborting });
    this.#send(encoded);
    try {
      const result = await answered;
      this.#settings.counts?.add(action, "success");
      return result as T; // the caller says what the action returns
    } catch (error) {
      this.#settings.counts?.add(action, error instanceof CommandError ? "errors" : "exceptions");
      throw error;
    }
  }

  fire(action: string, body?: unknown): boolean {
    checkArgument("fire", "action", action, text);
    return this.#send(this.#encode({ action, body }));
  }

  /**
   * Sends what a protocol of the connection has encoded, such as the same command for many connections. A connection that leaves more
   * than `maxBuffered` unread is ended.
   */
  forward(encoded: string | Uint8Array): void {
    if (this.isClosed || this.#send(encoded)) return;
    if (this.#line.buffered > this.#settings.maxBuffered) this.#abandon();
  }

  onClose(callback: (why: Error | undefined) => void): void {
    if (this.isClosed) callback(undefined);
    else this.#onClose.add(callback);
  }

  /** Takes no new commands, and resolves when those under way have their replies. */
  drain(): Promise<void> {
    return this.#incoming.drain();
  }

  close(why?: LineEnd): void {
    if (this.isClosed) return;
    this.#line.close(why);
    this.#end(LintelError.of("CLOSED", "the connection was closed while the call was under way"), true);
  }

  /** Ends the connection at once; what was sent may not arrive. */
  abort(): void {
    if (this.isClosed) return;
    this.#line.abort();
    this.#end(LintelError.of("CLOSED", "the connection was closed while the call was under way"), true);
  }

  #withdraw(key: string): void {
    if (this.#settings.cancels && !this.isClosed)
      this.#send(this.#settings.protocol.encode({ action: CANCEL, body: { key } }));
  }

  #freshKey(): string {
    for (;;) {
      const key = pushId(this.#settings.epochMs());
      if (!this.#calls.has(key)) return key;
    }
  }

  #encode(command: Command): string | Uint8Array {
    if (this.isClosed) throw LintelError.of("NOT_CONNECTED", "the connection has ended");
    if (this.#line.buffered > this.#settings.maxBuffered)
      throw LintelError.of(
        "SLOW_CONSUMER",
        "the other end does not read: too much waits to be written to it",
      );
    return this.#settings.protocol.encode(command);
  }

  #send(encoded: string | Uint8Array): boolean {
    this.#sent += encoded.length;
    if (this.#line.send(encoded)) return true;
    if (this.#settings.pausesReading && !this.#isHeldBack) this.#holdBack();
    return false;
  }

  /** An end that does not read what it is sent is not read either, and has to read some of it in time. */
  #holdBack(): void {
    this.#isHeldBack = true;
    this.#line.read(false);
    this.#stall.start();
  }

  #drained(): void {
    if (!this.#isHeldBack) return;
    this.#isHeldBack = false;
    this.#stall.stop();
    if (!this.isClosed) this.#line.read(true);
  }

  /** The other end sends nothing more. Replies still reach it, so that it gets those to come; its own will not. */
  #othersEnd(): void {
    if (this.isClosed) return;
    this.#calls.rejectAll(LintelError.of("CONNECTION_LOST"));
    const { clock, lingerTimeoutMs } = this.#settings;
    const timer = clock.after(lingerTimeoutMs, () => this.#closeAfterEnd());
    this.#halfClose = new HalfClose(this.#line, clock);
    void this.drain().then(() => {
      clock.clear(timer);
      this.#closeAfterEnd();
    });
  }

  #closeAfterEnd(): void {
    if (this.isClosed) return;
    this.#line.close();
    this.#end(undefined);
  }

  #abandon(): void {
    this.#line.abort();
    this.#end(LintelError.of("SLOW_CONSUMER", "the other end does not read what it is sent"));
  }

  #read(chunk: Uint8Array | string): void {
    if (this.isClosed) return;
    try {
      this.#decoder.push(chunk, (command, length) => {
        this.#take(command, length);
        return !this.isClosed;
      });
    } catch (error) {
      if (!(error instanceof LintelError)) throw error;
      this.#line.close(endOfStream(error));
      this.#end(error);
    }
  }

  #take(command: Command, length: number): void {
    const { action } = command;
    if (isReply(action)) this.#settle(action, command);
    else this.#incoming.take(command, length);
  }

  /** A reply with a key that no call of this connection waits for is dropped. */
  #settle(action: ReplyAction, { key, body }: Command): void {
    if (key === undefined) return;
    if (action === RESPONSE) this.#calls.resolve(key, body);
    else if (this.#calls.has(key)) this.#calls.reject(key, errorOfReply(action, body));
  }

  /** `isOwn`: this end has closed the connection. */
  #end(why: Error | undefined, isOwn = false): void {
    if (this.isClosed) return;
    this.#stall.stop();
    this.#halfClose?.stop();
    this.#ended.abort(LintelError.from(failure("CALLER_GONE")));
    this.#incoming.end();
    this.#decoder.end();
    this.#calls.rejectAll(isOwn ? why : LintelError.of("CONNECTION_LOST", undefined, why));
    const callbacks = [...this.#onClose];
    this.#onClose.clear();
    for (const callback of callbacks) {
      try {
        callback(isOwn ? undefined : why);
      } catch (error) {
        this.#settings.onError(error, "a callback of the end of a connection");
      }
    }
  }
}

const CALL_CHECKS = { signal } as const;
