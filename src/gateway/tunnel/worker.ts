/** The far end of a tunnel: requests that carry a byte stream, each joined with a connection to one target. */
import { connect, type Socket } from "node:net";
import type { Engine } from "../../engine/engine.ts";
import { defer } from "../../runtime/deferred.ts";
import { HeldJobs } from "../../engine/held-jobs.ts";
import type { Route, Worker } from "../../message/delivery.ts";
import { LintelError, failure, toFailure, type Failure } from "../../message/failure.ts";
import { Format, Message, type StreamEnd } from "../../message/message.ts";
import { formatAddress } from "../../transport/address.ts";
import { dialSocket } from "../../transport/sockets.ts";
import { Connections } from "./connections.ts";
import type { TunnelOptions } from "./options.ts";

/** What connections are made to: an address, or a socket in the file system. */
export type Target = { readonly host: string; readonly port: number } | { readonly path: string };

/** True for the stream of a tunnel: bytes, both ways. */
function isDuplex(end: StreamEnd): boolean {
  return end.receives && end.sends && !end.messages;
}

export interface ExposureOptions extends TunnelOptions {
  /** Exposures of one subject and queue share its connections. */
  readonly queue?: string;
}

/** A service that joins every connection made to its subject with one to its target, and to nothing else. */
export class Exposure implements Worker, AsyncDisposable {
  readonly subject: string;
  readonly #target: Target;
  readonly #name: string;
  readonly #connections: Connections;
  /** The connections that are being made, and what ends their dialing. */
  readonly #jobs = new HeldJobs<AbortController>(Infinity);
  readonly #ready: Promise<void>;
  readonly #over = defer();

  constructor(engine: Engine, subject: string, target: Target, { queue, ...options }: ExposureOptions) {
    this.subject = subject;
    this.#target = target;
    this.#name = "path" in target ? target.path : formatAddress(target.host, target.port);
    this.#connections = new Connections(options);
    this.#over.promise.catch(() => undefined); // code that needs to know uses `closed`
    const onEnded = (why: Failure): void => this.#over.reject(LintelError.from(why));
    this.#ready = this.#jobs.join(engine.serve(engine.route(subject).subject, this, { queue, onEnded }));
  }

  /** Resolves when connections can come; rejects when the hub refuses. */
  get ready(): Promise<void> {
    return this.#ready;
  }

  /** Connections that are open, and those that are being made. */
  get connections(): number {
    return this.#connections.size;
  }

  /** Resolves when it has been closed; rejects with the reason when the hub takes it no longer. */
  get closed(): Promise<void> {
    return this.#over.promise;
  }

  /** Takes no more connections, and resolves when those that are open have ended by themselves. */
  async drain(): Promise<void> {
    await this.#jobs.leave();
    await this.#connections.ended();
    this.#over.resolve();
  }

  /** Takes no more connections and cuts off those that are open. */
  async close(): Promise<void> {
    this.#jobs.lose();
    for (const dialing of this.#jobs.own) dialing.abort();
    await this.#connections.close();
    this.#over.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  // Worker

  execute(job: number, _route: Route, request: Message, timeoutMs: number): void {
    const { streams = [] } = request;
    const dialing = new AbortController();
    this.#jobs.hold(job, dialing);
    void this.#connections.make(() => this.#join(job, streams, timeoutMs, dialing.signal));
  }

  cancel(job: number): void {
    this.#jobs.take(job)?.abort();
  }

  async #join(
    job: number,
    streams: readonly StreamEnd[],
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<void> {
    try {
      const [socket, end] = await this.#connect(streams, timeoutMs, signal);
      const answer = Message.ofBytes(new Uint8Array(0), "", Format.typed);
      const isWanted = this.#jobs.reply(job, answer);
      const connection = this.#connections.add(socket, end, this.#name);
      if (!isWanted) connection.abort(failure("CALLER_GONE"));
    } catch (error) {
      const why = toFailure(error, unreachable(error));
      for (const end of streams) end.reset(why);
      if (!this.#jobs.fail(job, why)) return; // the caller has left
      const detail = error instanceof Error && error.message !== "" ? error.message : why.message;
      this.#connections.report({ ...why, message: detail }, this.#name);
    }
  }

  /** Dials the target. Rejects when the request carries something else than one byte stream, or the dial fails. */
  async #connect(
    streams: readonly StreamEnd[],
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<[Socket, StreamEnd]> {
    const [end] = streams;
    if (end === undefined || streams.length > 1 || !isDuplex(end))
      throw new LintelError("invalid_argument", "this subject needs one byte stream in both directions");
    const { maxConnections, connectTimeoutMs } = this.#connections.limits;
    if (this.#connections.size > maxConnections)
      throw LintelError.of("TOO_MANY", `the target is at its limit of ${maxConnections} connections`);
    const socket = connect({ ...this.#target, allowHalfOpen: true, noDelay: true, keepAlive: true });
    // A request whose time is up is canceled, which ends the dial: the tunnel says so, whichever timer is the first.
    const ownTimeout = timeoutMs > connectTimeoutMs ? { timeoutMs: connectTimeoutMs } : {};
    return [await dialSocket(socket, { ...ownTimeout, signal }), end];
  }
}

/** What the caller gets. The target's address is known to its owner only. */
function unreachable(error: unknown): Failure {
  const code = error instanceof Error && "code" in error ? ` (${String(error.code)})` : "";
  const message = `the target cannot be reached${code}`;
  return { code: "unavailable", reason: "TARGET_UNREACHABLE", message, retryable: true };
}
