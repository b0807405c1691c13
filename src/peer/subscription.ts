import type { Codecs } from "../codec/codecs.ts";
import { bytesOf } from "../codec/values.ts";
import type { Engine } from "../engine/engine.ts";
import type { Subscription as EngineSubscription, Route, Subscriber } from "../message/delivery.ts";
import { MessageHeaders } from "../message/headers.ts";
import { encodeBody, type Encoder, type Message } from "../message/message.ts";
import type { Listener, Publication, Subscription } from "./peer.ts";
import type { OnError } from "./service.ts";

/** Publications an iteration may fall behind; the oldest are dropped past that. */
const MAX_BUFFERED = 65_536;

/** Publications for one listener, or for one iteration. */
export class ListenerSubscription implements Subscription, Subscriber {
  readonly pattern: string;
  readonly #listener: Listener | undefined;
  readonly #onError: OnError;
  readonly #codecs: Codecs;
  readonly #subscription: EngineSubscription;
  #buffer: Publication[] = [];
  #wake: (() => void) | undefined;
  #closed = false;
  dropped = 0;

  constructor(
    engine: Engine,
    pattern: string,
    listener: Listener | undefined,
    onError: OnError,
    codecs: Codecs,
  ) {
    this.pattern = pattern;
    this.#listener = listener;
    this.#onError = onError;
    this.#codecs = codecs;
    this.#subscription = engine.subscribe(pattern, this);
  }

  /** Resolves when publications made from now on arrive. */
  get ready(): Promise<void> {
    return this.#subscription.ready;
  }

  deliver(route: Route, message: Message): void {
    if (this.#closed) return;
    try {
      const value = this.#codecs.value(message);
      const publication = new ReceivedPublication(route.subject, value, message);
      if (this.#listener === undefined) this.#keep(publication);
      else this.#watch(this.#listener(value, publication));
    } catch (error) {
      this.#report(error);
    }
  }

  close(): Promise<void> {
    if (!this.#closed) {
      this.#closed = true;
      this.#subscription.close();
      this.#wake?.();
    }
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Ends, with the subscription, when the loop is left. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Publication, void> {
    if (this.#listener !== undefined)
      throw new TypeError("a subscription with a listener cannot be iterated");
    try {
      while (true) {
        const batch = this.#buffer;
        this.#buffer = [];
        yield* batch;
        if (this.#buffer.length > 0) continue;
        if (this.#closed) return;
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    } finally {
      await this.close();
    }
  }

  #keep(publication: Publication): void {
    if (this.#buffer.length >= MAX_BUFFERED) {
      this.#buffer = this.#buffer.slice(MAX_BUFFERED / 2);
      this.dropped += MAX_BUFFERED / 2;
    }
    this.#buffer.push(publication);
    this.#wake?.();
  }

  /** An async listener's rejection must not end the process. */
  #watch(result: unknown): void {
    if (result instanceof Promise) result.catch((error: unknown) => this.#report(error));
  }

  #report(error: unknown): void {
    this.#onError(error, `the listener of ${this.pattern}`);
  }
}

class ReceivedPublication implements Publication {
  readonly subject: string;
  readonly value: unknown;
  readonly #head: string;
  readonly #encoder: Encoder | undefined;
  /** The payload, or the value it would be made of. */
  readonly #body: unknown;

  constructor(subject: string, value: unknown, message: Message) {
    this.subject = subject;
    this.value = value;
    this.#head = message.headText();
    this.#encoder = message.encoder;
    this.#body = message.encoder === undefined && !(value instanceof Uint8Array) ? bytesOf(message) : value;
  }

  get headers(): MessageHeaders {
    return new MessageHeaders(this.#head);
  }

  get body(): Uint8Array {
    return this.#body instanceof Uint8Array ? this.#body : encodeBody(this.#encoder!, this.#body);
  }
}
