/**
 * An engine routes messages: inside this process, through another hub, over a cluster. Every gateway and every peer uses an
 * engine through this interface, so every gateway works in front of every engine.
 *
 * This file is the contract, with the duties of an engine numbered E-1 to E-31 in the order in which a reader needs them:
 * subjects, requests, workers, publications, streams, ends. `Sink`, `Worker`, `Subscriber`, `Registration` and the options are
 * in `message/delivery.ts`. `engineSuite` of `lintel/testing` tests each duty, and docs/guides/engines.md explains them to
 * authors of engines.
 */
import type { Clock } from "../runtime/clock.ts";
import type {
  Registration,
  Route,
  ServeOptions,
  Sink,
  SubscribeOptions,
  Subscriber,
  Subscription,
  Worker,
} from "../message/delivery.ts";
import type { Failure } from "../message/failure.ts";
import type { Message } from "../message/message.ts";
import type { Overflow } from "../message/overflow.ts";

/**
 * What an engine can do.
 *
 * E-1: It is true from the beginning to the end, and all duties without a condition hold for every engine. Ask this, never
 * the name of an engine.
 */
export interface EngineSupports {
  /** Publications are stored before they are acknowledged. */
  readonly durable: boolean;
  /** Workers and subscribers in the same process get values that were never encoded. */
  readonly inProcess: boolean;
  /** `attempts` above 1: a request of a lost worker is handed to another. */
  readonly attempts: boolean;
  /** `Registration.capacity`: a worker can change how much it takes, and give jobs back. */
  readonly capacity: boolean;
  /** The values of `overflow` that it keeps. */
  readonly overflow: readonly Overflow[];
  /** Messages may carry streams. Without it a message with streams fails as `STREAMS_UNSUPPORTED`. */
  readonly streams: boolean;
}

/**
 * E-2: No method throws anything but what its comment names. The callbacks of others must not throw, and may call every
 * method of the engine.
 *
 * E-3: Messages are borrowed. The caller may reuse a message and its bytes as soon as the call returns, so an engine that keeps
 * a message takes a copy (`retain()`). What an engine hands to a callback is borrowed in the same way.
 */
export interface Engine {
  readonly supports: EngineSupports;
  /** E-4: What deadlines are counted by. `now` and `timeoutMs` of `Worker.execute` are by this clock. */
  readonly clock: Clock;

  /**
   * Prepares a literal subject. Throws `BAD_SUBJECT` for everything else, wildcards too.
   *
   * E-5: A route stays valid as long as its engine, whatever registers or leaves. Routes can be made in every state of the engine.
   */
  route(subject: string): Route;

  /**
   * Sends a request to one worker.
   *
   * E-6: The sink gets exactly one outcome for the tag, `answered` or `failed`, possibly before this returns. A handle of 0 is
   * returned exactly when the outcome is known already.
   * E-7: The request goes to one worker: to the most specific pattern that is served (a literal token before `*`, `*`
   * before `>`), and there to one queue group. Without a worker it fails at once as `NO_RESPONDERS`, and without a connection as
   * `NOT_CONNECTED`.
   * E-8: A request whose time is up is not executed, wherever it waits. At the deadline the sink gets `DEADLINE`, and so does
   * the worker that holds the request. A timeout of 0, below 0 or NaN is up at once; one above 2,147,483,647 counts as that.
   * E-9: Everything is bounded. Past a bound a request fails at once as `QUEUE_FULL` or `IN_FLIGHT_FULL`, which are retryable.
   *
   * `now` is the time at which the timeout began, by the engine's clock; left out, it is the time of the call.
   */
  request(route: Route, request: Message, timeoutMs: number, sink: Sink, tag: number, now?: number): number;

  /**
   * Withdraws a request.
   *
   * E-10: The worker that holds it is told why, at least by the code; without `why` it is told `CALLER_GONE`. The sink gets
   * nothing any more. Handles of requests that have ended, and handles that never were, are ignored.
   */
  cancel(handle: number, why?: Failure): void;

