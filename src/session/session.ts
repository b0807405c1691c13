/**
 * One connection speaking the native protocol. Both ends may request, serve, publish and subscribe. A session keeps no
 * table of requests: numbers are its owner's, it only moves them.
 */
import { failure, type Failure } from "../message/failure.ts";
import { ENABLED_VERBS, type EnabledVerb } from "../message/delivery.ts";
import { MAX_HEADERS, MAX_TIMEOUT } from "../message/limits.ts";
import { BufferLease } from "../message/buffer-lease.ts";
import type { Message } from "../message/message.ts";
import { OVERFLOWS, type Overflow } from "../message/overflow.ts";
import { CODES } from "../message/status.ts";
import type { Connection } from "../transport/transport.ts";
import { FrameType, HEADER_SIZE, MAX_BINDING, TIMEOUT_SIZE, writeHeader } from "../wire/frame.ts";
import { FrameReader } from "../wire/frame-reader.ts";
import { NumberPool, type OutBinding } from "./bindings.ts";
import { writeControl, writeFailure, writeMessage, type BodyLimits } from "./frame-writer.ts";
import { Greeter } from "./greeter.ts";
import { headersTaken, type Greeting } from "./greeting.ts";
import { Heartbeat } from "../runtime/heartbeat.ts";
import { Inbound } from "./inbound.ts";
import { MAX_GREETING, type SessionOptions, type SessionState } from "./options.ts";
import { createDescriptorChannel } from "./side-channels/create-descriptor-channel.ts";
import type { DescriptorChannel } from "./side-channels/descriptor-channel.ts";
import { Outbox } from "./outbox.ts";
import { Pressure } from "./pressure.ts";
import { connectionLost, stalled } from "./endings.ts";
import { SessionStreams, encoded } from "./streams/streams.ts";

/** A connection that was told to close is cut off after this long. */
const CLOSE_GRACE_MS = 2_000;
/** Higher counts do not fit their field. */
const MAX_COUNT = 0xffff_ffff;

export class Session<R> {
  readonly remote: string;
  readonly outbox: Outbox;
  readonly streams: SessionStreams;
  readonly pressure: Pressure;
  readonly #connection: Connection;
  readonly #options: SessionOptions<R>;
  readonly heartbeat: Heartbeat;
  readonly #reader: FrameReader;
  readonly #inbound: Inbound<R>;
  /** As the pressure's. */
  readonly #mark: number;
  #numbers: NumberPool;
  readonly #greeter: Greeter;
  #state: SessionState = "greeting";
  #timer: unknown;
  #why: Failure | undefined;
  /** What the other end takes. */
  #peerLimits: BodyLimits = { payload: 0, headers: 0 };
  /** Where descriptors pass, where they can. */
  readonly #lane: DescriptorChannel | undefined;
  /** Name of the other end, from its greeting. */
  peerName = "";
  /** The other end takes ENABLE. */
  peerTakesEnable = false;
  /** True when the session has ended by a CLOSE of the other end. */
  wasClosedByPeer = false;

