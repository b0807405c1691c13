/** The commands of one connection that was let in. */
import type { Admitted } from "../../access/admission.ts";
import type { Route } from "../../message/delivery.ts";
import { LintelError, failure, toFailure, type Failure } from "../../message/failure.ts";
import { headerLine } from "../../message/headers.ts";
import type { Message } from "../../message/message.ts";
import type { Origin } from "../../message/origin.ts";
import { isCode } from "../../message/status.ts";
import { headerOf, type TextMessage } from "../../text/message.ts";
import type { Listener } from "./channels.ts";
import type { TextContext } from "./context.ts";
import {
  concurrencyOf,
  idLines,
  messageFrom,
  ridOf,
  TimeoutReader,
  type Kind,
  type Rules,
  type Sender,
} from "./decode.ts";
import { TextEnablings } from "./enablings.ts";
import { errorFrame } from "./encode.ts";
import { privateSubject } from "./guid.ts";
import type { TextOutlet } from "./outlet.ts";
import { TextRequests } from "./requests.ts";
import { TextResponders } from "./responders.ts";
import { TextSubscriptions } from "./subscriptions.ts";
import type { Named, TextTenant } from "./tenant.ts";

const COMMANDS = ["PUB", "SUB", "UNS", "REQ", "RES", "EREQ", "EPUB", "ESUB", "INT"] as const;
type Command = (typeof COMMANDS)[number];

const DENIED = Object.freeze(failure("PERMISSION_DENIED"));
const NOT_HELD = Object.freeze({
  ...failure("NO_SUCH_JOB"),
  message: "No client for request ID",
});
/** Roles that may set the user of a connection. In an open hub everybody is `everyone`. */
const TRUSTED: ReadonlySet<string> = new Set(["service", "admin", "everyone"]);
const OBSERVER = "observer";
const ENABLED_BY_EREQ = ["request", "publish"] as const;
/** Longest user. */
const MAX_UID = 255;

export interface CommandsOptions {
  readonly admitted: Admitted;
  readonly tenant: TextTenant;
  readonly outlet: TextOutlet;
  readonly origin: Origin;
  readonly caller: string;
  readonly guid: string;
  readonly context: TextContext;
  /** Goes on reading what the connection sends, or does not. */
  readonly read: (going: boolean) => void;
}

export class Commands implements Named, Sender {
  readonly cid: string;
  /** The user, set by INT. */
  uid = "";
  readonly admitted: Admitted;
  readonly tenant: TextTenant;
  readonly outlet: TextOutlet;
  readonly origin: Origin;
  readonly caller: string;
  readonly #options: CommandsOptions;
  readonly #requests: TextRequests;
  readonly #responders: TextResponders;
  readonly #subscriptions: TextSubscriptions;
  readonly #enablings: TextEnablings;
  readonly #private: Listener;
  readonly #isObserver: boolean;
  readonly #rules: Rules;
  readonly #timeouts = new TimeoutReader();
  /** Of registrations of all connections, those that are this one's. */
  #registrations = 0;

  constructor(options: CommandsOptions) {
    const { admitted, tenant, outlet, origin, caller, context } = options;
    this.admitted = admitted;
    this.tenant = tenant;
    this.outlet = outlet;
    this.origin = origin;
    this.caller = caller;
    this.#options = options;
    this.#requests = new TextRequests(this, context.limits.sessionInFlight);
    this.#responders = new TextResponders(this);
    this.#subscriptions = new TextSubscriptions(this);
    this.#enablings = new TextEnablings(admitted);
    this.#private = { outlet, ended: () => undefined };
    this.#isObserver = admitted.principal.role === OBSERVER;
    const { payload, headers } = context.limits;
    this.#rules = { payload, headers, isBehind: tenant.isBehind };
    this.cid = options.guid;
  }

