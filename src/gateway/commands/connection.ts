import type { Admitted } from "../../access/admission.ts";
import { ERROR, RESPONSE, isReply, type Command, type ReplyAction } from "../../commands/command.ts";
import { noHandlers } from "../../commands/error.ts";
import { OTHER_ACTIONS, type CommandCounts } from "../../commands/counts.ts";
import { jsonCommands } from "../../commands/json-protocol.ts";
import { HalfClose } from "../../commands/half-close.ts";
import { endOfStream, type CommandLine, type LineEnd, type LineEvents } from "../../commands/line.ts";
import type { CommandDecoder } from "../../commands/protocol.ts";
import { LintelError, failure, toFailure, type Failure } from "../../message/failure.ts";
import { subjectOf } from "../../message/foreign-name.ts";
import type { Origin } from "../../message/origin.ts";
import { CODES } from "../../message/status.ts";
import { Announcements, type AnnouncementHost } from "./announcements.ts";
import { BUILT_IN, type BuiltIn, type BuiltInHost } from "./built-in.ts";
import { ClientCalls, type CallHost, type Named } from "./calls.ts";
import type { ClientRequest, Reply, ReplyOwner } from "./client.ts";
import { ClientRequests, OUTCOMES, type RequestHost } from "./client-requests.ts";
import type { CommandsContext, ConnectionEvents, Shown } from "./context.ts";
import { messageOf } from "./decode.ts";
import { failedReplyTo } from "./encode.ts";
import { CommandOutbox, type OutboxEvents } from "./outbox.ts";
import { ClientPrincipal } from "./principal.ts";

/** `admitting`: what comes waits. `stranger`: it may only show credentials. */
type State = "admitting" | "stranger" | "admitted" | "over";

/** Commands that wait while credentials are looked at. */
const MAX_WAITING = 4_096;
/** A reply that finds too much waiting is replaced if it is longer than this, in UTF-16 units. */
const SHORT_REPLY = 1_024;
/** Keys are kept until their calls have ended. Characters. */
const MAX_KEY = 255;
const LONG_KEY = Object.freeze(
  new LintelError("invalid_argument", `a key has at most ${MAX_KEY} characters`).toFailure(),
);
const AUTHENTICATION_REQUIRED = { message: "Authentication required" };
/** Nothing was executed: the action may be any text. */
const UNREACHED: ReadonlySet<string> = new Set([
  "NO_RESPONDERS",
  "NO_HANDLERS",
  "PERMISSION_DENIED",
  "TOO_LARGE",
]);
const UNREAD = Object.freeze(
  failure("SLOW_CONSUMER", "the answer was dropped: the client does not read what it is sent"),
);

