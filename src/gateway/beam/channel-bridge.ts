import { LintelError, failure, toFailure, type Failure } from "../../message/failure.ts";
import type { Message, StreamEnd, StreamEvents } from "../../message/message.ts";
import { createStream } from "../../stream/stream-pair.ts";
import { discardStreams, messageCost } from "../../stream/stream.ts";
import { CreditPump, type PumpSource } from "../../stream/credit-pump.ts";
import { closeDescriptor } from "../../transport/descriptors/endpoints.ts";
import { channelMessageOf, errorOf, outgoingMessage, tooManyStreams, type Outgoing } from "./arguments.ts";
import { TakenWindow } from "./taken-window.ts";
import type { Attachments } from "./attachments.ts";
import type { MessageSocket, MessageSocketEvents } from "./message-socket.ts";
import { isSocket } from "./file-bridge.ts";
import type { BeamMessage, Generation } from "./message.ts";
import { ByteBridge } from "./byte-bridge.ts";

const CHANNEL = { receives: true, sends: true, messages: true };
const GONE = Object.freeze(failure("CALLER_GONE", "the other end of the channel has left"));

/** The owner of the bridge. */
export interface BridgeOwner {
  /** Asked of every message that arrives from the peer, and of their end; false, and nothing is made of it. */
  admits(message: BeamMessage | undefined): boolean;
  /** A message from the hub's side goes to the peer. */
  carries(): void;
  /** The stream was reset from the hub's side, before the link has ended. The bridge is done with both. */
  wasReset(why: Failure): void;
  /** The link has ended. */
  over(): void;
}

/**
 * An attachment and a channel of the hub as one: each direction runs at the speed of its reader and ends by itself (B-40 to
 * B-45). Messages may have attachments of their own, which become channels in turn.
 */
export class ChannelBridge implements MessageSocketEvents, StreamEvents, PumpSource {
  readonly #link: MessageSocket;
  readonly #end: StreamEnd;
  readonly #attachments: Attachments;
  readonly #owner: BridgeOwner | undefined;
  readonly #form: (message: Message) => Outgoing;
  readonly #window: TakenWindow;
  #isOver = false;
  #linkOver = false;
  // From the peer into the hub.
  readonly #pump: CreditPump;
  #inputEnded = false;
  #hasSent = false;
  /** Something was sent to the peer since its own end. */
  #isAnswered = false;
  // From the hub to the peer.
  #receiving: boolean;

  /** `owner` may be left out; `form` turns what the hub's side sends into messages. */
  constructor(
    link: MessageSocket,
    end: StreamEnd,
    attachments: Attachments,
    owner?: BridgeOwner,
    form: (message: Message) => Outgoing = outgoingMessage,
  ) {
    this.#link = link;
    this.#form = form;
    this.#end = end;
    this.#attachments = attachments;
    this.#owner = owner;
    this.#pump = new CreditPump(end, this);
    this.#receiving = end.receives;
    this.#window = new TakenWindow(end, attachments.site.budget, () => link.isReady);
  }

