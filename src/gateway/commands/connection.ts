import type { Admission, Admitted } from "../../access/admission.ts";
import { RESPONSE, isReply, type Command, type ReplyAction } from "../../commands/command.ts";
import { failedReply, noHandlers } from "../../commands/error.ts";
import { jsonCommands } from "../../commands/json-protocol.ts";
import type { CommandLine, LineEvents } from "../../commands/line.ts";
import type { CommandDecoder } from "../../commands/protocol.ts";
import type { Engine } from "../../engine/engine.ts";
import { LintelError, failure, toFailure, type Failure } from "../../message/failure.ts";
import { subjectOf } from "../../message/foreign-name.ts";
import type { Origin } from "../../message/origin.ts";
import type { PeerIdentity } from "../../message/peer-identity.ts";
import { CODES } from "../../message/status.ts";
import type { Clock } from "../../runtime/clock.ts";
import { StallWatch } from "../../session/stall-watch.ts";
import { Announcements, type AnnouncementHost } from "./announcements.ts";
import { BUILT_IN, type BuiltIn, type BuiltInHost } from "./built-in.ts";
import { ClientCalls, type CallHost } from "./calls.ts";
import type { ClientRequest } from "./client.ts";
import { ClientRequests, type Reply, type ReplyOwner } from "./client-requests.ts";
import { messageOf } from "./decode.ts";
import type { CommandsLimits, CommandsSettings } from "./options.ts";
import { ClientPrincipal } from "./principal.ts";
import type { CommandsStats } from "./stats.ts";
import type { CommandsTenant, CommandsTenants } from "./tenant.ts";

/** What all connections of a gateway share. */
export interface CommandsContext {
  readonly admission: Admission;
  readonly clock: Clock;
  readonly limits: CommandsLimits;
  readonly settings: CommandsSettings;
  readonly counters: CommandsStats;
  readonly tenants: CommandsTenants;
  /** Why no new call is taken. */
  readonly refusal: Failure | undefined;
  readonly onError: (error: unknown, where: string) => void;
}

export interface ConnectionEvents {
  /** It does nothing any more, and may still have to send what waits. */
  over(): void;
  /** Nothing is left of it. */
  closed(): void;
}

/** What the other end has shown when it connected. */
export interface Shown {
  /** Of the URL. */
  readonly token: string | undefined;
  readonly identity: PeerIdentity | undefined;
  /** What it counts for. */
  readonly caller: string;
}

/** `admitting`: what comes waits. `stranger`: it may only show credentials. */
type State = "admitting" | "stranger" | "admitted" | "over";

/** An end has so long to read what was sent before the close. Milliseconds. */
const CLOSING_MS = 2_000;
/** Commands that wait while credentials are looked at. */
const MAX_WAITING = 4_096;
/** A reply that finds too much waiting is replaced if it is longer than this, in UTF-16 units. */
const SHORT_REPLY = 1_024;
const AUTHENTICATION_REQUIRED = { message: "Authentication required" };
const LOST = Object.freeze(failure("WORKER_LOST", "the client that held the request has left"));

