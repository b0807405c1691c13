import type { EnabledVerb } from "../../src/message/delivery.ts";
import type { Failure } from "../../src/message/failure.ts";
import type { Message } from "../../src/message/message.ts";
import type { Overflow } from "../../src/message/overflow.ts";
import type { Binding } from "../../src/session/bindings.ts";
import type { SessionCalls, SessionLifecycle, SessionRegistrations } from "../../src/session/events.ts";
import type { StreamEnd } from "../../src/message/message.ts";
import { Watched } from "../wire/watched.ts";

export interface RecordedEvent {
  readonly event: string;
  readonly [field: string]: unknown;
}

/** An end of a session's stream, whose number no holder needs but tests do. */
function numberOf(end: StreamEnd): number {
  return (end as StreamEnd & { readonly number: number }).number;
}

function described(message: Message): Record<string, unknown> {
  return {
    ...(message.streams === undefined ? {} : { streams: message.streams.map((end) => numberOf(end)) }),
    format: ["typed", "bytes", "text"][message.format],
    headers: [...message.headers].map(([name, value]) => [name, value]),
    payloadHex: Buffer.from(message.payload()).toString("hex"),
  };
}

function failed(why: Failure): Record<string, unknown> {
  const { code, reason, message, retryable, details } = why;
  return {
    code,
    reason,
    message,
    retryable,
    details: details === undefined ? null : Buffer.from(details).toString(),
  };
}

/** Writes down what a session tells its owner. */
export class Recorder
  extends Watched
  implements SessionLifecycle, SessionCalls<unknown>, SessionRegistrations
{
  readonly events: RecordedEvent[] = [];
  /** Ends that came with requests, answers and messages on streams, by number. */
  readonly streams = new Map<number, StreamEnd>();

  /** The last event of this name. */
  last(event: string): RecordedEvent | undefined {
    return this.events.findLast((one) => one.event === event);
  }

  async next(event: string): Promise<RecordedEvent> {
    await this.until(() => this.last(event) !== undefined);
    return this.last(event)!;
  }

  count(event: string): number {
    return this.events.filter((one) => one.event === event).length;
  }

  opened(): void {
    this.note("opened", {});
  }

  goaway(why: Failure): void {
    this.note("goaway", failed(why));
  }

  drained(): void {
    this.note("drained", {});
  }

  ended(why: Failure): void {
    this.note("ended", failed(why));
  }

  closed(why: Failure): void {
    this.note("closed", failed(why));
  }

  request(id: number, binding: Binding<unknown>, request: Message, timeoutMs: number): void {
    this.note("request", { ...bound(binding), id, timeoutMs, ...described(request) });
    this.#listen(request);
  }

  reply(registration: number, id: number, answer: Message): void {
    this.note("reply", { registration, id, ...described(answer) });
    this.#listen(answer);
  }

  error(registration: number, id: number, why: Failure): void {
    this.note("error", { registration, id, ...failed(why) });
  }

  cancel(registration: number, id: number, why: Failure): void {
    this.note("cancel", { registration, id, code: why.code });
  }

  publish(binding: Binding<unknown>, publication: Message): void {
    this.note("publish", { ...bound(binding), ...described(publication) });
  }

  dropped(binding: Binding<unknown>, count: number): void {
    this.note("dropped", { ...bound(binding), count });
  }

  serve(registration: number, pattern: string, queue: string, concurrency: number): void {
    this.note("serve", { registration, pattern, queue, concurrency });
  }

  subscribe(registration: number, pattern: string, policy: Overflow): void {
    this.note("subscribe", { registration, pattern, policy });
  }

  leave(registration: number): void {
    this.note("leave", { registration });
  }

  ready(registration: number, asked: number): void {
    this.note("ready", { registration, asked });
  }

  refused(registration: number, why: Failure): void {
    this.note("refused", { registration, ...failed(why) });
  }

  #listen({ streams = [] }: Message): void {
    for (const end of streams) {
      const stream = numberOf(end);
      this.streams.set(stream, end);
      end.listen({
        data: (message) => {
          this.note("data", { stream, ...described(message) });
          this.#listen(message);
        },
        ended: () => this.note("end", { stream }),
        granted: (bytes) => this.note("credit", { stream, bytes }),
        ready: () => true,
        writable: () => this.note("writable", { stream }),
        reset: (why) => this.note("reset", { stream, ...failed(why) }),
      });
    }
  }

  protected note(event: string, fields: Record<string, unknown>): void {
    this.events.push({ event, ...fields });
    this.changed();
  }
}

/** Of a session that takes ENABLE. */
export class EnablingRecorder extends Recorder {
  enable(registration: number, verb: EnabledVerb, pattern: string): void {
    this.note("enable", { registration, verb, pattern });
  }
}

function bound({ subject, registration }: Binding<unknown>): Record<string, unknown> {
  return { subject, bindingFor: registration };
}