  constructor(connection: Connection, options: SessionOptions<R>) {
    const { limits, clock, flusher } = options;
    this.#connection = connection;
    this.remote = connection.remote;
    this.#options = options;
    this.outbox = new Outbox(connection, flusher);
    this.#lane = createDescriptorChannel(connection.descriptors, options, {
      passed: (stream, passed) => this.streams.passed(stream, passed),
      broken: (why) => this.fail(why),
      ask: () => this.#control(FrameType.lane, 0, 0),
    });
    const { bypasses } = connection;
    const ways = { lane: this.#lane, bypasses, heard: () => this.heartbeat.heard() };
    this.streams = new SessionStreams(this.outbox, options, ways, () => this.#bound());
    this.outbox.onDrained = () => {
      this.streams.drained();
      this.pressure.taken();
      options.lifecycle.drained();
    };
    this.#numbers = new NumberPool(options.firstBinding ?? 1, MAX_BINDING);
    this.#reader = new FrameReader(MAX_GREETING, options.room);
    this.#inbound = new Inbound(this, options);
    this.heartbeat = new Heartbeat(clock, limits, {
      ping: () => this.#control(FrameType.ping, 0, 0),
      lost: () => this.fail(failure("HEARTBEAT_LOST")),
    });
    this.pressure = new Pressure(connection, options, {
      outbox: this.outbox,
      heartbeat: this.heartbeat,
      streams: this.streams,
      reader: this.#reader,
      resume: () => this.#resume(),
      stalled: () => this.#stalled(),
      overflowed: () => this.abort(failure("SLOW_CONSUMER")),
    });
    this.#mark = this.pressure.mark;
    const ownBypasses = this.streams.bypasses?.limit ?? 0;
    const parts = { connection, outbox: this.outbox, reader: this.#reader, lane: this.#lane };
    this.#greeter = new Greeter(
      options,
      { ...parts, bypasses: ownBypasses },
      {
        authenticating: () => void (this.#state = "authenticating"),
        opened: (greeting) => this.#opened(greeting),
        resume: () => this.#resume(),
        failed: (why) => this.fail(why),
      },
    );
  }

  get state(): SessionState {
    return this.#state;
  }

  /** Largest payload the other end takes, known once open. */
  get maxPayload(): number {
    return this.#peerLimits.payload;
  }

  /** Largest header block the other end takes, known once open. */
  get maxHeaders(): number {
    return this.#peerLimits.headers;
  }

  /** Starts the session: the dialer greets. */
  start(): void {
    this.#connection.open({
      data: (bytes, isOffered) => this.#data(bytes, isOffered),
      drained: () => {
        this.outbox.drained();
        this.pressure.taken();
      },
      closed: (error) => this.#over(this.#why ?? connectionLost(error)),
    });
    this.#greeter.start();
  }

  /** The greeting of the other end was read and is acceptable. */
  greeted(version: number, greeting: Greeting): void {
    this.#greeter.greeted(version, greeting);
  }

  #opened(greeting: Greeting): void {
    const { limits } = this.#options;
    this.#reader.allow(TIMEOUT_SIZE + headersTaken(limits.headers) + limits.payload);
    const { payload, headers } = greeting.limits;
    this.#peerLimits = { payload, headers: Math.min(headers, MAX_HEADERS) };
    this.peerName = greeting.name;
    this.peerTakesEnable = greeting.takesEnable;
    const hasLane = this.#lane !== undefined && this.#lane.token !== "";
    const understood = greeting.attachments === "descriptors" && !hasLane ? "bytes" : greeting.attachments;
    this.streams.allow({ ...greeting, limits: this.#peerLimits, attachments: understood });
    const first = this.#options.firstBinding ?? 1;
    this.#numbers = new NumberPool(first, Math.min(MAX_BINDING, first - 1 + greeting.bindings));
    this.#state = "open";
    this.heartbeat.start();
    this.#options.lifecycle.opened();
  }

  laneWanted(): string | undefined {
    if (this.#lane === undefined || this.#lane.token === "" || this.#options.role === "acceptor")
      return "LANE where no lane can be opened";
    this.#lane.open();
    return undefined;
  }

  laneOpened(token: string): void {
    const { descriptorChannels } = this.#options;
    if (descriptorChannels === undefined)
      return this.fail(failure("BAD_FRAME", "LANE where no lane can be opened"));
    const refused = descriptorChannels.admit(token, this.#connection.descriptors);
    if (refused !== undefined) return this.fail(refused);
    return this.#over(failure("CLOSED", "the connection has become the lane of a session"));
  }

  /** Announces a subject. `number` of the binding is then what requests and publications name. */
  bind(binding: OutBinding): void {
    this.#numbers.assign(binding);
    this.bindNumber(binding.number, binding.registration, binding.subject);
  }

  /** Announces a subject under a number the owner gives, below `firstBinding`. */
  bindNumber(number: number, registration: number, subject: string): void {
    writeControl(this.outbox, FrameType.bind, 0, number, registration, subject);
  }

  /** Throws `TOO_LARGE` when the other end would not take the payload; nothing is sent then. */
  request(binding: OutBinding, id: number, request: Message, timeoutMs: number): void {
    if (binding.number === 0) this.bind(binding);
    const timeout = timeoutMs < 1 ? 1 : timeoutMs > MAX_TIMEOUT ? MAX_TIMEOUT : timeoutMs;
    if (request.streams === undefined) {
      writeMessage(this.outbox, FrameType.request, binding.number, id, request, timeout, this.#peerLimits);
    } else {
      this.#writeWithStreams(FrameType.request, binding.number, id, request, timeout);
    }
    this.#bound();
  }

  /**
   * Answers request `id`, which came for this registration (0 when it came for none). Throws like `request`.
   */
  reply(registration: number, id: number, answer: Message): void {
    if (answer.streams === undefined) {
      writeMessage(this.outbox, FrameType.reply, registration, id, answer, -1, this.#peerLimits);
    } else {
      this.#writeWithStreams(FrameType.reply, registration, id, answer, -1);
    }
    this.#bound(true);
  }

  error(registration: number, id: number, why: Failure): void {
    writeFailure(this.outbox, FrameType.error, registration, id, why, this.#peerLimits.payload);
    this.#bound(true);
  }

  /** Withdraws a request made before, for the registration it went to. */
  cancel(registration: number, id: number, why: Failure): void {
    this.#control(FrameType.cancel, registration, id, CODES[why.code].wire);
  }

  /** Throws like `request`. */
  publish(binding: OutBinding, publication: Message): void {
    if (binding.number === 0) this.bind(binding);
    writeMessage(this.outbox, FrameType.publish, binding.number, 0, publication, -1, this.#peerLimits);
  }

  /** Tells that publications are missing, on the subject that is bound to this number. */
  dropped(number: number, count: number): void {
    writeControl(this.outbox, FrameType.dropped, 0, number, Math.min(count, MAX_COUNT)); // P-65
  }

  serve(registration: number, pattern: string, queue: string, concurrency: number): void {
    writeControl(this.outbox, FrameType.serve, queue.length, concurrency, registration, queue + pattern);
  }

  subscribe(registration: number, pattern: string, overflow: Overflow): void {
    const policy = OVERFLOWS.indexOf(overflow); // P-51
    writeControl(this.outbox, FrameType.subscribe, 0, policy, registration, pattern);
  }

  /** Only for an end that takes it. */
  enable(registration: number, verb: EnabledVerb, pattern: string): void {
    const target = ENABLED_VERBS.indexOf(verb) + 1; // P-147
    writeControl(this.outbox, FrameType.enable, 0, target, registration, pattern);
  }

  leave(registration: number): void {
    this.#control(FrameType.leave, 0, registration);
  }

  /** Confirms a SERVE, SUBSCRIBE, ENABLE or LEAVE, whichever `asked`. */
  ready(registration: number, asked: FrameType): void {
    this.#control(FrameType.ready, 0, registration, asked, true);
  }

  refuse(registration: number, why: Failure): void {
    writeFailure(this.outbox, FrameType.refused, 0, registration, why, this.#peerLimits.payload);
    this.#bound(true);
  }

  /** Asks the other end to send nothing new. */
  goaway(why: Failure): void {
    if (this.#state === "open") writeFailure(this.outbox, FrameType.goaway, 0, 0, why, 0);
  }

  /** Answers a ping. */
  pong(id: number): void {
    this.#control(FrameType.pong, 0, id, 0, true);
  }

  /** Tells the other end why, sends what waits, and closes. */
  fail(why: Failure): void {
    if (this.#state === "closing" || this.#state === "closed") return;
    this.#takeLeave(why);
    this.#end(why);
  }

  /** As `fail`, when the streams that have ended have sent what they have to on their bypasses. */
  close(why: Failure): void {
    const { bypasses } = this.streams;
    if (bypasses?.isSending !== true) return this.fail(why);
    if (this.#state === "closing" || this.#state === "closed") return undefined;
    bypasses.whenSent(() => {
      if (this.#state === "closing") this.#takeLeave(why);
    });
    return this.#end(why);
  }

  #takeLeave(why: Failure): void {
    writeFailure(this.outbox, FrameType.close, 0, 0, why, 0);
    this.outbox.flush();
    if (this.outbox.isEmpty) this.#connection.close();
    else this.outbox.onDrained = () => this.#connection.close();
  }

  /** Ends at once, without a word. */
  abort(why: Failure): void {
    if (this.#state === "closed") return;
    this.#connection.abort();
    this.#over(this.#why ?? why);
  }

  /** The other end has said why it closes; the connection's end follows. */
  closedByPeer(why: Failure): void {
    if (this.#state === "closing" || this.#state === "closed") return;
    this.wasClosedByPeer = true;
    this.outbox.flush();
    this.#connection.close();
    this.#end(why);
  }

  /** Neither end says anything more; the connection has a little time to end by itself. */
  #end(why: Failure): void {
    const { clock, lifecycle } = this.#options;
    this.#state = "closing";
    this.#why = why;
    this.#reader.stop();
    this.heartbeat.stop();
    this.pressure.stop();
    this.#numbers.clear();
    this.streams.clear();
    this.#closeLane();
    this.#greeter.stop();
    this.#timer = clock.after(CLOSE_GRACE_MS, () => this.#connection.abort());
    lifecycle.ended(why);
  }

  #data(bytes: Uint8Array, isOffered: boolean): boolean {
    this.heartbeat.heard();
    const loan = new BufferLease(bytes, isOffered);
    const broken = this.#reader.push(bytes, this.#inbound, loan);
    this.#inbound.release();
    if (broken !== undefined) this.fail(broken);
    return loan.isTaken;
  }

  #resume(): void {
    const broken = this.#reader.resume(this.#inbound);
    this.#inbound.release();
    if (broken !== undefined) this.fail(broken);
  }

  #control(type: FrameType, target: number, id: number, aux = 0, isAnswer = false): void {
    const { outbox } = this;
    const slab = outbox.reserve(HEADER_SIZE);
    writeHeader(slab, outbox.offset, 0, type, 0, aux, target, id);
    outbox.advance(outbox.offset + HEADER_SIZE);
    this.#bound(isAnswer);
  }

  #closeLane(): void {
    if (this.#lane === undefined) return;
    this.#options.descriptorChannels?.revoke(this.#lane);
    this.#lane.close();
  }

  /** OPEN for each stream, then the message that takes them. Throws what encoding throws, too; its streams are over then. */
  #writeWithStreams(type: FrameType, target: number, id: number, message: Message, timeout: number): void {
    this.streams.carry(encoded(message), (written) =>
      writeMessage(this.outbox, type, target, id, written, timeout, this.#peerLimits),
    );
  }

  /** After every write but those of publications. Streams have credit, and room for it. */
  #bound(isAnswer = false): void {
    const { queued } = this.outbox;
    if (queued <= this.#mark || queued <= this.#mark + this.streams.room) return;
    this.pressure.filled(isAnswer);
  }

  /** P-62: the other end takes nothing. What waits for it is dropped, so that CLOSE is what it reads next. */
  #stalled(): void {
    const waiting = this.outbox.queued;
    this.outbox.discard();
    this.fail(stalled(waiting, this.#options.limits.stallTimeout));
  }

  #over(why: Failure): void {
    if (this.#state === "closed") return;
    const { clock, lifecycle } = this.#options;
    const hadEnded = this.#state === "closing";
    this.#state = "closed";
    this.#why = why;
    clock.clear(this.#timer);
    this.#greeter.stop();
    this.heartbeat.stop();
    this.pressure.stop();
    this.#reader.stop();
    this.outbox.close();
    this.#numbers.clear();
    this.streams.clear();
    this.#closeLane();
    if (!hadEnded) lifecycle.ended(why);
    lifecycle.closed(why);
  }
}
