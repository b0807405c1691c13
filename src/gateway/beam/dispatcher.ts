import type { PatternTrie } from "../../collections/pattern-trie.ts";
import type { Sink } from "../../message/delivery.ts";
import { failure, toFailure, type Failure } from "../../message/failure.ts";
import type { Message, StreamEnd } from "../../message/message.ts";
import { DEFAULT_LIMITS } from "../../message/limits.ts";
import type { Origin } from "../../message/origin.ts";
import { discardStreams } from "../../stream/stream.ts";
import { requestOf } from "./arguments.ts";
import type { Attachments } from "./attachments.ts";
import { BeamCall } from "./call.ts";
import { isSocket } from "./file-bridge.ts";
import type { MessageSocket } from "./message-socket.ts";
import type { BeamMessage } from "./message.ts";
import { BeamWorker } from "./worker.ts";

/** The name by which a peer becomes a worker. */
const REGISTER = "register";
/** Patterns that the workers of one connection may serve: as many as a session may by default. */
const MAX_PATTERNS = DEFAULT_LIMITS.registrations;

const TOO_MANY = Object.freeze(
  failure("TOO_MANY", `the workers of one connection may serve ${MAX_PATTERNS} patterns`),
);

/** Takes the messages of one connection to the engine: those with an attachment are calls, the others are told nothing. */
export class BeamDispatcher implements Sink {
  readonly #attachments: Attachments;
  readonly #onIdle: () => void;
  readonly #paused = new Set<MessageSocket>();
  /** Messages without an attachment that have no outcome. */
  #pending = 0;
  /** Calls without an outcome. */
  #calls = 0;
  /** Patterns that are served. */
  #patterns = 0;

  /** `onIdle` is called whenever nothing is left without an outcome. */
  constructor(attachments: Attachments, onIdle: () => void) {
    this.#attachments = attachments;
    this.#onIdle = onIdle;
  }

  /** True when everything has its outcome. */
  get isIdle(): boolean {
    return this.#pending === 0 && this.#calls === 0;
  }

  /** Takes a message that came over a link. `own` has the patterns that its sender serves itself. */
  take(
    message: BeamMessage,
    attachment: number | undefined,
    link: MessageSocket,
    own?: PatternTrie<true>,
  ): void {
    const { site } = this.#attachments;
    site.stats.messages++;
    if (site.refusal !== undefined) return this.#refuse(site.refusal, attachment, message);
    if (message.name === REGISTER && site.settings.workers) return this.#register(message, attachment);
    const subject = site.subjectOf(message.name);
    if (subject === undefined) return this.#refuse(badName(message.name), attachment, message);
    if (own !== undefined && own.match(subject).length > 0)
      return this.#refuse(
        failure("NO_RESPONDERS", "the worker that sent it serves this subject itself"),
        attachment,
        message,
      ); // B-53
    if (attachment === undefined) return this.#send(message, subject, link);
    if (!isSocket(attachment)) return this.#sendFile(message, subject, link, attachment);
    const accepted = this.#attachments.accept(attachment, message.generation ?? 2);
    if (accepted !== undefined) this.#call(message, subject, accepted);
    return undefined;
  }

  // Sink, for messages without an attachment

  answered(_tag: number, answer: Message): void {
    discardStreams(answer, failure("CALLER_GONE", "the message asked for no answer"));
    this.#ended();
  }

  failed(_tag: number, why: Failure): void {
    this.#lose(why);
    this.#ended();
  }

  originOf(): Origin {
    return this.#attachments.origin;
  }

  callerOf(): string {
    return this.#attachments.caller;
  }

  /** A message with a pipe or a file: its sender hears no outcome, for there is nothing to write it to (B-30). */
  #sendFile(message: BeamMessage, subject: string, link: MessageSocket, attachment: number): void {
    const stream = this.#attachments.acceptFile(attachment);
    if (stream !== undefined) this.#send(message, subject, link, stream);
  }

  #send(message: BeamMessage, subject: string, link: MessageSocket, stream?: StreamEnd): void {
    const { engine } = this.#attachments.admitted;
    const { settings } = this.#attachments.site;
    const route = engine.route(subject);
    this.#pending++;
    if (stream !== undefined) {
      const request = requestOf(message, true);
      request.streams = [stream];
      engine.request(route, request, settings.timeoutMs, this, 0);
    } else if (settings.plain === "publish") this.#publish(() => engine.publish(route, requestOf(message)));
    else engine.request(route, requestOf(message), settings.timeoutMs, this, 0);
    if (this.#pending < settings.maxPending) return;
    this.#paused.add(link);
    link.pause();
  }

  #publish(publish: () => Promise<void> | undefined): void {
    const lost = (error: unknown): void => this.failed(0, toFailure(error));
    try {
      const room = publish();
      if (room === undefined) this.#ended();
      else room.then(() => this.#ended(), lost);
    } catch (error) {
      lost(error);
    }
  }

  #call(message: BeamMessage, subject: string, link: MessageSocket): void {
    const route = this.#attachments.admitted.engine.route(subject);
    this.#calls++;
    const call = new BeamCall(message, route, link, this.#attachments, () => {
      this.#calls--;
      if (this.isIdle) this.#onIdle();
    });
    call.start();
  }

  #register(message: BeamMessage, attachment: number | undefined): void {
    const { args, generation = 2 } = message;
    const { site } = this.#attachments;
    const names = args.length === 0 ? [">"] : args;
    if (this.#patterns + names.length > MAX_PATTERNS) return this.#refuse(TOO_MANY, attachment, message); // B-59
    const patterns: string[] = [];
    for (const arg of names) {
      const pattern = site.patternOf(arg);
      if (pattern === undefined) return this.#refuse(badName(arg), attachment, message);
      patterns.push(pattern);
    }
    if (attachment === undefined || !isSocket(attachment))
      return this.#refuse(failure("BAD_FRAME", "register needs an attached socket"), attachment, message);
    const link = this.#attachments.accept(attachment, generation);
    if (link === undefined) return undefined;
    this.#patterns += patterns.length;
    const left = (): void => void (this.#patterns -= patterns.length);
    return new BeamWorker(link, this, this.#attachments, left).serve(patterns);
  }

  #refuse(why: Failure, attachment: number | undefined, { name, generation = 2 }: BeamMessage): void {
    if (attachment !== undefined) return this.#attachments.refuse(attachment, why, generation);
    this.#attachments.site.stats.refused++;
    return this.#attachments.report(why, `the message ${JSON.stringify(name.slice(0, 64))}`);
  }

  #lose(why: Failure): void {
    this.#attachments.site.stats.lost++;
    this.#attachments.report(why, "a message without an attachment");
  }

  #ended(): void {
    this.#pending--;
    for (const link of this.#paused) {
      if (this.#pending >= this.#attachments.site.settings.maxPending) break;
      this.#paused.delete(link);
      link.resume();
    }
    if (this.isIdle) this.#onIdle();
  }
}

function badName(name: string): Failure {
  const shown = JSON.stringify(name.length > 64 ? `${name.slice(0, 64)}...` : name);
  return failure("BAD_SUBJECT", `${shown} is not a legal subject`);
}