  /**
   * Registers a worker. Throws `BAD_SUBJECT` for a pattern or queue that is none, `OPTION_UNSUPPORTED` for an option that this
   * engine cannot keep, `DRAINING` and `CLOSED`.
   *
   * E-11: No job is handed out inside this call. The worker may use its registration from its first `execute` on.
   * E-12: `ready` resolves when requests can arrive, and rejects when the registration is refused or ends before. Nobody has
   * to handle the rejection.
   * E-13: The worker holds at most `concurrency` jobs at a time. What more there is waits, and is handed out in the order in which
   * it came. A number below 1 counts as 1, a fraction is rounded down, Infinity is no bound.
   * E-14: Workers of one pattern and queue share the requests, the least loaded first.
   * E-15: `reply` and `fail` return true for the first outcome of a job that this worker holds. Later ones, and those for jobs of
   * others, return false and change nothing. Both may be called within `execute`.
   * E-16: `Worker.cancel` is called once for a job that ends without its worker, and never for a job that the worker has ended or
   * has lost by `lose`.
   * E-17: After `leave` has resolved no job comes, and what is held may still be answered. When the last worker of a group leaves,
   * what waits fails as `NO_RESPONDERS`.
   * E-18: `lose` fails what is held as `WORKER_LOST`, which is not retryable.
   * E-19 (`supports.attempts`): with `attempts` above 1, what a lost worker held goes to another worker of the group, as long as
   * there is one, the deadline lasts, and the request has no streams. Without the support such a number is refused.
   * E-20 (`supports.capacity`): `capacity` is there, and does what its comments say. Without the support it is undefined.
   * E-21: `onEnded` is called once when the engine ends a registration that was ready. It is not called for what the owner ends,
   * and not for `close`.
   */
  serve(pattern: string, worker: Worker, options?: ServeOptions): Registration;

  /**
   * Registers a subscriber. Throws what `serve` throws.
   *
   * E-22: Nothing is delivered inside this call. `ready` and `onEnded` are as for workers.
   * E-23: Once `ready` has resolved, each publication that matches comes once, in the order of its publisher, also to a
   * subscriber with several patterns that match. After `close` no more come but the one that is being handed out.
   * E-24: A policy of `overflow` is kept or refused. The default is "drop-newest". Publications that are dropped are counted, and
   * `Subscriber.missed` hears their number, as far as the engine knows it. With "disconnect" none is dropped: the registration
   * ends as `SLOW_CONSUMER`.
   */
  subscribe(pattern: string, subscriber: Subscriber, options?: SubscribeOptions): Subscription;

  /**
   * Sends a publication to every subscriber. Throws `NOT_CONNECTED`, `CLOSED`, and `SLOW_CONSUMER` where the promise was not
   * waited for and too much is waiting.
   *
   * E-25: It does not matter whether there is a subscriber. A promise is returned only to slow the publisher down; it always
   * resolves, also when the engine closes.
   */
  publish(route: Route, publication: Message): Promise<void> | undefined;

  /**
   * Takes nothing new, and resolves when what is under way has ended.
   *
   * E-26 (`supports.streams`): the streams of a message belong to the engine with the message, and to the worker or the sink once
   * it has been handed over. Where a request ends without a worker, they are ended with the reason of the failure.
   * E-27: While it drains, requests fail as `DRAINING`, which is retryable, and registrations may. What was taken before is
   * served to its end. Publications go on.
   * E-28: `drain` may be called more than once, and resolves also when the engine is closed meanwhile.
   */
  drain(): Promise<void>;

  /**
   * Ends everything at once, and resolves when all have heard it.
   *
   * E-29: What is under way fails as `CLOSED`, or for the reason given. What a worker may have executed is not retryable.
   * Workers are told of the jobs they hold.
   * E-30: Afterwards requests fail as `CLOSED`, `publish`, `serve` and `subscribe` throw it, `reply` and `fail` return false, and
   * all else does nothing. No callback is called, and no timer is left.
   * E-31: `close` may be called more than once, and in every state.
   */
  close(why?: Failure): Promise<void>;
}
