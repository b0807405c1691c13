import type { Engine } from "../../engine/engine.ts";
import type { Command } from "../../commands/command.ts";
import type { JsonText } from "../../codec/json-text.ts";
import { HandleTable } from "../../collections/handle-table.ts";
import type { Sink } from "../../message/delivery.ts";
import { failure, type Failure } from "../../message/failure.ts";
import type { Message } from "../../message/message.ts";
import type { Origin } from "../../message/origin.ts";
import { unsentAnswer } from "../../message/unsent.ts";
import { discardStreams } from "../../stream/stream.ts";
import { bodyOf } from "./encode.ts";
import type { ClientPrincipal } from "./principal.ts";

/** What of a command its reply needs. */
export type Named = Pick<Command, "key" | "action">;

/** The connection that calls come from. */
export interface CallHost {
  /** Who calls now. */
  readonly principal: ClientPrincipal;
  /** What its calls count for. */
  readonly caller: string;
  /** Calls without an outcome. */
  readonly maxPending: number;
  respond(command: Named, body: unknown): void;
  fail(command: Named, why: Failure): void;
}

interface Call {
  readonly key: string | undefined;
  readonly action: string;
  /** That of the principal who made it. */
  readonly engine: Engine;
  handle: number;
}

const TOO_MANY = Object.freeze(failure("IN_FLIGHT_FULL", "too many calls of this connection are under way"));
const GONE = Object.freeze(failure("CALLER_GONE"));

/** Calls and fires of one client that have no outcome yet. */
export class ClientCalls implements Sink {
  readonly #host: CallHost;
  readonly #calls = new HandleTable<Call>();
  readonly #open = new Set<number>();
  /** The last call with a key, so that it can be canceled. */
  readonly #byKey = new Map<string, number>();

  constructor(host: CallHost) {
    this.#host = host;
  }

  get size(): number {
    return this.#open.size;
  }

  /** Sends the command to a worker of the subject. */
  start({ key, action }: Command, subject: string, request: Message, timeoutMs: number): void {
    const { principal, maxPending } = this.#host;
    const { engine } = principal.admitted;
    if (this.#open.size >= maxPending) return this.#host.fail({ key, action }, TOO_MANY);
    const call: Call = { key, action, engine, handle: 0 };
    const tag = this.#calls.add(call);
    this.#open.add(tag);
    if (key !== undefined) this.#byKey.set(key, tag);
    const handle = engine.request(engine.route(subject), request, timeoutMs, this, tag);
    if (this.#calls.get(tag) === call) call.handle = handle;
    else if (handle !== 0) engine.cancel(handle); // its connection has ended meanwhile
    return undefined;
  }

  /** The client wants no answer any longer (C-38). Nothing happens when it has come already. */
  cancel(key: string): void {
    const tag = this.#byKey.get(key);
    const call = tag === undefined ? undefined : this.#take(tag);
    if (call === undefined) return;
    call.engine.cancel(call.handle, GONE);
  }

  /** The client is gone (C-23). */
  cancelAll(): void {
    for (const tag of [...this.#open]) {
      const call = this.#take(tag);
      if (call !== undefined && call.handle !== 0) call.engine.cancel(call.handle, GONE);
    }
  }

  // Sink

  answered(tag: number, answer: Message): void {
    if (answer.streams !== undefined) {
      discardStreams(answer);
      return this.failed(
        tag,
        failure("STREAMS_UNSUPPORTED", "the answer has streams, which commands cannot carry"),
      );
    }
    let body: JsonText | undefined;
    try {
      body = bodyOf(answer);
    } catch (error) {
      return this.failed(tag, unsentAnswer(answer, error));
    }
    const call = this.#take(tag);
    if (call !== undefined) this.#host.respond(call, body);
  }

  failed(tag: number, why: Failure): void {
    const call = this.#take(tag);
    if (call !== undefined) this.#host.fail(call, why);
  }

  callerOf(): string {
    return this.#host.caller;
  }

  originOf(): Origin {
    return this.#host.principal.origin;
  }

  #take(tag: number): Call | undefined {
    const call = this.#calls.remove(tag);
    if (call === undefined) return undefined;
    this.#open.delete(tag);
    if (call.key !== undefined && this.#byKey.get(call.key) === tag) this.#byKey.delete(call.key);
    return call;
  }
}