/** One connection of a client. */
export class CommandsConnection
  implements LineEvents, OutboxEvents, CallHost, RequestHost, AnnouncementHost, BuiltInHost
{
  readonly caller: string;
  readonly maxPending: number;
  readonly maxPayload: number;
  readonly announcements: Announcements;
  readonly calls: ClientCalls = new ClientCalls(this);
  readonly #line: CommandLine;
  readonly #context: CommandsContext;
  readonly #shown: Shown;
  readonly #events: ConnectionEvents;
  readonly #decoder: CommandDecoder;
  readonly #requests = new ClientRequests(this);
  readonly #outbox: CommandOutbox;
  readonly principal: ClientPrincipal;
  #state: State = "stranger";
  /** Commands that came while credentials are looked at. */
  #waiting: Command[] = [];
  /** The other end sends nothing any more. */
  #halfClose: HalfClose | undefined;

  constructor(line: CommandLine, context: CommandsContext, shown: Shown, events: ConnectionEvents) {
    const { admission, settings, limits, clock, tenants } = context;
    this.#line = line;
    this.#context = context;
    this.#shown = shown;
    this.#events = events;
    this.caller = shown.caller;
    this.maxPending = settings.maxPending;
    this.maxPayload = limits.payload;
    this.#decoder = jsonCommands.decoder({ maxCommand: settings.maxCommand });
    const { concurrency, serve } = settings;
    this.principal = new ClientPrincipal(this, {
      admission,
      tenants,
      serve,
      remote: line.remote,
      identity: shown.identity,
      onEnded: (why) => this.end(why),
    });
    this.announcements = new Announcements(this, { registrations: limits.registrations, concurrency });
    this.#outbox = new CommandOutbox(line, { ...limits, clock, unread: context.unread }, this);
  }

  /** True while nobody knows who it is. */
  get isStranger(): boolean {
    return this.#state === "admitting" || this.#state === "stranger";
  }

  get origin(): Origin {
    return this.principal.origin;
  }

  get isFull(): boolean {
    return this.#outbox.isFull;
  }

  get underWay(): number {
    return this.calls.size;
  }

  get isAware(): boolean {
    return this.announcements.hasServed;
  }

  get counts(): CommandCounts {
    return this.principal.tenant.counts;
  }

  /** Requests that the client holds. */
  get jobs(): number {
    return this.#requests.size;
  }

  open(): void {
    this.#line.open(this);
    const { token, identity } = this.#shown;
    const shown = token ?? identity?.token;
    this.#admit(shown, (result) => {
      if (!("code" in result)) {
        if (this.#become(result)) this.#go("admitted");
      } else if (result.reason === "UNAUTHENTICATED" && shown === undefined) this.#go("stranger");
      else this.#refuse(result); // C-5
    });
  }

  /** Ends it, and tells the other end why. */
  end(why: Failure): void {
    this.#end({ code: CODES[why.code].close, reason: `${why.reason}: ${why.message}` });
  }

  abort(): void {
    this.#line.abort();
    this.#over();
  }

  // LineEvents

  data(chunk: Uint8Array | string): void {
    if (this.#state === "over") return;
    try {
      this.#decoder.push(chunk, (command) => {
        this.#take(command);
        return !this.#isOver;
      });
    } catch (error) {
      if (!(error instanceof LintelError)) throw error;
      this.#context.counters.malformed++;
      this.#end(endOfStream(error)); // C-4
    }
  }

  drained(): void {
    if (!this.#isOver) this.#outbox.drained();
  }

  /** It replies to nothing any more, and may wait for its answers. Whoever is gone ends the line when something is sent (C-28). */
  ended(): void {
    if (this.#isOver) return;
    this.announcements.end();
    this.principal.leaveHandlers();
    this.#requests.loseAll();
    this.#halfClose = new HalfClose(this.#line, this.#context.clock);
    this.#endIfDone();
  }

  closed(): void {
    this.#over();
    this.#events.closed();
  }

  // OutboxEvents

  changed(isFull: boolean): void {
    this.#read(); // C-26
    if (isFull) this.announcements.pause();
    else this.announcements.resume();
    this.principal.tenant.changed(this);
  }

  stalled(): void {
    this.end(failure("SLOW_CONSUMER", "the client does not read what it is sent"));
  }

  // CallHost

  respond(command: Named, body: unknown): void {
    this.#reply(command, RESPONSE, body);
  }

  fail(command: Named, why: LintelError | Failure): void {
    const { action, body } = failedReplyTo(command.action, why);
    this.#reply(command, action, body, UNREACHED.has(why.reason));
  }

  // CommandClient and FanOutTarget

  ask(request: ClientRequest, owner: ReplyOwner): string {
    return this.#requests.ask(request, owner);
  }

  forget(key: string, why: Failure): void {
    this.#requests.forget(key, why);
  }

  deliver(encoded: Uint8Array): void {
    if (this.#isOver) return;
    const { counters } = this.#context;
    const fits = this.#outbox.hasRoomFor(encoded.length);
    if (fits) this.send(encoded);
    counters[fits ? "sent" : "dropped"]++; // C-52
  }

  announcementEnded(action: string, pattern: string, why: Failure): void {
    const { reason, code, message } = why;
    this.send(
      jsonCommands.encode({ action: "lintel.ended", body: { action, pattern, message, code, reason } }),
    ); // C-44
  }

  // What comes

  #take(command: Command): void {
    const { action } = command;
    if (isReply(action)) {
      if (!this.#requests.replied(command as Reply)) this.#context.counters.late++; // C-31; its action is one
    } else if (this.#state !== "admitting") this.#run(command);
    else if (this.#waiting.length < MAX_WAITING) this.#waiting.push(command);
    else this.end(failure("TOO_MANY", "too many commands wait for the credentials to be looked at"));
  }

  #run(command: Command): void {
    this.#context.counters.commands++;
    const { action } = command;
    if (action === "auth.upgrade") return this.#upgrade(command);
    const builtIn = BUILT_IN.get(action);
    if (this.#state === "stranger" && builtIn?.isOpen !== true)
      return this.#reply(command, ERROR, AUTHENTICATION_REQUIRED, true); // C-6
    if (builtIn === undefined) return this.#call(command);
    void this.#runBuiltIn(command, builtIn);
    return undefined;
  }

  #call(command: Command): void {
    const { settings, limits, refusal } = this.#context;
    if (command.key !== undefined && command.key.length > MAX_KEY) return this.fail(command, LONG_KEY);
    const subject = subjectOf(command.action);
    if (subject === undefined) return this.fail(command, noHandlers(command.action));
    if (refusal !== undefined) return this.fail(command, refusal);
    const request = messageOf(command);
    if (request.end > limits.payload)
      return this.fail(command, failure("TOO_LARGE", `the body is over ${limits.payload} bytes`));
    const { timeout = settings.timeoutMs } = command;
    this.calls.start(command, subject, request, timeout);
    return undefined;
  }

  /** Resolves when it has its reply. */
  async #runBuiltIn(command: Command, { run }: BuiltIn): Promise<void> {
    try {
      const result = run(this, command.body, command.bodyText);
      this.respond(command, result instanceof Promise ? await result : result);
    } catch (error) {
      this.fail(command, LintelError.from(toFailure(error)));
    }
  }

  /** `isUnknown`: the name of the action may be any text. */
  #reply({ key, action: name }: Named, action: ReplyAction, body: unknown, isUnknown = false): void {
    if (this.#isOver) return;
    const { counters } = this.#context;
    const outcome = OUTCOMES[action];
    counters[outcome === "success" ? "answered" : outcome]++;
    this.counts.add(isUnknown ? OTHER_ACTIONS : name, outcome);
    let encoded = jsonCommands.encode({ key, action, body });
    if (encoded.length > SHORT_REPLY && !this.#outbox.hasRoomFor(0))
      encoded = jsonCommands.encode({ key, ...failedReplyTo(name, UNREAD) }); // C-27
    this.send(encoded);
    if (this.#halfClose !== undefined) this.#endIfDone();
  }

  // Who it is

  #upgrade(command: Command): void {
    const { body: token } = command;
    if (typeof token !== "string") return this.#reply(command, ERROR, { message: "Token must be a string" });
    const before = this.#state;
    this.#admit(token, (result) => {
      if ("code" in result) {
        this.fail(command, result);
        return this.#go(before);
      }
      if (!this.#become(result)) return undefined;
      this.respond(command, true);
      return this.#go("admitted");
    });
    return undefined;
  }

  /** What comes waits until `decided`, which must leave the state. */
  #admit(token: string | undefined, decided: (result: Admitted | Failure) => void): void {
    this.#state = "admitting";
    const result = this.principal.admit(token);
    if (!(result instanceof Promise)) return decided(result);
    this.#read();
    void result.then((known) => {
      if (!this.#isOver) decided(known);
    });
    return undefined;
  }

  /** False, and the connection ends, when there is no room for one more of its principal. */
  #become(admitted: Admitted): boolean {
    this.announcements.restart();
    const full = this.principal.become(admitted);
    if (full !== undefined) this.#refuse(full);
    else for (const pattern of this.#context.settings.broadcast) this.announcements.receive(pattern);
    return full === undefined;
  }

  #refuse(why: Failure): void {
    this.#context.counters.refused++;
    this.end(why);
  }

  /** Takes what has waited. */
  #go(state: State): void {
    if (this.#isOver) return;
    this.#state = state;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const [index, command] of waiting.entries()) {
      this.#run(command);
      if (this.#isOver) return;
      if (this.#stillAdmits) return void this.#waiting.unshift(...waiting.slice(index + 1));
    }
    this.#read();
    if (this.#halfClose !== undefined) this.#endIfDone();
  }

  /** A command may have ended it, or have shown credentials. */
  get #stillAdmits(): boolean {
    return this.#state === "admitting";
  }

  /** The other end has ended its side: it gets what it has asked for, and then the end. */
  #endIfDone(): void {
    if (this.calls.size === 0 && this.#state !== "admitting") this.#end();
  }

  get #isOver(): boolean {
    return this.#state === "over";
  }

  send(encoded: string | Uint8Array): void {
    if (!this.#isOver) this.#outbox.send(encoded);
  }

  /** Commands are read while their replies are, and while it is known who sends them. */
  #read(): void {
    this.#line.read(!this.#outbox.isFull && this.#state !== "admitting");
  }

  #end(end?: LineEnd): void {
    if (this.#isOver) return;
    this.#line.close(end);
    this.#over();
  }

  #over(): void {
    if (this.#isOver) return;
    this.#state = "over";
    this.#outbox.stop();
    this.#halfClose?.stop();
    this.#waiting = [];
    this.announcements.end();
    this.principal.leave();
    this.#requests.loseAll();
    this.calls.cancelAll(); // C-23
    this.#events.over();
  }
}