/** One connection of a client. */
export class CommandsConnection implements LineEvents, CallHost, AnnouncementHost, BuiltInHost {
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
  readonly #requests = new ClientRequests();
  readonly #stall: StallWatch;
  readonly #principal: ClientPrincipal;
  #state: State = "stranger";
  /** Commands that came while credentials are looked at. */
  #waiting: Command[] = [];
  #isFull = false;
  /** Cuts off an end that does not read what is sent at last. */
  #closing: unknown;
  /** UTF-16 units and bytes that were sent, since the start. */
  #sent = 0;

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
    this.#principal = new ClientPrincipal(this, {
      admission,
      tenants,
      serve,
      remote: line.remote,
      identity: shown.identity,
      onEnded: (why) => this.end(why),
    });
    this.announcements = new Announcements(this, { registrations: limits.registrations, concurrency });
    this.#stall = new StallWatch({
      clock,
      timeoutMs: limits.stallTimeout,
      taken: () => this.#sent - this.#line.buffered,
      required: () => 1,
      stalled: () => this.end(failure("SLOW_CONSUMER", "the client does not read what it is sent")),
    });
  }

  /** True while nobody knows who it is. */
  get isStranger(): boolean {
    return this.#state === "admitting" || this.#state === "stranger";
  }

  get engine(): Engine {
    return this.#principal.admitted.engine;
  }

  get admitted(): Admitted {
    return this.#principal.admitted;
  }

  get tenant(): CommandsTenant {
    return this.#principal.tenant;
  }

  get origin(): Origin {
    return this.#principal.origin;
  }

  get isFull(): boolean {
    return this.#isFull;
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
    if (this.#state === "over") return;
    this.#line.close({ code: CODES[why.code].close, reason: `${why.reason}: ${why.message}` });
    this.#closing = this.#context.clock.after(CLOSING_MS, () => this.#line.abort());
    this.#over();
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
      this.#context.counters.malformed++;
      this.end(toFailure(error)); // C-4
    }
  }

  drained(): void {
    if (!this.#isFull || this.#isOver) return;
    this.#isFull = false;
    this.#stall.stop();
    if (this.#state !== "admitting") this.#line.read(true);
    this.announcements.resume();
    this.tenant.changed(this);
  }

  closed(): void {
    this.#context.clock.clear(this.#closing);
    this.#over();
    this.#events.closed();
  }

  // CallHost

  reply({ key, action: name }: Pick<Command, "key" | "action">, action: ReplyAction, body: unknown): void {
    this.#count(name, action);
    let encoded = jsonCommands.encode({ key, action, body });
    if (this.#line.buffered > this.#context.limits.sessionBuffer && encoded.length > SHORT_REPLY) {
      const why = failure(
        "SLOW_CONSUMER",
        "the answer was dropped: the client does not read what it is sent",
      ); // C-27
      encoded = jsonCommands.encode({ key, ...failedReply(LintelError.from(why)) });
    }
    this.#send(encoded);
  }

  // CommandClient and FanOutTarget

  ask({ action, body, timeoutMs }: ClientRequest, owner: ReplyOwner): string {
    const key = this.#requests.add(owner);
    const timeout = this.announcements.hasServed ? { timeout: Math.max(1, Math.floor(timeoutMs)) } : {};
    this.#send(jsonCommands.encode({ key, action, body, ...timeout }));
    return key;
  }

  forget(key: string, why: Failure): void {
    if (!this.#requests.forget(key) || !this.announcements.hasServed) return;
    this.#send(
      jsonCommands.encode({ action: "lintel.cancel", body: { key, code: why.code, reason: why.reason } }),
    ); // C-38
  }

  deliver(encoded: Uint8Array): void {
    const { counters, limits } = this.#context;
    const fits = this.#line.buffered + encoded.length <= limits.sessionBuffer;
    if (fits) this.#send(encoded);
    counters[fits ? "sent" : "dropped"]++; // C-52
  }

  announcementEnded(action: string, pattern: string, why: Failure): void {
    const { reason, code, message } = why;
    this.#send(
      jsonCommands.encode({ action: "lintel.ended", body: { action, pattern, message, code, reason } }),
    ); // C-44
  }

  // What comes

  #take(command: Command): void {
    const { action } = command;
    if (isReply(action)) {
      if (!this.#requests.settle(command.key, command as Reply)) this.#context.counters.late++; // its action is one
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
      return this.reply(command, "drs.error", AUTHENTICATION_REQUIRED); // C-6
    if (builtIn === undefined) return this.#call(command);
    void this.#runBuiltIn(command, builtIn);
    return undefined;
  }

  #call(command: Command): void {
    const { settings, limits, refusal } = this.#context;
    const subject = subjectOf(command.action);
    if (subject === undefined) return this.#fail(command, noHandlers(command.action));
    if (refusal !== undefined) return this.#fail(command, LintelError.from(refusal));
    const request = messageOf(command);
    if (request.end > limits.payload)
      return this.#fail(command, LintelError.of("TOO_LARGE", `the body is over ${limits.payload} bytes`));
    const { timeout = settings.timeoutMs } = command;
    this.calls.start(command, subject, request, timeout);
    return undefined;
  }

  /** Resolves when it has its reply. */
  async #runBuiltIn(command: Command, { run }: BuiltIn): Promise<void> {
    try {
      const result = run(this, command.body);
      this.reply(command, RESPONSE, result instanceof Promise ? await result : result);
    } catch (error) {
      this.#fail(command, error);
    }
  }

  #fail(command: Command, error: unknown): void {
    const { action, body } = failedReply(error);
    this.reply(command, action, body);
  }

  // Who it is

  #upgrade(command: Command): void {
    const { body: token } = command;
    if (typeof token !== "string")
      return this.reply(command, "drs.error", { message: "Token must be a string" });
    const before = this.#state;
    this.#admit(token, (result) => {
      if ("code" in result) {
        this.#fail(command, LintelError.from(result));
        return this.#go(before);
      }
      if (!this.#become(result)) return undefined;
      this.reply(command, RESPONSE, true);
      return this.#go("admitted");
    });
    return undefined;
  }

  /** What comes waits until `decided`, which must leave the state. */
  #admit(token: string | undefined, decided: (result: Admitted | Failure) => void): void {
    this.#state = "admitting";
    const result = this.#principal.admit(token);
    if (!(result instanceof Promise)) return decided(result);
    this.#line.read(false);
    void result.then((known) => {
      if (!this.#isOver) decided(known);
    });
    return undefined;
  }

  /** False, and the connection ends, when there is no room for one more of its principal. */
  #become(admitted: Admitted): boolean {
    this.announcements.restart();
    const full = this.#principal.become(admitted);
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
    if (!this.#isFull) this.#line.read(true);
  }

  /** A command may have ended it, or have shown credentials. */
  get #stillAdmits(): boolean {
    return this.#state === "admitting";
  }

  get #isOver(): boolean {
    return this.#state === "over";
  }

  #send(encoded: string | Uint8Array): void {
    if (this.#isOver) return;
    this.#sent += encoded.length;
    if (this.#line.send(encoded) || this.#isFull) return;
    this.#isFull = true;
    this.#line.read(false); // C-26
    this.#stall.start();
    this.announcements.pause();
    this.tenant.changed(this);
  }

  #count(name: string, action: ReplyAction): void {
    const { counters } = this.#context;
    const outcome = action === RESPONSE ? "success" : action === "drs.error" ? "errors" : "exceptions";
    this.tenant.counts.add(name, outcome);
    counters[outcome === "success" ? "answered" : outcome]++;
  }

  #over(): void {
    if (this.#isOver) return;
    this.#state = "over";
    this.#stall.stop();
    this.#waiting = [];
    this.announcements.end();
    this.#principal.leave();
    this.#requests.loseAll(LOST); // C-36
    this.calls.cancelAll(); // C-23
    this.#events.over();
  }
}
