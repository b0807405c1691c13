import { failure, type Failure } from "../../message/failure.ts";
import { Format, Message, type StreamEnd } from "../../message/message.ts";
import { discardStreams } from "../../stream/stream.ts";
import { closeDescriptor } from "../../transport/descriptors/endpoints.ts";
import { answerOf, errorOf, failureOf } from "./arguments.ts";
import type { Attachments } from "./attachments.ts";
import { ChannelBridge, streamOver, type BridgeOwner } from "./channel-bridge.ts";
import type { MessageSocket, MessageSocketEvents } from "./message-socket.ts";
import type { BeamMessage } from "./message.ts";
import { ACCEPTED_LINE, isOffer } from "./opening.ts";

/** Ends the request. False if its outcome is no longer wanted. */
export interface Outcome {
  answer(message: Message): boolean;
  fail(why: Failure): void;
}

const NO_BYTES = new Uint8Array(0);
const LOST = Object.freeze(failure("WORKER_LOST", "the worker has closed the call without an answer"));

/**
 * A request that a worker of beam holds. Its first message on the attachment is the answer; where the caller has a channel,
 * all of them go there.
 */
export class BeamJob implements MessageSocketEvents, BridgeOwner {
  readonly #link: MessageSocket;
  readonly #attachments: Attachments;
  readonly #outcome: Outcome;
  #bridge: ChannelBridge | undefined;
  #isDone = false;

  constructor(link: MessageSocket, attachments: Attachments, outcome: Outcome) {
    this.#link = link;
    this.#attachments = attachments;
    this.#outcome = outcome;
  }

  /** `channel` is what the caller wants to open. */
  start(request: Message, channel: StreamEnd | undefined): void {
    if (channel === undefined) return this.#link.open(this);
    this.#bridge = new ChannelBridge(this.#link, channel, this.#attachments, this);
    this.#link.open(this.#bridge);
    // Not now: the registration may not be known yet.
    if (!isOffer(request)) queueMicrotask(() => this.carries());
    return this.#bridge.start();
  }

  /** Its outcome is no longer wanted. */
  cancel(): void {
    this.#isDone = true;
    this.#bridge?.detach(failure("CALLER_GONE"));
    this.#link.abort();
  }

  // LinkEvents, where the answer is one message

  message(message: BeamMessage, attachment: number | undefined): void {
    if (this.#isDone) {
      this.#attachments.site.stats.dropped++;
      if (attachment !== undefined) closeDescriptor(attachment);
      return;
    }
    this.#isDone = true;
    const stream =
      attachment === undefined
        ? undefined
        : streamOver(attachment, this.#attachments, message.generation ?? 2);
    if (message.name === "error") {
      stream?.reset(failure("CALLER_GONE"));
      this.#outcome.fail(failureOf(message));
    } else {
      const answer = answerOf(message, stream !== undefined);
      if (stream !== undefined) answer.streams = [stream];
      if (!this.#outcome.answer(answer)) discardStreams(answer, failure("CALLER_GONE"));
    }
    this.#link.close();
  }

  finished(): void {
    if (this.#isDone) return;
    this.#end(LOST);
    this.#link.close();
  }

  drained(): void {
    // nothing more is sent
  }

  closed(why: Failure | undefined): void {
    if (why?.code === "invalid_argument") this.#attachments.site.stats.malformed++;
    this.#end(LOST);
  }

  // BridgeOwner, where the caller has a channel

  admits(message: BeamMessage | undefined): boolean {
    if (this.#isDone) return true;
    if (message !== undefined && message.name !== "error") return this.#accept();
    this.#end(message === undefined ? LOST : failureOf(message));
    this.#bridge?.detach(failure("CALLER_GONE"));
    this.#link.close();
    return false;
  }

  /** The caller goes on before it has heard anything: it takes the request for a conversation. */
  carries(): void {
    if (!this.#isDone) this.#accept();
  }

  wasReset(why: Failure): void {
    this.#end(why);
    this.#link.send(errorOf(why));
    this.#link.close();
  }

  over(): void {
    this.#end(LOST);
  }

  #accept(): boolean {
    this.#isDone = true;
    if (this.#outcome.answer(Message.ofBytes(NO_BYTES, ACCEPTED_LINE, Format.typed))) return true;
    this.#bridge?.detach(failure("CALLER_GONE"));
    this.#link.close();
    return false;
  }

  #end(why: Failure): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.#outcome.fail(why);
  }
}
