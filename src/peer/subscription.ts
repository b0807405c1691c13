import type { Codecs } from "../codec/codecs.ts";
import type { Engine } from "../engine/engine.ts";
import { defer } from "../runtime/deferred.ts";
import type { Subscription as EngineSubscription, Route, Subscriber } from "../message/delivery.ts";
import { LintelError, type Failure } from "../message/failure.ts";
import { MessageHeaders } from "../message/headers.ts";
import { encodeBody, type Encoder, type Message } from "../message/message.ts";
import { checkOverflow } from "../message/overflow.ts";
import { Inbox } from "./inbox.ts";
import type { Listener, Publication, SubscribeOptions, Subscription } from "./peer.ts";
import type { OnError } from "./service.ts";

/** Publications for one listener, or for one iteration. */
export class ListenerSubscription implements Subscription, Subscriber {
  readonly pattern: string;
  readonly #listener: Listener | undefined;
  readonly #onError: OnError;
  readonly #codecs: Codecs;
  readonly #subscription: EngineSubscription;
  readonly #inbox: Inbox;
  readonly #over = defer();
  /** Why it has ended, if it was not closed. */
  #error: LintelError | undefined;
  #wake: (() => void) | undefined;
  #closed = false;
  #missed = 0;

  constructor(
    engine: Engine,
    pattern: string,
    listener: Listener | undefined,
    options: SubscribeOptions,
    onError: OnError,
    codecs: Codecs,
  ) {
    this.pattern = pattern;
    this.#listener = listener;
    this.#onError = onError;
    this.#codecs = codecs;
    const overflow = checkOverflow(options.overflow ?? "drop-newest");
    this.#inbox = new Inbox(overflow);
    this.#over.promise.catch(() => undefined); // code that needs to know uses `closed`, and onError is told
    const onEnded = (why: Failure): void => this.#fail(LintelError.from(why));
    this.#subscription = engine.subscribe(pattern, this, { overflow, onEnded });
  }

  /** Resolves when publications made from now on arrive. */
  get ready(): Promise<void> {
    return this.#subscription.ready;
  }

  get closed(): Promise<void> {
    return this.#over.promise;
  }

  get dropped(): number {
    return this.#missed + this.#inbox.dropped;
  }

  deliver(route: Route, message: Message): void {
    if (this.#closed) return;
    try {
      const value = this.#codecs.value(message);
      const publication = new ReceivedPublication(route.subject, value, message);
      if (this.#listener === undefined) this.#keep(publication, message);
      else this.#watch(this.#listener(value, publication));
    } catch (error) {
      this.#report(error);
    }
  }

  missed(_route: Route, count: number): void {
    this.#missed += count;
  }

  close(): Promise<void> {
    this.end();
    return Promise.resolve();
  }

  /** It is closed, or its peer is. */
  end(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#subscription.close();
    this.#over.resolve();
    this.#wake?.();
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
        const next = this.#inbox.take();
        if (next !== undefined) {
          yield next;
        } else if (this.#error !== undefined) {
          throw this.#error;
        } else if (this.#closed) {
          return;
        } else {
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
        }
      }
    } finally {
      await this.close();
    }
  }

  #keep(publication: Publication, message: Message): void {
    const size = message.encoder === undefined ? message.end - message.headStart : 0;
    if (this.#inbox.add(publication, size)) this.#wake?.();
    else this.#fail(LintelError.of("SLOW_CONSUMER", `the iteration of ${this.pattern} does not keep up`));
  }

  /** It has ended without being closed. What was kept can still be read. */
  #fail(error: LintelError): void {
    if (this.#closed) return;
    this.#error = error;
    this.#over.reject(error);
    this.end();
    this.#onError(error, `the subscription to ${this.pattern}`);
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
    this.#body = message.encoder === undefined && !(value instanceof Uint8Array) ? message.payload() : value;
  }

  get headers(): MessageHeaders {
    return new MessageHeaders(this.#head);
  }

  get body(): Uint8Array {
    return this.#body instanceof Uint8Array ? this.#body : encodeBody(this.#encoder!, this.#body);
  }
}
