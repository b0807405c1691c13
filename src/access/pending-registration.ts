/** Registrations whose `ready` waits until it is known whether they may be made. */
import type { EngineSupports } from "../engine/engine.ts";
import type { Capacity, Registration, Subscription } from "../message/delivery.ts";
import { LintelError, type Failure } from "../message/failure.ts";
import type { Message } from "../message/message.ts";
import { defer } from "../runtime/deferred.ts";
import { whenDecided, type Question } from "./decisions.ts";

const CLOSED = "it was closed before it was accepted";

/** Makes the registration when it is allowed, unless it has been given up by then. */
function allowed<T>(
  question: Question,
  isGivenUp: () => boolean,
  register: () => T & { readonly ready: Promise<void> },
  made: (registration: T) => void,
): Promise<void> {
  return new Promise((resolve) => {
    whenDecided(question, (why) => {
      resolve(why === undefined ? make() : Promise.reject(LintelError.from(why)));
    });
  });

  async function make(): Promise<void> {
    if (isGivenUp()) throw LintelError.of("CLOSED", CLOSED);
    const registration = register();
    made(registration);
    await registration.ready;
  }
}

export class PendingSubscription implements Subscription {
  readonly ready: Promise<void>;
  #subscription: Subscription | undefined;
  #isClosed = false;

  constructor(question: Question, subscribe: () => Subscription) {
    this.ready = allowed(
      question,
      () => this.#isClosed,
      subscribe,
      (subscription) => {
        this.#subscription = subscription;
      },
    );
    this.ready.catch(() => undefined); // code that awaits it handles it
  }

  close(): void {
    this.#isClosed = true;
    this.#subscription?.close();
  }
}

export class PendingRegistration implements Registration {
  readonly ready: Promise<void>;
  readonly capacity: Capacity | undefined;
  #registration: Registration | undefined;
  #isLeft = false;
  /** Requests it is to take at a time, where that was said before it was made. */
  #concurrency: number | undefined;

  constructor(question: Question, serve: () => Registration, supports: Pick<EngineSupports, "capacity">) {
    this.capacity = supports.capacity ? this.#createCapacity() : undefined;
    this.ready = allowed(
      question,
      () => this.#isLeft,
      serve,
      (registration) => {
        this.#registration = registration;
        if (this.#concurrency !== undefined) registration.capacity?.resize(this.#concurrency);
      },
    );
    this.ready.catch(() => undefined); // code that awaits it handles it
  }

  reply(job: number, answer: Message, now?: number): boolean {
    return this.#registration?.reply(job, answer, now) ?? false;
  }

  fail(job: number, why: Failure): boolean {
    return this.#registration?.fail(job, why) ?? false;
  }

  leave(): Promise<void> {
    this.#isLeft = true;
    return this.#registration?.leave() ?? Promise.resolve();
  }

  lose(): void {
    this.#isLeft = true;
    this.#registration?.lose();
  }

  #createCapacity(): Capacity {
    return {
      resize: (concurrency) => {
        this.#concurrency = concurrency;
        this.#registration?.capacity?.resize(concurrency);
      },
      detach: (job) => this.#registration?.capacity?.detach(job),
      release: (job, request, executed) =>
        this.#registration?.capacity?.release(job, request, executed) ?? false,
    };
  }
}

/** A subscription that ends when it is allowed no longer. */
export class HeldSubscription implements Subscription {
  readonly ready: Promise<void>;
  readonly #subscription: Subscription;
  #release: (() => void) | undefined;

  /** `hold` calls back when it is allowed no longer; `subscribe` takes what is to be called when it has ended. */
  constructor(
    hold: (onLost: (why: Failure) => void) => (() => void) | undefined,
    subscribe: (onEnded: (why: Failure) => void) => Subscription,
    onEnded: ((why: Failure) => void) | undefined,
  ) {
    let isReady = false;
    const lost = defer();
    this.#subscription = subscribe((why) => {
      this.#release?.();
      onEnded?.(why);
    });
    this.#release = hold((why) => {
      this.#subscription.close();
      if (isReady) onEnded?.(why);
      else lost.reject(LintelError.from(why));
    });
    const ready = this.#subscription.ready.then(() => {
      isReady = true;
    });
    this.ready = Promise.race([ready, lost.promise]);
    this.ready.catch(() => undefined); // code that awaits it handles it
  }

  close(): void {
    this.#release?.();
    this.#subscription.close();
  }
}
