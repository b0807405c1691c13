/** Callers, workers and subscribers of an engine that write down what they are told. */
import type { Engine } from "../../engine/engine.ts";
import type { Registration, Route, ServeOptions, Sink, Subscriber, Worker } from "../../message/delivery.ts";
import { failure, type Failure } from "../../message/failure.ts";
import { Format, Message, type StreamEnd } from "../../message/message.ts";

export function textMessage(text: string): Message {
  return Message.ofBytes(new TextEncoder().encode(text), "", Format.text);
}

function textOf(message: Message): string {
  return new TextDecoder().decode(message.payload());
}

/** What a test waits for. */
export class Noticeboard {
  #waiting: { condition: () => boolean; resolve: () => void }[] = [];

  until(condition: () => boolean): Promise<void> {
    if (condition()) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ condition, resolve }));
  }

  changed(): void {
    const met = this.#waiting.filter(({ condition }) => condition());
    this.#waiting = this.#waiting.filter((one) => !met.includes(one));
    for (const { resolve } of met) resolve();
  }
}

/** Makes requests; an outcome is "answered <text>" or the reason of the failure. */
export class RecordingCaller extends Noticeboard implements Sink {
  readonly #engine: Engine;
  readonly #outcomes: string[][] = [];
  readonly #failures: (Failure | undefined)[] = [];
  /** Called with the tag of each outcome. */
  onOutcome: ((tag: number) => void) | undefined;

  constructor(engine: Engine) {
    super();
    this.#engine = engine;
  }

  /** Requests by number from 0: what became of each, all of it. */
  get outcomes(): readonly (readonly string[])[] {
    return this.#outcomes;
  }

  request(subject: string, text = "", timeoutMs = 10_000): { tag: number; handle: number } {
    return this.send(subject, textMessage(text), timeoutMs);
  }

  /** Makes a request of a message. */
  send(subject: string, message: Message, timeoutMs = 10_000): { tag: number; handle: number } {
    const tag = this.#outcomes.push([]) - 1;
    const route = this.#engine.route(subject);
    const handle = this.#engine.request(route, message, timeoutMs, this, tag);
    return { tag, handle };
  }

  /** Whether a request that has failed may be sent again; undefined when it has not failed. */
  isRetryable({ tag }: { readonly tag: number }): boolean | undefined {
    return this.#failures[tag]?.retryable;
  }

  /** Resolves with the outcome of a request when it has one. */
  async outcome({ tag }: { readonly tag: number }): Promise<string> {
    await this.until(() => this.#outcomes[tag]!.length > 0);
    return this.#outcomes[tag]!.join(", then ");
  }

  /** Makes a request and resolves with its outcome. */
  ask(subject: string, text = "", timeoutMs = 10_000): Promise<string> {
    return this.outcome(this.request(subject, text, timeoutMs));
  }

  answered(tag: number, answer: Message): void {
    this.#outcomes[tag]!.push(`answered ${textOf(answer)}`);
    this.onOutcome?.(tag);
    this.changed();
  }

  failed(tag: number, why: Failure): void {
    this.#outcomes[tag]!.push(why.reason);
    this.#failures[tag] = why;
    this.onOutcome?.(tag);
    this.changed();
  }
}

/** A job, with what its worker was told of it. */
export interface HeldJob {
  readonly job: number;
  readonly subject: string;
  readonly text: string;
  readonly timeoutMs: number;
  readonly now: number;
  readonly attempt: number;
  readonly streams: readonly StreamEnd[];
}

/** Holds its jobs until it is told what to do with them. */
export class HoldingWorker extends Noticeboard implements Worker {
  /** Jobs in the order they came. */
  readonly jobs: HeldJob[] = [];
  readonly canceled: { job: number; reason: string }[] = [];
  /** Called within `execute`. */
  onExecute: ((job: number) => void) | undefined;
  registration!: Registration;

  static async start(engine: Engine, pattern: string, options?: ServeOptions): Promise<HoldingWorker> {
    const worker = new HoldingWorker();
    worker.registration = engine.serve(pattern, worker, options);
    await worker.registration.ready;
    return worker;
  }

  /** Answers every job at once, with a text before that of the request. */
  static async echo(
    engine: Engine,
    pattern: string,
    before = "",
    options?: ServeOptions,
  ): Promise<HoldingWorker> {
    const worker = new HoldingWorker();
    worker.onExecute = (job) => void worker.reply(job, before + worker.jobs.at(-1)!.text);
    worker.registration = engine.serve(pattern, worker, options);
    await worker.registration.ready;
    return worker;
  }

  get texts(): string[] {
    return this.jobs.map(({ text }) => text);
  }

  /** Resolves when so many jobs have come in all. */
  received(count: number): Promise<void> {
    return this.until(() => this.jobs.length >= count);
  }

  reply(job: number, text = "done"): boolean {
    return this.registration.reply(job, textMessage(text));
  }

  fail(job: number): boolean {
    return this.registration.fail(job, failure("SOURCE_FAILED"));
  }

  execute(
    job: number,
    { subject }: Route,
    request: Message,
    timeoutMs: number,
    now: number,
    attempt: number,
  ): void {
    const { streams = [] } = request;
    this.jobs.push({ job, subject, text: textOf(request), timeoutMs, now, attempt, streams });
    this.onExecute?.(job);
    this.changed();
  }

  cancel(job: number, why: Failure): void {
    this.canceled.push({ job, reason: why.reason });
    this.changed();
  }
}

/** Notes publications as "<subject> <text>". */
export class RecordingSubscriber extends Noticeboard implements Subscriber {
  readonly heard: string[] = [];
  /** Called within `deliver`. */
  onDeliver: (() => void) | undefined;

  deliver(route: Route, publication: Message): void {
    this.onDeliver?.();
    this.heard.push(`${route.subject} ${textOf(publication)}`);
    this.changed();
  }
}
