/** Reads the frames of one session: checks every clause that binds the sender, then tells the session's owner. */
import { copyOf } from "../message/bytes.ts";
import { ENABLED_VERBS } from "../message/delivery.ts";
import { LintelError, failure, type Failure } from "../message/failure.ts";
import { findHeader } from "../message/headers.ts";
import { MAX_SUBJECT, MAX_TIMEOUT } from "../message/limits.ts";
import type { BufferLease } from "../message/buffer-lease.ts";
import { Message, type Format } from "../message/message.ts";
import { OVERFLOWS } from "../message/overflow.ts";
import { CODES, isCode, reasonOr } from "../message/status.ts";
import { isPattern, isSubject } from "../message/subject.ts";
import { readUtf8 } from "../message/text.ts";
import {
  CARRIES_STREAMS,
  FORMAT_MASK,
  FrameType,
  MAX_BINDING,
  TIMEOUT_SIZE,
  readU32,
  type FrameHeader,
} from "../wire/frame.ts";
import type { FrameSink } from "../wire/frame-reader.ts";
import { BindingTable } from "./bindings.ts";
import type { SessionStreams } from "./streams/streams.ts";
import type { SessionCalls } from "./events.ts";
import { readGreeting, type Greeting } from "./greeting.ts";
import { MIN_HEADERS, PROTOCOL_VERSION, type SessionOptions, type SessionState } from "./options.ts";

const MAX_QUEUE_NAME = 255;
const NO_BYTES = new Uint8Array(0);
/** A number that stands for nothing. */
const UNIMPLEMENTED: Failure = Object.freeze(
  new LintelError("unimplemented", "an unknown policy or verb").toFailure(),
);

/** What reading frames does to the session itself. */
interface SessionControl {
  readonly state: SessionState;
  readonly streams: SessionStreams;
  greeted(version: number, greeting: Greeting): void;
  /** The other end asks for a lane. Returns what is wrong with that. */
  laneWanted(): string | undefined;
  /** The connection is to be the lane of the session that has given this token out. */
  laneOpened(token: string): void;
  pong(id: number): void;
  refuse(registration: number, why: Failure): void;
  fail(why: Failure): void;
  closedByPeer(why: Failure): void;
}

export class Inbound<R> implements FrameSink {
  readonly #session: SessionControl;
  readonly #options: SessionOptions<R>;
  readonly #calls: SessionCalls<R>;
  readonly #maxHeaders: number;
  readonly #maxPayload: number;
  readonly #bindings = new BindingTable<R>();
  /** Reused for every message; code that keeps one calls `retain()`. */
  readonly #message = new Message();

  constructor(session: SessionControl, options: SessionOptions<R>) {
    this.#session = session;
    this.#options = options;
    this.#message.head = undefined;
    this.#calls = options.calls;
    this.#maxHeaders = Math.max(options.limits.headers, MIN_HEADERS);
    this.#maxPayload = options.limits.payload;
  }

  begin(bytes: Uint8Array, loan: BufferLease | undefined): void {
    this.#message.bytes = bytes;
    this.#message.loan = loan;
  }

  /** The bytes that frames were in are theirs no longer. */
  release(): void {
    this.begin(NO_BYTES, undefined);
  }