  open(): void {
    const { guid } = this.#options;
    this.tenant.connections.set(guid, this);
    const subscribe = (): unknown =>
      this.#isObserver
        ? this.tenant.observers.add(this)
        : this.tenant.channels.add(privateSubject(guid), this.#private).catch(() => undefined);
    try {
      subscribe();
    } catch {
      // the hub takes no subscriptions any more: it is ending
    }
  }

  /** Executes a command. What cannot be done is told by an ERROR, and has no effect. */
  execute(message: TextMessage): void {
    const { command, target } = message;
    const ids = idLines(message.headers);
    const route = this.tenant.routeOf(target);
    if (!isCommand(command)) return this.complain(unknown("Unknown command"), command, target, ids);
    if (this.#isObserver) return this.#deny(command, target, ids);
    if (route === undefined)
      return this.complain(
        failure("BAD_SUBJECT", "The target is too long, or is no text, in"),
        command,
        target,
        ids,
      );
    try {
      this.#execute(command, route, message, ids);
    } catch (error) {
      this.#refused(toFailure(error), command, target, ids);
    }
    return undefined;
  }

  /** More waits for the connection than it takes at once, or no longer. */
  pressure(isFull: boolean): void {
    this.#responders.pressure(isFull);
  }

  complain(why: Failure, command: string, target: string, ids = ""): void {
    this.outlet.send(errorFrame(why, { command, target, ids }));
  }

  /** The connection is over. */
  close(): void {
    const { guid, caller, context } = this.#options;
    const { endings } = context;
    this.tenant.connections.delete(guid);
    this.#enablings.close(); // at once: what it has enabled is over
    if (this.#isObserver) this.tenant.observers.delete(this);
    else this.tenant.channels.remove(privateSubject(guid), this.#private);
    endings.run(() => this.#requests.cancelOne());
    endings.run(() => this.#responders.loseOne());
    endings.run(() => this.#subscriptions.removeOne());
    context.giveRegistrations(caller, this.#registrations);
  }

  #execute(command: Command, route: Route, message: TextMessage, ids: string): void {
    const { subject } = route;
    const { target } = message;
    const refused = (why: Failure): void => this.#refused(why, command, target, ids);
    switch (command) {
      case "PUB":
        return this.#publish(route, message, refused);
      case "REQ":
        return this.#request(route, message, ids);
      case "RES":
        return this.#respond(subject, message, refused);
      case "SUB":
        if (!this.#subscriptions.has(subject) && this.#hasRoom(refused))
          this.#subscriptions.add(subject, (why) => this.#gaveUp(why, refused));
        return undefined;
      case "UNS":
        if (this.#subscriptions.remove(subject)) this.#giveRegistration();
        return undefined;
      case "EREQ":
        return this.#serve(subject, message, refused);
      case "EPUB":
        return this.#enable("publish", subject, refused);
      case "ESUB":
        return this.#enable("subscribe", subject, refused);
      case "INT":
        return this.#setUser(message, refused);
    }
  }

  #publish(route: Route, message: TextMessage, refused: (why: Failure) => void): void {
    this.#options.context.counters.publications++;
    const room = this.admitted.engine.publish(route, this.#messageFrom(message, "publication"));
    if (room === undefined) return;
    this.#options.read(false);
    const goOn = (): void => this.#options.read(true);
    room.then(goOn, (error: unknown) => {
      goOn();
      refused(toFailure(error));
    });
  }

  #request(route: Route, message: TextMessage, ids: string): void {
    const { counters, settings } = this.#options.context;
    counters.requests++;
    const timeoutMs = this.#timeouts.read(message.headers) ?? settings.timeoutMs;
    this.#requests.start(route, message.target, ids, this.#messageFrom(message, "request"), timeoutMs);
  }

  #respond(subject: string, message: TextMessage, refused: (why: Failure) => void): void {
    const job = ridOf(message.headers);
    if (job === undefined || !this.#responders.holds(job)) {
      // Whoever may serve it has answered too late, or twice; others have no business to answer.
      const decision = this.admitted.expects("serve", subject);
      return refused(decision === undefined || decision instanceof Promise ? NOT_HELD : DENIED);
    }
    const code = headerOf(message.headers, "error-code");
    if (code !== undefined) return this.#responders.fail(job, failureOf(code, message));
    try {
      return this.#responders.reply(job, this.#messageFrom(message, "answer"));
    } catch (error) {
      const why = toFailure(error);
      this.#responders.fail(job, failure("BAD_ANSWER", `the responder answered, but ${why.message}`));
      return refused(why);
    }
  }

  #serve(subject: string, message: TextMessage, refused: (why: Failure) => void): void {
    if (this.#responders.has(subject)) return;
    const { limits } = this.#options.context;
    const concurrency = concurrencyOf(message.headers) ?? limits.concurrency;
    const hearsCancels = headerOf(message.headers, "cancel") === "yes";
    if (!this.#hasRoom(refused)) return;
    const enabled = ENABLED_BY_EREQ.map((verb) => ({ verb, key: `EREQ ${verb} ${subject}` }));
    // One that may serve but is no service enables nothing, which is no failure of its EREQ.
    const onReady = (): void => {
      for (const { verb, key } of enabled) this.#enablings.add(key, verb, subject, () => undefined);
    };
    const onEnded = (why: Failure): void => {
      for (const { key } of enabled) this.#enablings.remove(key);
      this.#gaveUp(why, refused);
    };
    try {
      this.#responders.add(subject, this.admitted.engine, { concurrency, hearsCancels, onReady, onEnded });
    } catch (error) {
      this.#giveRegistration();
      throw error;
    }
  }

  #enable(verb: "publish" | "subscribe", subject: string, refused: (why: Failure) => void): void {
    const key = `${verb} ${subject}`;
    if (!this.#enablings.has(key) && this.#hasRoom(refused))
      this.#enablings.add(key, verb, subject, (why) => this.#gaveUp(why, refused));
  }

  #setUser({ target, headers }: TextMessage, refused: (why: Failure) => void): void {
    if (!TRUSTED.has(this.admitted.principal.role)) return refused(DENIED);
    if (target !== "UID") return refused(unknown("Unknown target of"));
    const cid = headerOf(headers, "forcid");
    const uid = headerOf(headers, "setuid");
    const connection = cid === undefined ? undefined : this.tenant.connections.get(cid);
    if (connection === undefined) return refused(unknown("No connection with this forcid for"));
    if (uid === undefined || uid.length > MAX_UID)
      return refused(unknown(`A setuid of at most ${MAX_UID} characters is missing in`));
    headerLine("uid", uid); // throws for control characters
    connection.uid = uid;
  }

  #messageFrom(message: TextMessage, kind: Kind): Message {
    return messageFrom(message, kind, this, this.#rules);
  }

  /** One more registration; false, with an ERROR, when there are too many. */
  #hasRoom(refused: (why: Failure) => void): boolean {
    const { context, caller } = this.#options;
    const isFull = this.#registrations >= context.limits.registrations;
    if (isFull || !context.takeRegistration(caller)) {
      refused(failure("TOO_MANY", `Too many registrations of this ${isFull ? "connection" : "caller"} for`));
      return false;
    }
    this.#registrations++;
    return true;
  }

  #gaveUp(why: Failure, refused: (why: Failure) => void): void {
    this.#giveRegistration();
    refused(why);
  }

  #giveRegistration(): void {
    this.#registrations--;
    this.#options.context.giveRegistrations(this.caller, 1);
  }

  #deny(command: string, target: string, ids: string): void {
    this.#refused(DENIED, command, target, ids);
  }

  #refused(why: Failure, command: string, target: string, ids: string): void {
    this.#options.context.counters.refused++;
    this.complain(why, command, target, ids);
  }
}

function isCommand(command: string): command is Command {
  return (COMMANDS as readonly string[]).includes(command);
}

function unknown(text: string): Failure {
  return failure("BAD_REQUEST", text);
}

/** The failure that a responder has answered with. */
function failureOf(code: string, { headers, body }: TextMessage): Failure {
  if (!isCode(code)) return failure("HANDLER_FAILED", body);
  const reason = headerOf(headers, "error-reason");
  try {
    return new LintelError(code, body, reason === undefined ? {} : { reason }).toFailure();
  } catch {
    return new LintelError(code, body).toFailure(); // its reason was none
  }
}
