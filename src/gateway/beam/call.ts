import type { Route, Sink } from "../../message/delivery.ts";
import { failure, type Failure } from "../../message/failure.ts";
import type { Message, StreamEnd } from "../../message/message.ts";
import { createStream } from "../../stream/stream-pair.ts";
import type { Origin } from "../../message/origin.ts";
import { discardStreams, isRoot } from "../../stream/stream.ts";
import { unsentAnswer } from "../../message/unsent.ts";
import { errorOf, outgoingAnswer, requestOf } from "./arguments.ts";
import type { Attachments } from "./attachments.ts";
import { ChannelBridge, sendCarrying, type BridgeOwner } from "./channel-bridge.ts";
import type { MessageSocket } from "./message-socket.ts";
import type { BeamMessage } from "./message.ts";
import { OFFER_LINES, isAccepted } from "./opening.ts";

const CHANNEL = { receives: true, sends: true, messages: true };
const ANSWERED = Object.freeze(failure("NOT_ACCEPTED", "the caller was answered without a channel"));
const UNSUPPORTED = "STREAMS_UNSUPPORTED";

/**
 * A message that came with an attachment: a request, whose answer is written on the attachment, and the offer of a channel
 * over the same attachment (B-30 to B-36).
 *
 * | state    | meaning                                                  | next                                  |
 * |----------|----------------------------------------------------------|---------------------------------------|
 * | waiting  | the request has no outcome                               | open, answered                        |
 * | open     | the handler has accepted: the attachment is a channel    | over                                  |
 * | answered | an answer or an error was written, or is being written   | over                                  |
 * | over     | both directions have ended, or the caller has left       |                                       |
 */
export class BeamCall implements Sink, BridgeOwner {
  readonly #message: BeamMessage;
  readonly #route: Route;
  readonly #link: MessageSocket;
  readonly #attachments: Attachments;
  #onOutcome: (() => void) | undefined;
  #state: "waiting" | "open" | "answered" | "over" = "waiting";
  #handle = 0;
  #deadline = 0;
  #bridge: ChannelBridge | undefined;
  /** The channel was reset before the request had its outcome. */
  #reset: Failure | undefined;

  /** `onOutcome` is called once: when the handler has accepted, the answer is with the system, or the caller has left. */
  constructor(
    message: BeamMessage,
    route: Route,
    link: MessageSocket,
    attachments: Attachments,
    onOutcome: () => void,
  ) {
    this.#message = message;
    this.#route = route;
    this.#link = link;
    this.#attachments = attachments;
    this.#onOutcome = onOutcome;
  }

  start(): void {
    const { engine, settings } = this.#attachments.site;
    const [near, far] = createStream(CHANNEL);
    this.#bridge = new ChannelBridge(this.#link, near, this.#attachments, this);
    this.#deadline = engine.clock.now() + settings.timeoutMs;
    this.#link.open(this.#bridge);
    this.#bridge.start();
    const decision = this.#attachments.admitted.check("open", this.#route.subject);
    if (!(decision instanceof Promise)) return this.#begin(far, decision);
    void decision.then((why) => this.#begin(far, why));
    return undefined;
  }

  /** Offers the channel, unless it may not be opened: an answer is all that comes then. */
  #begin(far: StreamEnd, why: Failure | undefined): void {
    if (this.#state !== "waiting") return far.discard(failure("CALLER_GONE"));
    if (why !== undefined) far.discard(why);
    return this.#request(why === undefined ? far : undefined);
  }

  // Sink

  answered(_tag: number, answer: Message): void {
    if (this.#state !== "waiting") return discardStreams(answer, failure("CALLER_GONE"));
    if (isAccepted(answer)) {
      discardStreams(answer);
      this.#state = "open";
      if (this.#reset !== undefined) this.#refuse(this.#reset);
      return this.#tell();
    }
    this.#state = "answered";
    this.#bridge?.detach(ANSWERED);
    try {
      this.#answer(answer);
    } catch (error) {
      this.#refuse(unsentAnswer(answer, error));
    }
    return undefined;
  }

  failed(_tag: number, why: Failure): void {
    if (this.#state !== "waiting") return;
    // An end that cannot take the channel resets it for that reason, just before or after it fails the request.
    if (why.reason === UNSUPPORTED && this.#reset === undefined) queueMicrotask(() => this.#end(why));
    else this.#end(why);
  }

  originOf(): Origin {
    return this.#attachments.origin;
  }

  callerOf(): string {
    return this.#attachments.caller;
  }

  // BridgeOwner

  admits(): boolean {
    return true;
  }

  carries(): void {
    // whatever the handler sends comes behind its acceptance
  }

  wasReset(why: Failure): void {
    if (this.#state === "open") this.#refuse(why);
    else this.#reset = why; // the outcome follows
  }

  /** The caller has left, or the channel has come to its end. */
  over(): void {
    if (this.#state === "waiting") this.#attachments.admitted.engine.cancel(this.#handle);
    this.#state = "over";
    this.#tell();
  }

  #request(far: StreamEnd | undefined): void {
    const { engine } = this.#attachments.admitted;
    const request = requestOf(this.#message);
    if (far !== undefined) {
      request.head = OFFER_LINES + request.headText();
      request.streams = [far];
    }
    const handle = engine.request(this.#route, request, this.#deadline - engine.clock.now(), this, 0);
    if (handle !== 0) this.#handle = handle;
  }

  #end(why: Failure): void {
    if (this.#state !== "waiting") return;
    // No handler has seen it, and an answer is all that this worker can give.
    const wasUntaken = why.reason === UNSUPPORTED && this.#reset?.reason === UNSUPPORTED;
    this.#reset = undefined;
    if (wasUntaken) return this.#request(undefined);
    this.#state = "answered";
    this.#bridge?.detach(why);
    this.#refuse(why);
  }

  #answer(answer: Message): void {
    const [end] = answer.streams ?? [];
    const isSequence = end !== undefined && end.messages && !end.sends && isRoot(answer);
    if (isSequence) {
      const sequence = new ChannelBridge(this.#link, end, this.#attachments, undefined, outgoingAnswer);
      this.#link.handOver(sequence);
      sequence.start();
      this.#tell();
    } else {
      sendCarrying(this.#link, outgoingAnswer(answer), answer, this.#attachments);
      this.#link.close();
    }
  }

  #tell(): void {
    const tell = this.#onOutcome;
    this.#onOutcome = undefined;
    tell?.();
  }

  #refuse(why: Failure): void {
    this.#link.send(errorOf(why));
    this.#link.close();
  }
}
