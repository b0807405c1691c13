/** One WebSocket of the text gateway: its key, then commands in both directions. */
import { isUtf8 } from "node:buffer";
import { tryAdmit, type Admitted } from "../../access/admission.ts";
import { failure, type Failure } from "../../message/failure.ts";
import type { Origin } from "../../message/origin.ts";
import { decodeText, isMalformed } from "../../text/message.ts";
import type { MessageSocket, MessageSocketEvents } from "../../transport/ws/message-socket.ts";
import { Commands } from "./commands.ts";
import type { TextContext } from "./context.ts";
import { errorFrame } from "./encode.ts";
import { newGuid } from "./guid.ts";
import { GREETINGS, type Greeting } from "./options.ts";
import { TextOutlet } from "./outlet.ts";

/** Longest key, in bytes. */
const MAX_KEY = 8_192;
/** Frames in a row that are no messages. */
const MAX_MALFORMED = 10;
/** Close codes of RFC 6455, section 7.4.1. */
const POLICY_VIOLATION = 1008;
export const GOING_AWAY = 1001;

const NOT_TEXT = Object.freeze(failure("BAD_FRAME", "Not a message of UTF-8 text:"));

export interface ConnectionOptions {
  /** Who it counts for. */
  readonly caller: string;
  /** It has been ended because it does not read. */
  readonly onSlow: (why: Failure) => void;
  readonly onOver: () => void;
}

/**
 * | state     | meaning                                  | next                                  |
 * |-----------|------------------------------------------|---------------------------------------|
 * | key       | waits for the key, which is the first message | admitting, over (time is up)     |
 * | admitting | it is found out whose key it is          | open, over (it is nobody's)           |
 * | open      | takes commands                           | over                                  |
 * | over      | the socket is closed or being closed     |                                       |
 */
type State = "key" | "admitting" | "open" | "over";

export class TextConnection implements MessageSocketEvents {
  readonly guid: string = newGuid();
  readonly #socket: MessageSocket;
  readonly #context: TextContext;
  readonly #options: ConnectionOptions;
  readonly #outlet: TextOutlet;
  #state: State = "key";
  #timer: unknown;
  /** What arrived with the key, until it is known whose it is. */
  #early: { readonly data: Buffer; readonly isBinary: boolean }[] = [];
  #commands: Commands | undefined;
  #admitted: Admitted | undefined;
  #unwatch: (() => void) | undefined;
  #malformed = 0;

