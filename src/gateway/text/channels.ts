/** Publications to many connections: one subscription of the engine and one frame for all that listen to a target. */
import type { Engine } from "../../engine/engine.ts";
import type { Route, Subscriber, Subscription } from "../../message/delivery.ts";
import { toFailure, type Failure } from "../../message/failure.ts";
import { nameOf } from "../../message/foreign-name.ts";
import type { Message } from "../../message/message.ts";
import type { Origin } from "../../message/origin.ts";
import { discardStreams } from "../../stream/stream.ts";
import { textFrame } from "../../transport/ws/text-frame.ts";
import { bodyOf, errorFrame, frameFor, saidIn } from "./encode.ts";
import type { TextOutlet } from "./outlet.ts";

/** One connection's subscription. */
export interface Listener {
  readonly outlet: TextOutlet;
  /** The engine has ended it. */
  ended(why: Failure): void;
}

const EVERYBODY: Origin = Object.freeze({ gateway: "text", remote: undefined, principal: undefined });

export class Channels {
  readonly #engine: Engine;
  readonly #bySubject = new Map<string, Channel>();

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** Resolves when publications reach the listener. */
  add(subject: string, listener: Listener): Promise<void> {
    let channel = this.#bySubject.get(subject);
    if (channel === undefined) {
      channel = new Channel(subject, this.#engine);
      this.#bySubject.set(subject, channel);
    }
    channel.listeners.add(listener);
    return channel.ready;
  }

  remove(subject: string, listener: Listener): void {
    const channel = this.#bySubject.get(subject);
    if (channel?.listeners.delete(listener) !== true || channel.listeners.size > 0) return;
    this.#bySubject.delete(subject);
    channel.close();
  }
}

class Channel implements Subscriber {
  readonly origin: Origin = EVERYBODY;
  readonly listeners = new Set<Listener>();
  readonly ready: Promise<void>;
  readonly #isBehind: boolean;
  readonly #name: string;
  readonly #firstLine: string;
  readonly #subscription: Subscription;

  constructor(subject: string, engine: Engine) {
    this.#isBehind = !engine.supports.inProcess;
    this.#name = nameOf(subject);
    this.#firstLine = `PUB ${this.#name}\r\n`;
    this.#subscription = engine.subscribe(subject, this, {
      onEnded: (why) => {
        for (const listener of [...this.listeners]) listener.ended(why);
      },
    });
    this.ready = this.#subscription.ready;
  }

  close(): void {
    this.#subscription.close();
  }

  // Subscriber

  deliver(_route: Route, publication: Message): void {
    const frame = publicationFrame(this.#firstLine, this.#name, publication, this.#isBehind);
    for (const { outlet } of this.listeners) outlet.publish(frame, this.#name);
  }

  missed(_route: Route, count: number): void {
    for (const { outlet } of this.listeners) outlet.missed(this.#name, count);
  }
}

/** The frame of a publication; of one that is no text, the ERROR that says so. */
export function publicationFrame(
  firstLine: string,
  name: string,
  publication: Message,
  isBehind: boolean,
): Uint8Array {
  try {
    return textFrame(frameFor(firstLine, "", saidIn(publication, isBehind), bodyOf(publication)));
  } catch (error) {
    const why = toFailure(error);
    discardStreams(publication, why);
    return textFrame(errorFrame(why, { command: "PUB", target: name }));
  }
}