  /** P-119: how the bytes of a stream are cut into DATA means nothing. */
  isDivisible({ type, flags, aux, target }: FrameHeader, length: number): boolean {
    if (type !== FrameType.data || aux !== 0 || flags > FORMAT_MASK || length > this.#maxPayload)
      return false;
    return this.#session.state === "open" && this.#session.streams.takesBytes(target);
  }

  frame(header: FrameHeader, bytes: Uint8Array, start: number, end: number): void {
    if (this.#session.state !== "open") return this.#greeting(header, bytes, start, end);
    const calls = this.#calls;
    switch (header.type) {
      case FrameType.request: {
        const binding = this.#bindings.get(header.target);
        // P-23, P-40, P-41
        if (binding === undefined)
          return this.#break(`REQUEST names binding ${header.target}, which is not bound`);
        if (end - start < TIMEOUT_SIZE) return this.#break("REQUEST is shorter than its timeout");
        if (header.id === 0) return this.#break("REQUEST has id 0");
        if (!this.#body(header, start + TIMEOUT_SIZE, end)) return undefined;
        const timeout = readU32(bytes, start);
        return calls.request(
          header.id,
          binding,
          this.#message,
          timeout < MAX_TIMEOUT ? timeout : MAX_TIMEOUT,
        );
      }
      case FrameType.reply:
        if (!this.#body(header, start, end)) return undefined;
        return calls.reply(header.target, header.id, this.#message);
      case FrameType.publish: {
        const binding = this.#bindings.get(header.target);
        if (binding === undefined)
          return this.#break(`PUBLISH names binding ${header.target}, which is not bound`);
        if (!this.#body(header, start, end)) return undefined;
        if (this.#message.streams !== undefined) return this.#break("PUBLISH carries streams"); // P-116
        return calls.publish(binding, this.#message);
      }
      default:
        return this.#control(header, bytes, start, end);
    }
  }

  #control(header: FrameHeader, bytes: Uint8Array, start: number, end: number): void {
    const { calls, registrations, lifecycle } = this.#options;
    switch (header.type) {
      case FrameType.error: {
        const why = this.#failure(header, bytes, start, end);
        return why && calls.error(header.target, header.id, why);
      }
      case FrameType.cancel:
        return calls.cancel(header.target, header.id, canceled(header.aux));
      case FrameType.dropped: {
        const binding = this.#bindings.get(header.target);
        if (binding !== undefined) return calls.dropped(binding, header.id);
        return this.#break(`DROPPED names binding ${header.target}, which is not bound`); // P-65
      }
      case FrameType.bind:
        return this.#bind(header, bytes, start, end);
      case FrameType.serve:
      case FrameType.subscribe:
        return this.#register(header, bytes, start, end);
      case FrameType.enable:
        if (registrations.enable !== undefined) return this.#register(header, bytes, start, end);
        return this.#stream(header, bytes, start, end); // P-146: it is unknown here
      case FrameType.leave:
        return registrations.leave(header.id);
      case FrameType.ready:
        return registrations.ready(header.id, header.aux);
      case FrameType.refused: {
        const why = this.#failure(header, bytes, start, end);
        return why && registrations.refused(header.id, why);
      }
      case FrameType.ping:
        return this.#session.pong(header.id);
      case FrameType.pong:
        return undefined; // any arrival is a sign of life
      case FrameType.goaway: {
        const why = this.#failure(header, bytes, start, end);
        return why && lifecycle.goaway(why);
      }
      case FrameType.close: {
        const why = this.#failure(header, bytes, start, end);
        return why && this.#session.closedByPeer(why);
      }
      case FrameType.hello:
      case FrameType.welcome:
        return this.#break("a second greeting"); // P-4
      default:
        return this.#stream(header, bytes, start, end);
    }
  }

  #stream(header: FrameHeader, bytes: Uint8Array, start: number, end: number): void {
    const { streams } = this.#session;
    let wrong: string | undefined;
    switch (header.type) {
      case FrameType.open:
        wrong = streams.opened(header);
        break;
      case FrameType.data:
        if (!this.#body(header, start, end)) return undefined;
        wrong = streams.data(header, this.#message);
        break;
      case FrameType.credit:
        wrong = streams.credit(header);
        break;
      case FrameType.end:
        wrong = streams.ended(header);
        break;
      case FrameType.reset: {
        const why = this.#failure(header, bytes, start, end);
        wrong = why && streams.resetByPeer(header, why);
        break;
      }
      case FrameType.take:
        wrong = streams.taken(header);
        break;
      case FrameType.bytes:
        wrong = streams.bytesFollow(header);
        break;
      case FrameType.lane:
        wrong = this.#session.laneWanted();
        break;
      case FrameType.bypass:
        wrong = streams.bypassed(header);
        break;
      default:
        wrong = `unknown frame type ${header.type}`; // P-4
    }
    return wrong === undefined ? undefined : this.#break(wrong);
  }

  #greeting(header: FrameHeader, bytes: Uint8Array, start: number, end: number): void {
    const session = this.#session;
    if (session.state !== "greeting") return undefined; // P-17: closing, what still arrives is not read
    if (header.type === FrameType.close) {
      const why = this.#failure(header, bytes, start, end);
      return why && session.closedByPeer(why);
    }
    if (header.type === FrameType.lane && this.#options.role === "acceptor")
      return session.laneOpened(readUtf8(bytes, start, end)); // P-124
    const awaited = this.#options.role === "acceptor" ? FrameType.hello : FrameType.welcome;
    if (header.type !== awaited) return this.#break("the first frame is not a greeting"); // P-13
    if (header.aux !== end - start) return this.#break("the greeting is not a header block"); // P-12
    const [highest, lowest] =
      awaited === FrameType.hello ? [header.target, header.id] : [header.target, header.target];
    if (lowest > PROTOCOL_VERSION || highest < PROTOCOL_VERSION) {
      // P-11
      const text = `this end speaks version ${PROTOCOL_VERSION}, the other ${lowest} to ${highest}`;
      return session.fail(failure("BAD_VERSION", text));
    }
    const block = readUtf8(bytes, start, end);
    const greeting = readGreeting(block, awaited === FrameType.welcome);
    if (typeof greeting === "string") return this.#break(greeting);
    return session.greeted(PROTOCOL_VERSION, greeting);
  }

  /** Sets `#message` to a frame's header block and payload. */
  #body(header: FrameHeader, start: number, end: number): boolean {
    const message = this.#message;
    const payloadStart = start + header.aux;
    if (payloadStart > end || header.aux > this.#maxHeaders) {
      // P-30, P-31
      this.#break(`a header block of ${header.aux} bytes does not fit its frame or the limit`);
      return false;
    }
    if (end - payloadStart > this.#maxPayload) {
      // P-31
      this.#break(`a payload of ${end - payloadStart} bytes is over the limit of ${this.#maxPayload}`);
      return false;
    }
    const format = header.flags & FORMAT_MASK;
    if (format > 2) {
      // P-32
      this.#break("unknown payload format");
      return false;
    }
    message.streams = (header.flags & CARRIES_STREAMS) === 0 ? undefined : this.#session.streams.take();
    if (message.streams?.length === 0) {
      this.#break("a message says that it carries streams, but none is open for it"); // P-115
      return false;
    }
    message.format = format as Format;
    message.headStart = start;
    message.payloadStart = payloadStart;
    message.end = end;
    return true;
  }

  #bind(header: FrameHeader, bytes: Uint8Array, start: number, end: number): void {
    const number = header.target; // P-20
    if (number === 0 || number > MAX_BINDING) return this.#break(`${number} is not a legal binding number`);
    if (end - start > MAX_SUBJECT) return this.#break("BIND has a subject that is too long");
    const subject = readUtf8(bytes, start, end);
    if (!isSubject(subject)) return this.#break("BIND has an illegal subject");
    const { limits, room } = this.#options;
    if (this.#bindings.get(number) === undefined) {
      if (this.#bindings.size >= limits.bindings)
        return this.#session.fail(failure("TOO_MANY", `more than ${limits.bindings} subjects are bound`)); // P-24
      if (room?.takeBinding() === false)
        return this.#session.fail(
          failure("TOO_MANY", "the sessions of this caller have bound too many subjects"),
        );
    }
    this.#bindings.set(number, subject, header.id); // P-22
  }

  #register(header: FrameHeader, bytes: Uint8Array, start: number, end: number): void {
    const { registrations } = this.#options;
    if (header.id === 0) return this.#break("a registration has number 0"); // P-50
    if (end - start > MAX_QUEUE_NAME + MAX_SUBJECT) return this.#break("a registration's names are too long");
    const patternStart = start + header.aux;
    if (patternStart > end) return this.#break("SERVE's queue does not fit its frame");
    if (header.type !== FrameType.serve && header.aux !== 0) return this.#break("only SERVE names a queue"); // P-51, P-147
    const queue = readUtf8(bytes, start, patternStart);
    const pattern = readUtf8(bytes, patternStart, end);
    if (!isPattern(pattern)) return this.#session.refuse(header.id, failure("BAD_SUBJECT")); // P-52
    if (queue !== "" && !isSubject(queue)) {
      return this.#session.refuse(header.id, failure("BAD_SUBJECT", "not a legal queue name"));
    }
    if (header.type === FrameType.serve) {
      return registrations.serve(header.id, pattern, queue, header.target);
    }
    const overflow = OVERFLOWS[header.target];
    const verb = ENABLED_VERBS[header.target - 1];
    if (header.type === FrameType.subscribe && overflow !== undefined)
      return registrations.subscribe(header.id, pattern, overflow);
    if (header.type === FrameType.enable && verb !== undefined)
      return registrations.enable?.(header.id, verb, pattern);
    return this.#session.refuse(header.id, UNIMPLEMENTED); // P-51, P-147
  }

  /** The failure in a frame; undefined when it breaks the protocol, and the session with it. */
  #failure(header: FrameHeader, bytes: Uint8Array, start: number, end: number): Failure | undefined {
    const payloadStart = start + header.aux;
    if (payloadStart > end || header.aux > MIN_HEADERS) {
      this.#break(`a failure of ${header.aux} bytes does not fit its frame or the limit`); // P-72
      return undefined;
    }
    const block = readUtf8(bytes, start, payloadStart);
    const named = findHeader(block, "code");
    const code = isCode(named) ? named : "unknown"; // P-70: a newer peer may know more codes
    const reason = findHeader(block, "reason");
    return {
      code,
      reason: reasonOr(reason, code),
      message: findHeader(block, "message") ?? "",
      retryable: findHeader(block, "retryable") === "true",
      details: payloadStart < end ? copyOf(bytes, payloadStart, end) : undefined,
    };
  }

  #break(text: string): void {
    this.#session.fail(failure("BAD_FRAME", text));
  }
}

function canceled(code: number): Failure {
  return failure(code === CODES.deadline_exceeded.wire ? "DEADLINE" : "CALLER_GONE");
}
