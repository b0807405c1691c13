import { LintelError } from "../../message/failure.ts";
import type { StreamEnd } from "../../message/message.ts";
import type { Handover, Attached, AttachedKind } from "../../message/attached.ts";
import { Port } from "./port.ts";
import { byteStream } from "./port-streams.ts";
import { failureOf } from "./pumps.ts";
import type { SharedByStreams } from "./values.ts";

/**
 * A socket or a file in a value. `attachment` makes one, and the receiver of the value takes it, or puts it into a value of
 * their own. It has one holder at a time. What is given up, or fails on its way, is closed; what is merely
 * forgotten stays open until the connection ends, as streams do.
 */
export class Attachment implements AsyncDisposable {
  readonly kind: AttachedKind;
  readonly #end: StreamEnd;
  readonly #attached: Attached;
  readonly #values: SharedByStreams | undefined;
  #state: "whole" | "taken" | "gone" = "whole";

  /** Attachments are made by `attachment`, and arrive in values. */
  constructor(end: StreamEnd, attached: Attached, values?: SharedByStreams) {
    this.kind = attached.kind;
    this.#end = end;
    this.#attached = attached;
    this.#values = values;
  }

  /**
   * Takes what is attached, once; it is the caller's to close. In the sender's process that is the object itself; where a
   * descriptor was passed a `net.Socket`, or an `OpenFile`; where the bytes are sent instead, as the sender allowed, a
   * Node `Duplex` for a socket and a `Readable` for a file, in browsers the streams of the platform.
   *
   * Rejects with `DESCRIPTORS_UNSUPPORTED` when there is no such way, with `CONNECTION_LOST` and the like when the sender is
   * gone, and with `failed_precondition` when it was taken, or sent on, before.
   */
  take<T = unknown>(): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#leave("taken");
      const port = new Port(this.#end, this.#values);
      port.closed.catch(reject);
      const way = this.#values !== undefined && this.#values.objects === undefined ? "bytes" : "object";
      this.#attached.take(way, (handover) => {
        try {
          // What it is only the receiver knows; the type parameter says what is expected.
          resolve(this.#received(handover, port) as T);
        } catch (error) {
          port.abort(failureOf(error));
          reject(error instanceof Error ? error : new TypeError(String(error)));
        }
      });
    });
  }

  /** Gives it up: what is attached is closed, unless it was taken or sent on. */
  discard(): void {
    if (this.#state !== "whole") return;
    this.#state = "gone";
    this.#end.reset(LintelError.of("CALLER_GONE", "it was not taken").toFailure());
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.discard();
    return Promise.resolve();
  }

  /** Takes the end out, to pass it on. */
  static detach(attachment: Attachment): StreamEnd {
    attachment.#leave("gone");
    return attachment.#end;
  }

  #leave(state: "taken" | "gone"): void {
    if (this.#state !== "whole") {
      throw new LintelError(
        "failed_precondition",
        this.#state === "taken" ? "the attachment was taken" : "the attachment was passed on, or discarded",
      );
    }
    this.#state = state;
  }

  #received(handover: Handover, port: Port): unknown {
    const objects = this.#values?.objects;
    if (handover.way !== "bytes") port.over();
    if (handover.way === "object") return handover.object;
    if (handover.way === "descriptor") return objects!.ofDescriptor(this.kind, handover);
    const stream = byteStream(port, this.#end);
    return objects === undefined ? stream : objects.ofStream(this.kind, stream);
  }
}
