import { LintelError, failure, toFailure, type Failure } from "../../message/failure.ts";
import type { StreamEnd } from "../../message/message.ts";
import type { Origin } from "../../message/origin.ts";
import { adoptSocket, closeDescriptor, socketPair } from "../../transport/descriptors/endpoints.ts";
import type { Admitted } from "../../access/admission.ts";
import { errorOf } from "./arguments.ts";
import { isSocket, streamOf, type InUse } from "./file-bridge.ts";
import { MessageSocket } from "./message-socket.ts";
import type { Generation } from "./message.ts";
import type { BeamContext } from "./context.ts";

export type { InUse };

/** The attachments of one connection, however deep they are nested: how many may be in use, and which are. */
export class Attachments {
  readonly site: BeamContext;
  /** The principal at the other end, once it is admitted. */
  admitted: Admitted;
  /** The caller that everything on the connection counts for. */
  readonly caller: string;
  /** Where its messages and its workers come from, for observers. */
  origin: Origin;
  readonly #inUse = new Set<InUse>();
  readonly #onEmpty: () => void;
  readonly #reported = new Set<string>();

  /** `onEmpty` is called whenever the last one has ended. */
  constructor(site: BeamContext, onEmpty: () => void) {
    this.site = site;
    this.admitted = site.admission.everyone;
    this.caller = site.nextCaller();
    this.origin = { gateway: "beam", remote: this.caller, principal: undefined };
    this.#onEmpty = onEmpty;
  }

  /** The principal at the other end is known. */
  admit(admitted: Admitted): void {
    this.admitted = admitted;
    this.origin = { ...this.origin, principal: admitted.principal };
  }

  get size(): number {
    return this.#inUse.size;
  }

  /** A link over a descriptor that has come; undefined when none is available, and then it is closed. */
  accept(descriptor: number, generation: Generation): MessageSocket | undefined {
    if (this.#inUse.size < this.site.settings.maxAttachments) return this.#adopt(descriptor, generation);
    this.refuse(descriptor, this.#tooMany(), generation);
    return undefined;
  }

  /** The stream of a pipe or file that has come; undefined when none is available, and then it is closed. */
  acceptFile(descriptor: number): StreamEnd | undefined {
    try {
      if (this.#inUse.size >= this.site.settings.maxAttachments) throw LintelError.from(this.#tooMany());
      return streamOf(descriptor, this);
    } catch (error) {
      closeDescriptor(descriptor);
      this.site.stats.refused++;
      this.report(toFailure(error, failure("BAD_FRAME")), "beam");
      return undefined;
    }
  }

  /** Tells the other end of an attachment that its message has failed, if there is room. */
  refuse(descriptor: number, why: Failure, generation: Generation): void {
    this.site.stats.refused++;
    if (!isSocket(descriptor)) {
      closeDescriptor(descriptor);
      return this.report(why, "a message with a pipe or file");
    }
    const link = this.#adopt(descriptor, generation);
    link?.send(errorOf(why));
    link?.abort();
    return undefined;
  }

  /** A link, and the descriptor of its other end, to be sent. Throws `TOO_MANY`, and what the system says. */
  create(generation: Generation): [link: MessageSocket, far: number] {
    const [near, far] = this.pair();
    const link = this.#adopt(near, generation);
    if (link !== undefined) return [link, far];
    closeDescriptor(far);
    throw LintelError.of("HANDLER_FAILED", "a socket could not be used");
  }

  /** Two descriptors that are joined. Throws `TOO_MANY`, and what the system says. */
  pair(): [near: number, far: number] {
    if (this.#inUse.size >= this.site.settings.maxAttachments) throw LintelError.from(this.#tooMany());
    try {
      return socketPair();
    } catch (error) {
      throw LintelError.of("TOO_MANY", "the hub has too many descriptors open", error);
    }
  }

  add(one: InUse): void {
    this.#inUse.add(one);
    this.site.stats.attachments++;
  }

  delete(one: InUse): void {
    if (!this.#inUse.delete(one)) return;
    this.site.stats.attachments--;
    if (this.#inUse.size === 0) this.#onEmpty();
  }

  /** Ends all of them. */
  abort(why: Failure): void {
    for (const one of this.#inUse) one.abort(why);
  }

  /** Reports a failure that reaches nobody else. Each reason once, so that frequent failures do not fill the log. */
  report(why: Failure, where: string): void {
    if (this.#reported.has(why.reason) || this.#reported.size >= MAX_REPORTED) return;
    this.#reported.add(why.reason);
    this.site.report(why, where);
  }

  #adopt(descriptor: number, generation: Generation): MessageSocket | undefined {
    if (!isSocket(descriptor)) {
      closeDescriptor(descriptor);
      this.site.stats.refused++;
      this.report(failure("BAD_FRAME", "an attachment is not a socket"), "beam");
      return undefined;
    }
    const { messageLimit } = this.site.settings;
    const link = new MessageSocket(
      adoptSocket(descriptor),
      messageLimit,
      () => this.delete(link),
      generation,
    );
    this.add(link);
    return link;
  }

  #tooMany(): Failure {
    const { maxAttachments } = this.site.settings;
    return failure("TOO_MANY", `the connection has ${maxAttachments} attachments in use`);
  }
}

/** Reasons that are reported for each connection. */
const MAX_REPORTED = 16;
