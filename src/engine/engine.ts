/**
 * An engine routes messages: inside this process, through another hub, over a cluster. Every gateway and every peer speaks
 * to one through this interface, so any gateway runs in front of any of them.
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

/** What an engine can do; asked for at start, so that a lack fails loudly there. */
export interface EngineSupports {
  /** Publications that are stored before they are acknowledged. */
  readonly durable: boolean;
  /** Handlers in the same process get values without encoding. */
  readonly inProcess: boolean;
  /** A registration has a `capacity`. */
  readonly capacity: boolean;
}

export interface Engine {
  readonly supports: EngineSupports;
  /** What it counts deadlines by. */
  readonly clock: Clock;
  /** Prepares a literal subject. Throws `BAD_SUBJECT`. */
  route(subject: string): Route;
  /**
   * To every subscriber. The message is taken at once; a promise is returned only when the engine asks the publisher to
   * slow down, and resolves when it may go on. Throws `NOT_CONNECTED` or `CLOSED`.
   */
  publish(route: Route, publication: Message): Promise<void> | undefined;
  /**
   * To one worker. The sink gets exactly one outcome, possibly before this returns.
   * `now` is when the timeout began, by the engine's clock, for those who know it; else the engine looks.
   * @returns a handle for `cancel`, or 0 when the outcome is already known.
   */
  request(route: Route, request: Message, timeoutMs: number, sink: Sink, tag: number, now?: number): number;
  /**
   * Withdraws a request: the worker is told why (`CALLER_GONE` if nothing is said), the sink hears nothing any more.
   * Unknown handles are ignored.
   */
  cancel(handle: number, why?: Failure): void;
  subscribe(pattern: string, subscriber: Subscriber, options?: SubscribeOptions): Subscription;
  serve(pattern: string, worker: Worker, options?: ServeOptions): Registration;
  /** Takes nothing new and resolves when all that is under way has ended. */
  drain(): Promise<void>;
  /** Ends at once: what is under way fails, as `CLOSED` unless another reason is given. */
  close(why?: Failure): Promise<void>;
}
