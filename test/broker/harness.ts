import assert from "node:assert/strict";
import { Broker, type BrokerOptions } from "../../src/broker/broker.ts";
import type {
  Registration,
  Route,
  ServeOptions,
  Sink,
  Subscriber,
  Worker,
} from "../../src/message/delivery.ts";
import { failure, type Failure } from "../../src/message/failure.ts";
import { Format, Message } from "../../src/message/message.ts";
import type { Observer } from "../../src/observe/observer.ts";
import { FakeClock } from "../../src/testing/index.ts";

export function textMessage(text: string): Message {
  return Message.ofBytes(new TextEncoder().encode(text), "", Format.text);
}

export function textOf(message: Message): string {
  return new TextDecoder().decode(message.payload());
}

/** Notes the outcomes of its requests, by tag: "answered <text>" or the reason of the failure. */
export class Caller implements Sink {
  readonly outcomes = new Map<number, string[]>();
  onOutcome: ((tag: number, outcome: string) => void) | undefined;

  answered(tag: number, answer: Message): void {
    this.#note(tag, `answered ${textOf(answer)}`);
  }

  failed(tag: number, why: Failure): void {
    this.#note(tag, why.reason);
  }

  #note(tag: number, outcome: string): void {
    const known = this.outcomes.get(tag);
    if (known === undefined) this.outcomes.set(tag, [outcome]);
    else known.push(outcome);
    this.onOutcome?.(tag, outcome);
  }
}

/** A worker that does what the test tells it. */
export class HandWorker implements Worker {
  readonly executed: { job: number; subject: string; text: string; timeoutMs: number }[] = [];
  readonly canceled: { job: number; reason: string }[] = [];
  /** Jobs neither answered nor canceled, the oldest first. */
  readonly held: number[] = [];
  onExecute: ((job: number, text: string) => void) | undefined;
  onCancel: ((job: number) => void) | undefined;
  #registration: Registration | undefined;

  constructor(broker: Broker, pattern: string, options?: ServeOptions) {
    this.#registration = broker.serve(pattern, this, options);
  }

  get registration(): Registration {
    assert.ok(this.#registration !== undefined, "used before it had its registration");
    return this.#registration;
  }

  get texts(): string[] {
    return this.executed.map(({ text }) => text);
  }

  execute(job: number, route: Route, request: Message, timeoutMs: number): void {
    const text = textOf(request);
    this.executed.push({ job, subject: route.subject, text, timeoutMs });
    this.held.push(job);
    this.onExecute?.(job, text);
  }

  cancel(job: number, why: Failure): void {
    this.canceled.push({ job, reason: why.reason });
    this.#drop(job);
    this.onCancel?.(job);
  }

  reply(job = this.held[0]!, text = "ok"): boolean {
    this.#drop(job);
    return this.registration.reply(job, textMessage(text));
  }

  fail(job = this.held[0]!): boolean {
    this.#drop(job);
    return this.registration.fail(job, { ...failure("HANDLER_FAILED"), reason: "MINE" });
  }

  #drop(job: number): void {
    const index = this.held.indexOf(job);
    if (index >= 0) this.held.splice(index, 1);
  }
}

/** Notes what is published to it. */
export class Listener implements Subscriber {
  readonly name: string;
  readonly #log: string[];
  onDeliver: ((text: string) => void) | undefined;

  constructor(name: string, log: string[]) {
    this.name = name;
    this.#log = log;
  }

  deliver(route: Route, publication: Message): void {
    const text = textOf(publication);
    this.#log.push(`${this.name} ${route.subject} ${text}`);
    this.onDeliver?.(text);
  }
}

/** A broker with a clock that stands still and one caller. */
export class Harness {
  readonly clock = new FakeClock(1_000);
  readonly broker: Broker;
  readonly caller = new Caller();
  #lastTag = 0;

  constructor(limits: Partial<BrokerOptions["limits"]> = {}, observer?: Observer) {
    this.broker = new Broker({
      clock: this.clock,
      limits: { inFlight: 10_000, queue: 1_000, concurrency: 256, ...limits },
      observer,
    });
  }

  serve(pattern: string, options?: ServeOptions): HandWorker {
    return new HandWorker(this.broker, pattern, options);
  }

  /** Sends a request whose text is its tag. */
  request(subject: string, timeoutMs = 1_000): { tag: number; handle: number } {
    const tag = ++this.#lastTag;
    const route = this.broker.route(subject);
    const handle = this.broker.request(route, textMessage(String(tag)), timeoutMs, this.caller, tag);
    return { tag, handle };
  }

  publish(subject: string, text: string): void {
    this.broker.publish(this.broker.route(subject), textMessage(text));
  }

  /** All outcomes so far, in order of their requests. */
  get outcomes(): (string | undefined)[] {
    const all: (string | undefined)[] = [];
    for (let tag = 1; tag <= this.#lastTag; tag++) {
      const outcomes = this.caller.outcomes.get(tag) ?? [];
      assert.ok(
        outcomes.length <= 1,
        `request ${tag} ended ${outcomes.length} times: ${outcomes.join(", ")}`,
      );
      all.push(outcomes[0]);
    }
    return all;
  }

  /** Every request is in exactly one counter, or in flight. */
  assertCounted(): void {
    const {
      requests,
      lateReplies: _late,
      publications: _publications,
      deliveries: _deliveries,
      ...ended
    } = this.broker.stats;
    const sum = Object.values(ended).reduce((total, count) => total + count, 0);
    assert.equal(sum + this.broker.inFlight, requests, JSON.stringify(this.broker.stats));
  }
}
