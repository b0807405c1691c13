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
import { MessageReader, concurrencyOf, idLines, ridOf, TimeoutReader, type Kind } from "./decode.ts";
import { TextEnablings } from "./enablings.ts";
import { errorFrame } from "./encode.ts";
import { privateSubject } from "./guid.ts";
import type { TextOutlet } from "./outlet.ts";
import { TextRequests } from "./requests.ts";
import { TextResponders } from "./responders.ts";
import { TextSubscriptions } from "./subscriptions.ts";
import type { Named, TextTenant } from "./tenant.ts";

const BAD_TARGET = Object.freeze(failure("BAD_SUBJECT", "The target is too long, or is no text, in"));
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

export class Commands implements Named {
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
  readonly #reader: MessageReader;
  readonly #isObserver: boolean;
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
    const { payload, headers } = context.limits;
    const rules = { payload, headers, isBehind: tenant.isBehind };
    this.#reader = new MessageReader(options.guid, context.headerNames, rules);
    this.#private = { outlet, ended: () => undefined };
    this.#isObserver = admitted.principal.role === OBSERVER;
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
    if (this.#isObserver) return this.#refused(DENIED, message);
    const route = this.tenant.routeOf(message.target);
    try {
      if (route === undefined) throw LintelError.from(BAD_TARGET);
      this.#execute(route, message);
    } catch (error) {
      this.#refused(toFailure(error), message);
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

  #execute(route: Route, message: TextMessage): void {
    const { subject } = route;
    switch (message.command) {
      case "PUB":
        return this.#publish(route, message);
      case "REQ":
        return this.#request(route, message);
      case "RES":
        return this.#respond(subject, message);
      case "SUB":
        return this.#subscribe(subject, message);
      case "UNS":
        if (this.#subscriptions.remove(subject)) this.#giveRegistration();
        return undefined;
      case "EREQ":
        return this.#serve(subject, message);
      case "EPUB":
        return this.#enable("publish", subject, message);
      case "ESUB":
        return this.#enable("subscribe", subject, message);
      case "INT":
        return this.#setUser(message);
      default:
        throw mistake("Unknown command");
    }
  }

  #publish(route: Route, message: TextMessage): void {
    this.#options.context.counters.publications++;
    const room = this.admitted.engine.publish(route, this.#read(message, "publication"));
    if (room === undefined) return;
    this.#options.read(false);
    const goOn = (): void => this.#options.read(true);
    room.then(goOn, (error: unknown) => {
      goOn();
      this.#refused(toFailure(error), message);
    });
  }

  #request(route: Route, message: TextMessage): void {
    const { counters, settings } = this.#options.context;
    counters.requests++;
    const timeoutMs = this.#timeouts.read(message.headers) ?? settings.timeoutMs;
    const ids = idLines(message.headers);
    this.#requests.start(route, message.target, ids, this.#read(message, "request"), timeoutMs);
  }

  #respond(subject: string, message: TextMessage): void {
    const job = ridOf(message.headers);
    if (job === undefined || !this.#responders.holds(job)) {
      // Whoever may serve it has answered too late, or twice; others have no business to answer.
      const decision = this.admitted.expects("serve", subject);
      const isTrusted = decision === undefined || decision instanceof Promise;
      return this.#refused(isTrusted ? NOT_HELD : DENIED, message);
    }
    const code = headerOf(message.headers, "error-code");
    if (code !== undefined) return this.#responders.fail(job, failureOf(code, message));
    let answer: Message;
    try {
      answer = this.#read(message, "answer");
    } catch (error) {
      const why = toFailure(error);
      this.#responders.fail(job, failure("BAD_ANSWER", `the responder answered, but ${why.message}`));
      return this.#refused(why, message);
    }
    this.#responders.reply(job, answer);
    return undefined;
  }

  #subscribe(subject: string, message: TextMessage): void {
    if (this.#subscriptions.has(subject) || !this.#hasRoom(message)) return;
    this.#subscriptions.add(subject, (why) => this.#gaveUp(why, message));
  }

  #serve(subject: string, message: TextMessage): void {
    if (this.#responders.has(subject)) return;
    const { limits } = this.#options.context;
    const concurrency = concurrencyOf(message.headers) ?? limits.concurrency;
    const hearsCancels = headerOf(message.headers, "cancel") === "yes";
    if (!this.#hasRoom(message)) return;
    const enabled = ENABLED_BY_EREQ.map((verb) => ({ verb, key: `EREQ ${verb} ${subject}` }));
    // One that may serve but is no service enables nothing, which is no failure of its EREQ.
    const onReady = (): void => {
      for (const { verb, key } of enabled) this.#enablings.add(key, verb, subject, () => undefined);
    };
    const onEnded = (why: Failure): void => {
      for (const { key } of enabled) this.#enablings.remove(key);
      this.#gaveUp(why, message);
    };
    try {
      this.#responders.add(subject, this.admitted.engine, { concurrency, hearsCancels, onReady, onEnded });
    } catch (error) {
      this.#giveRegistration();
      throw error;
    }
  }

  #enable(verb: "publish" | "subscribe", subject: string, message: TextMessage): void {
    const key = `${verb} ${subject}`;
    if (this.#enablings.has(key) || !this.#hasRoom(message)) return;
    this.#enablings.add(key, verb, subject, (why) => this.#gaveUp(why, message));
  }

  #setUser({ target, headers }: TextMessage): void {
    if (!TRUSTED.has(this.admitted.principal.role)) throw LintelError.from(DENIED);
    if (target !== "UID") throw mistake("Unknown target of");
    const cid = headerOf(headers, "forcid");
    const uid = headerOf(headers, "setuid");
    const connection = cid === undefined ? undefined : this.tenant.connections.get(cid);
    if (connection === undefined) throw mistake("No connection with this forcid for");
    if (uid === undefined || uid.length > MAX_UID)
      throw mistake(`A setuid of at most ${MAX_UID} characters is missing in`);
    headerLine("uid", uid); // throws for control characters
    connection.uid = uid;
  }

  #read(message: TextMessage, kind: Kind): Message {
    return this.#reader.read(message, kind, this.uid);
  }

  /** One more registration; false, with an ERROR, when there are too many. */
  #hasRoom(message: TextMessage): boolean {
    const { context, caller } = this.#options;
    const isFull = this.#registrations >= context.limits.registrations;
    if (isFull || !context.takeRegistration(caller)) {
      const text = `Too many registrations of this ${isFull ? "connection" : "caller"} for`;
      this.#refused(failure("TOO_MANY", text), message);
      return false;
    }
    this.#registrations++;
    return true;
  }

  #gaveUp(why: Failure, message: TextMessage): void {
    this.#giveRegistration();
    this.#refused(why, message);
  }

  #giveRegistration(): void {
    this.#registrations--;
    this.#options.context.giveRegistrations(this.caller, 1);
  }

  #refused(why: Failure, { command, target, headers }: TextMessage): void {
    this.#options.context.counters.refused++;
    this.complain(why, command, target, idLines(headers));
  }
}

function mistake(text: string): LintelError {
  return LintelError.of("BAD_REQUEST", text);
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