  constructor(socket: MessageSocket, context: TextContext, options: ConnectionOptions) {
    this.#socket = socket;
    this.#context = context;
    this.#options = options;
    const { clock, limits, full, counters } = context;
    this.#outlet = new TextOutlet({
      socket,
      clock,
      limits,
      full,
      onDropped: (count) => (counters.dropped += count),
      onStalled: (why) => this.#stalled(why),
      onPressure: (isFull) => this.#pressure(isFull),
    });
  }

  /** True until its key has come. */
  get isSilent(): boolean {
    return this.#state === "key";
  }

  open(): void {
    const { clock, limits } = this.#context;
    this.#timer = clock.after(limits.helloTimeout, () =>
      this.refuse(failure("UNAUTHENTICATED", `no key within ${limits.helloTimeout} ms`)),
    );
    this.#socket.open(this);
  }

  /** Does not let it in, or ends it: the close says why. */
  refuse(why: Failure, code: number = POLICY_VIOLATION): void {
    if (this.#state === "over") return;
    this.#context.counters.refused++;
    this.end(code, why.message);
  }

  /** Sends what waits, then the close. */
  end(code: number, reason: string): void {
    this.#over();
    this.#socket.close(code, reason);
  }

  abort(): void {
    this.#over();
    this.#socket.abort();
  }

  // MessageSocketEvents

  message(data: Buffer, isBinary: boolean): void {
    switch (this.#state) {
      case "open":
        return this.#take(data, isBinary);
      case "admitting":
        this.#early.push({ data, isBinary });
        return undefined;
      case "key":
        return this.#admit(data, isBinary);
      case "over":
        return undefined;
    }
  }

  drained(): void {
    this.#outlet.drained();
  }

  closed(): void {
    this.#over();
    this.#options.onOver();
  }

  #admit(data: Buffer, isBinary: boolean): void {
    const { admission } = this.#context;
    const { remote, identity } = this.#socket;
    this.#context.clock.clear(this.#timer);
    if (isBinary || data.length > MAX_KEY || !isUtf8(data))
      return this.refuse(failure("UNAUTHENTICATED", "the first message must be a key, alone"));
    this.#state = "admitting";
    const key = data.toString().trim();
    const credentials = { gateway: "text", remote, ...identity, token: key === "" ? undefined : key };
    const admitted = tryAdmit(admission, credentials);
    if (!(admitted instanceof Promise)) return this.#decided(admitted);
    this.#socket.read(false);
    void admitted.then((known) => this.#decided(known));
    return undefined;
  }

  #decided(admitted: Admitted | Failure): void {
    if (this.#state !== "admitting") return undefined;
    const why = "code" in admitted ? admitted : admitted.told(admitted.quota?.takeConnection());
    if (why !== undefined) return this.refuse(why);
    this.#welcome(admitted as Admitted); // it is no failure
    return undefined;
  }

  #welcome(admitted: Admitted): void {
    const { context, guid } = this;
    const { caller } = this.#options;
    const { remote } = this.#socket;
    const tenant = context.tenants.of(admitted.tenantEngine);
    const origin: Origin = { gateway: "text", remote, principal: admitted.principal };
    this.#state = "open";
    this.#admitted = admitted;
    const read = (going: boolean): void => this.#socket.read(going && !this.#outlet.isFull);
    const own = { admitted, tenant, origin, caller, guid, context, read, outlet: this.#outlet };
    this.#commands = new Commands(own);
    this.#commands.open();
    const { greeting } = this;
    this.#outlet.send("MM OK");
    if (greeting === "two") this.#outlet.send(guid);
    this.#unwatch = admitted.watch((why) => this.refuse(why)); // may call back at once
    const early = this.#early;
    this.#early = [];
    for (const { data, isBinary } of early) this.message(data, isBinary);
    this.#socket.read(!this.#outlet.isFull);
  }

  get context(): TextContext {
    return this.#context;
  }

  get greeting(): Greeting {
    const asked = this.#socket.query.get("greeting");
    return GREETINGS.find((greeting) => greeting === asked) ?? this.#context.settings.greeting;
  }

  #take(data: Buffer, isBinary: boolean): void {
    if (isBinary || !isUtf8(data)) return this.#isMalformed(NOT_TEXT, "?", "?");
    const message = decodeText(data.toString());
    if (isMalformed(message)) {
      const why = failure("BAD_FRAME", message.problem);
      return this.#isMalformed(why, shortened(message.command), shortened(message.target));
    }
    this.#malformed = 0;
    this.#commands?.execute(message);
    return undefined;
  }

  #isMalformed(why: Failure, command: string, target: string): void {
    this.#context.counters.malformed++;
    this.#outlet.send(errorFrame(why, { command, target }));
    if (++this.#malformed >= MAX_MALFORMED)
      this.end(POLICY_VIOLATION, `${MAX_MALFORMED} frames in a row were no messages`);
  }

  #pressure(isFull: boolean): void {
    if (this.#state !== "open") return;
    this.#commands?.pressure(isFull);
    this.#socket.read(!isFull);
  }

  #stalled(why: Failure): void {
    if (this.#state === "over") return;
    this.#context.counters.slowDisconnects++;
    this.abort();
    this.#options.onSlow(why);
  }

  #over(): void {
    if (this.#state === "over") return;
    this.#state = "over";
    this.#context.clock.clear(this.#timer);
    this.#early = [];
    this.#outlet.close();
    this.#unwatch?.();
    this.#commands?.close();
    if (this.#admitted !== undefined) this.#admitted.quota?.giveConnection();
  }
}

/** Of a frame that cannot be read: enough to find it. */
function shortened(text: string): string {
  return text.replaceAll(/[\r\n]/g, " ").slice(0, 64) || "?";
}
