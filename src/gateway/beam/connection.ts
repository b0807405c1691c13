import { tryAdmit, type Admitted } from "../../access/admission.ts";
import type { Quota } from "../../access/quota/quota.ts";
import type { Failure } from "../../message/failure.ts";
import type { DescriptorSocket } from "../../transport/descriptors/descriptor-socket.ts";
import { closeDescriptor } from "../../transport/descriptors/endpoints.ts";
import { Attachments } from "./attachments.ts";
import { BeamDispatcher } from "./dispatcher.ts";
import { MessageSocket, type MessageSocketEvents } from "./message-socket.ts";
import type { BeamMessage } from "./message.ts";
import type { BeamContext } from "./context.ts";

export interface ConnectionEvents {
  /** Every request that came over it has its outcome. */
  idle(): void;
  /** It is closed, and nothing of what came over it is in use. */
  over(): void;
}

/**
 * One connection of a peer. What came over it outlives it: a program that has sent a message and leaves may still read
 * the answer from its own end of the attachment (B-37).
 */
export class BeamConnection implements MessageSocketEvents {
  readonly #site: BeamContext;
  readonly #events: ConnectionEvents;
  readonly #socket: DescriptorSocket;
  readonly #link: MessageSocket;
  #unwatch: (() => void) | undefined;
  /** Of which it is one of the connections. */
  #quota: Quota | undefined;
  readonly #attachments: Attachments;
  readonly #intake: BeamDispatcher;
  #isClosed = false;
  #isSilent = true;

  constructor(socket: DescriptorSocket, site: BeamContext, events: ConnectionEvents) {
    this.#socket = socket;
    this.#site = site;
    this.#events = events;
    this.#link = new MessageSocket(socket, site.settings.messageLimit, () => undefined);
    this.#attachments = new Attachments(site, () => this.#settle());
    this.#intake = new BeamDispatcher(this.#attachments, () => this.#settle());
  }

  /** True when no message has come yet. */
  get isSilent(): boolean {
    return this.#isSilent;
  }

  get isIdle(): boolean {
    return this.#intake.isIdle;
  }

  /** Reads data once the principal is known (B-7). */
  open(): void {
    const { admission } = this.#site;
    if (admission.isOpen) return this.#become(admission.everyone);
    const credentials = { gateway: "beam", remote: this.#site.settings.path, unix: this.#socket.peer };
    const admitted = tryAdmit(admission, credentials);
    if (!(admitted instanceof Promise)) return this.#become(admitted);
    void admitted.then((known) => this.#become(known));
    return undefined;
  }

  #become(admitted: Admitted | Failure): void {
    if (this.#isClosed) return undefined; // it had to give way meanwhile
    this.#link.open(this);
    if ("code" in admitted) return this.#refuse(admitted);
    const full = admitted.told(admitted.quota?.takeConnection());
    if (full !== undefined) return this.#refuse(full);
    this.#quota = admitted.quota;
    this.#attachments.admit(admitted);
    this.#unwatch = admitted.watch((why) => this.abort(why));
    return undefined;
  }

  #refuse(why: Failure): void {
    this.#site.stats.refused++;
    this.#attachments.report(why, "a connection of beam");
    return this.abort(why);
  }

  /** Ends it, and everything that came over it. */
  abort(why: Failure): void {
    this.#isClosed = true;
    this.#link.abort(why);
    this.#attachments.abort(why);
    this.#settle();
  }

  // LinkEvents

  message(message: BeamMessage, attachment: number | undefined): void {
    this.#isSilent = false;
    if (this.#isClosed) {
      if (attachment !== undefined) closeDescriptor(attachment);
      return;
    }
    this.#intake.take(message, attachment, this.#link);
  }

  finished(): void {
    this.#link.close(); // nothing is ever written here
  }

  drained(): void {
    // nothing is written here
  }

  closed(why: Failure | undefined): void {
    this.#isClosed = true;
    if (why?.code === "invalid_argument") {
      this.#site.stats.malformed++;
      this.#attachments.report(why, "a connection of beam");
    }
    this.#settle();
  }

  #settle(): void {
    if (this.#intake.isIdle) this.#events.idle();
    if (!this.#isClosed || !this.#intake.isIdle || this.#attachments.size > 0) return;
    this.#unwatch?.();
    this.#quota?.giveConnection();
    this.#quota = undefined;
    this.#events.over();
  }
}
