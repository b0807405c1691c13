/** Connections with the role observer: each gets a copy of every message that it may see. */
import type { Admitted } from "../../access/admission.ts";
import type { Engine } from "../../engine/engine.ts";
import type { Route, Subscriber, Subscription } from "../../message/delivery.ts";
import { nameOf } from "../../message/foreign-name.ts";
import type { Message } from "../../message/message.ts";
import type { Origin } from "../../message/origin.ts";
import { textFrame } from "../../transport/ws/text-frame.ts";
import { publicationFrame } from "./channels.ts";
import type { TextOutlet } from "./outlet.ts";

/** A connection that observes. */
export interface TextObserver {
  readonly outlet: TextOutlet;
  readonly admitted: Admitted;
}

const ALL = ">";

export class Observers implements Subscriber {
  readonly origin: Origin = Object.freeze({ gateway: "text", remote: undefined, principal: undefined });
  readonly #engine: Engine;
  readonly #all = new Set<TextObserver>();
  #subscription: Subscription | undefined;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** Asked before a copy is made. */
  get isEmpty(): boolean {
    return this.#all.size === 0;
  }

  /** Throws what `subscribe` of an engine throws. */
  add(observer: TextObserver): void {
    this.#subscription ??= this.#engine.subscribe(ALL, this);
    this.#all.add(observer);
  }

  delete(observer: TextObserver): void {
    if (!this.#all.delete(observer) || this.#all.size > 0) return;
    this.#subscription?.close();
    this.#subscription = undefined;
  }

  /** A frame that was sent to somebody, about a subject. */
  copy(subject: string, text: string): void {
    this.#send(subject, textFrame(text));
  }

  // Subscriber

  deliver({ subject }: Route, publication: Message): void {
    if (subject.startsWith("_")) return; // the hub's own
    const name = nameOf(subject);
    const isBehind = !this.#engine.supports.inProcess;
    this.#send(subject, publicationFrame(`PUB ${name}\r\n`, name, publication, isBehind));
  }

  /** An observer sees what it may subscribe to; where that is not known at once, it sees it the next time. */
  #send(subject: string, frame: Uint8Array): void {
    for (const { outlet, admitted } of this.#all)
      if (admitted.check("subscribe", subject) === undefined) outlet.publish(frame, nameOf(subject));
  }
}
