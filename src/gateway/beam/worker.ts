import { PatternTrie } from "../../collections/pattern-trie.ts";
import { HeldJobs } from "../../engine/held-jobs.ts";
import type { Route, Worker } from "../../message/delivery.ts";
import { LintelError, toFailure, type Failure } from "../../message/failure.ts";
import type { Message } from "../../message/message.ts";
import type { Origin } from "../../message/origin.ts";
import { discardStreams } from "../../stream/stream.ts";
import { argumentsOf, errorOf, pairsOf } from "./arguments.ts";
import type { Attachments } from "./attachments.ts";
import { BeamJob } from "./job.ts";
import type { MessageSocket, MessageSocketEvents } from "./message-socket.ts";
import type { BeamMessage } from "./message.ts";
import { opensChannel } from "./opening.ts";

/** Takes what a worker sends; `own` has the patterns that it serves itself. */
export interface Messages {
  take(
    message: BeamMessage,
    attachment: number | undefined,
    link: MessageSocket,
    own: PatternTrie<true>,
  ): void;
}

/** A peer that has registered as a worker: requests go out on the attachment it came with (B-51 to B-58). */
export class BeamWorker implements MessageSocketEvents {
  readonly #link: MessageSocket;
  readonly #messages: Messages;
  readonly #attachments: Attachments;
  readonly #onLeft: () => void;
  readonly #own = new PatternTrie<true>();
  readonly #services: Service[] = [];

  /** `onLeft` is called when it serves nothing any more. */
  constructor(link: MessageSocket, messages: Messages, attachments: Attachments, onLeft: () => void) {
    this.#link = link;
    this.#messages = messages;
    this.#attachments = attachments;
    this.#onLeft = onLeft;
  }

  serve(patterns: readonly string[]): void {
    this.#link.open(this);
    for (const pattern of patterns) {
      this.#own.add(pattern, true);
      this.#services.push(
        new Service(pattern, this.#link, this.#attachments, {
          ended: (why) => this.#refused(why),
          sent: () => this.#sent(),
        }),
      );
    }
  }

  // LinkEvents

  /** What a worker does not handle itself, and what it asks of others. */
  message(message: BeamMessage, attachment: number | undefined): void {
    this.#messages.take(message, attachment, this.#link, this.#own);
  }

  finished(): void {
    // it asks nothing, and still answers
  }

  drained(): void {
    for (const service of this.#services) {
      if (!this.#link.isReady) return;
      service.resume();
    }
  }

  /** What it holds it may still answer: every request has an attachment of its own. */
  closed(why: Failure | undefined): void {
    if (why?.code === "invalid_argument") this.#attachments.site.stats.malformed++;
    for (const service of this.#services) service.leave();
    this.#onLeft();
  }

  /** What a worker has not read yet is at most one request: the others wait in their queues (B-52). */
  #sent(): void {
    if (this.#link.isReady) return;
    for (const service of this.#services) service.pause();
    // A worker that just got a request is resumed last the next time.
    this.#services.push(...this.#services.splice(0, 1));
  }

  #refused(why: Failure): void {
    this.#link.send(errorOf(why));
    this.#link.close();
  }
}

interface ServiceEvents {
  /** The engine does not take it, or takes it no longer. */
  ended(why: Failure): void;
  /** A request was sent. */
  sent(): void;
}

/** The requests of one pattern. */
class Service implements Worker {
  readonly origin: Origin;
  readonly #link: MessageSocket;
  readonly #attachments: Attachments;
  readonly #jobs: HeldJobs<BeamJob>;
  readonly #on: ServiceEvents;

  constructor(pattern: string, link: MessageSocket, attachments: Attachments, on: ServiceEvents) {
    const { engine } = attachments.admitted;
    const { settings } = attachments.site;
    this.#link = link;
    this.#attachments = attachments;
    this.origin = attachments.origin;
    this.#on = on;
    const concurrency = Math.max(1, settings.maxAttachments - 1); // one is what it has registered with
    this.#jobs = new HeldJobs(concurrency);
    const onEnded = (why: Failure): void => on.ended(why);
    const ready = this.#jobs.join(engine.serve(pattern, this, { concurrency, onEnded }));
    ready.catch((error: unknown) => on.ended(toFailure(error)));
  }

  /** Takes nothing new until `resume`. */
  pause(): void {
    this.#jobs.pause();
  }

  resume(): void {
    this.#jobs.resume();
  }

  leave(): void {
    void this.#jobs.leave();
  }

  // Worker

  execute(job: number, route: Route, request: Message): void {
    try {
      this.#jobs.hold(job, this.#start(job, route, request));
      this.#on.sent();
    } catch (error) {
      const why = toFailure(error);
      discardStreams(request, why);
      this.#jobs.hold(job);
      this.#jobs.fail(job, why);
    }
  }

  cancel(job: number): void {
    this.#jobs.take(job)?.cancel();
  }

  #start(number: number, route: Route, request: Message): BeamJob {
    const { streams = [] } = request;
    const channel = opensChannel(request) ? streams[0] : undefined;
    if (streams.length > (channel === undefined ? 0 : 1))
      throw LintelError.of("STREAMS_UNSUPPORTED", "a beam worker supports a channel, but no other streams");
    const name = this.#attachments.site.nameOf(route.subject);
    const args = argumentsOf(request);
    const [link, far] = this.#attachments.create(this.#link.generation);
    try {
      this.#link.send({ name, args, ...pairsOf(request) }, far);
    } catch (error) {
      link.abort();
      throw error;
    }
    const job = new BeamJob(link, this.#attachments, {
      answer: (message) => this.#jobs.reply(number, message),
      fail: (why) => void this.#jobs.fail(number, why),
    });
    job.start(request, channel);
    return job;
  }
}