  /** Joins the two. The link's events are to come here. */
  start(): void {
    this.#end.listen(this);
    if (this.#receiving) this.#window.open();
  }

  /** Lets go of both: the other end of the stream hears why, the link is the owner's. */
  detach(why: Failure): void {
    if (this.#isOver) return;
    this.#finish();
    this.#end.reset(why);
  }

  // LinkEvents

  message(message: BeamMessage, attachment: number | undefined): void {
    if (!this.#pump.isOpen || this.#owner?.admits(message) === false) {
      this.#attachments.site.stats.dropped++;
      if (attachment !== undefined) closeDescriptor(attachment);
      return;
    }
    this.#hasSent = true;
    const nested =
      attachment === undefined
        ? undefined
        : streamOver(attachment, this.#attachments, message.generation ?? 2);
    const arrived = channelMessageOf(message, nested !== undefined);
    if (nested !== undefined) arrived.streams = [nested];
    try {
      this.#pump.push(arrived);
    } catch (error) {
      this.refused(error, arrived);
    }
  }

  finished(): void {
    if (this.#isOver || this.#owner?.admits(undefined) === false) return;
    this.#inputEnded = true;
    this.#pump.finish();
  }

  drained(): void {
    this.#window.taken();
  }

  closed(why: Failure | undefined): void {
    if (why?.code === "invalid_argument") this.#attachments.site.stats.malformed++;
    this.#linkOver = true;
    // What has come up to its end must still be read: data sent before leaving is delivered. A reset would overtake it.
    const isHeard = this.#hasSent && !this.#isAnswered;
    const isClean = why === undefined && this.#inputEnded && (isHeard || !this.#receiving);
    if (!this.#isOver && !isClean) {
      this.#finish();
      this.#end.reset(why ?? GONE);
    }
    this.#owner?.over();
  }

  // PumpSource

  pause(): void {
    this.#link.pause();
  }

  resume(): void {
    this.#link.resume();
  }

  refused(error: unknown, message: Message): void {
    const why = toFailure(error);
    discardStreams(message, why);
    this.#fail(why);
  }

  sentAll(): void {
    this.#settle();
  }

  // StreamEvents

  data(message: Message): void {
    if (this.#isOver) return discardStreams(message, GONE);
    if (this.#linkOver) {
      discardStreams(message, GONE);
      this.#finish();
      return this.#end.reset(GONE);
    }
    this.#owner?.carries();
    this.#isAnswered = this.#inputEnded;
    try {
      sendCarrying(this.#link, this.#form(message), message, this.#attachments);
    } catch (error) {
      return this.#fail(toFailure(error));
    }
    return this.#window.sent(messageCost(message));
  }

  /** The peer hears why, and that is the end. */
  reset(why: Failure): void {
    if (this.#isOver) return;
    this.#finish();
    if (this.#owner !== undefined) return this.#owner.wasReset(why);
    this.#link.send(errorOf(why));
    return this.#link.close();
  }

  granted(bytes: number): void {
    this.#pump.granted(bytes);
  }

  ready(): boolean {
    return true; // what may come is bounded by credit
  }

  writable(): void {
    this.#pump.writable();
  }

  ended(): void {
    this.#receiving = false;
    this.#link.end();
    this.#settle();
  }

  #fail(why: Failure): void {
    this.#end.reset(why);
    this.reset(why);
  }

  #settle(): void {
    if (this.#isOver || this.#pump.isOpen || this.#receiving) return;
    this.#finish();
    this.#link.close();
  }

  #finish(): void {
    this.#isOver = true;
    this.#window.close();
    this.#pump.stop(GONE);
    this.#link.resume(); // or its end would go unnoticed
  }
}

/**
 * What an attachment is to the hub: a socket a channel, a pipe or a file a stream of bytes. Undefined when it cannot be
 * taken, and then it is closed.
 */
export function streamOver(
  descriptor: number,
  attachments: Attachments,
  generation: Generation,
): StreamEnd | undefined {
  if (!isSocket(descriptor)) return attachments.acceptFile(descriptor);
  const link = attachments.accept(descriptor, generation);
  if (link === undefined) return undefined;
  const [near, far] = createStream(CHANNEL);
  joinChannel(link, near, attachments);
  return far;
}

/**
 * Sends what was made of a message, and the stream that it carries as an attachment: a channel as a socket with messages,
 * a byte stream as one with bytes. Throws what tells the sender that it cannot be sent; the streams are ended then.
 */
export function sendCarrying(
  link: MessageSocket,
  made: Outgoing,
  message: Message,
  attachments: Attachments,
): void {
  const { streams = [] } = message;
  const [end] = streams;
  if (end === undefined) return link.send(made);
  try {
    if (streams.length > 1) throw LintelError.from(tooManyStreams());
    if (end.messages) {
      const [near, far] = attachments.create(link.generation);
      joinChannel(near, end, attachments);
      return link.send(made, far);
    }
    const [near, far] = attachments.pair();
    new ByteBridge(near, end, attachments).start();
    return link.send(made, far);
  } catch (error) {
    discardStreams(message, toFailure(error));
    throw error;
  }
}

function joinChannel(link: MessageSocket, end: StreamEnd, attachments: Attachments): void {
  const bridge = new ChannelBridge(link, end, attachments);
  link.open(bridge);
  bridge.start();
}
