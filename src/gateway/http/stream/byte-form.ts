import type { Failure } from "../../../message/failure.ts";
import type { Message } from "../../../message/message.ts";
import { badAnswer } from "../encode.ts";
import type { StreamForm } from "./form.ts";

/** Bytes as they come. Callers rely on a length that was announced, so it is held to. */
export class ByteForm implements StreamForm {
  readonly eager: boolean;
  readonly trailers: readonly [name: string, value: string][] = [];
  readonly comment = undefined;
  readonly #length: number | undefined;
  #sent = 0;

  constructor(length: number | undefined, eager: boolean) {
    this.#length = length;
    this.eager = eager;
  }

  piece(message: Message): Uint8Array | Failure {
    const bytes = message.payload();
    this.#sent += bytes.length;
    if (this.#length === undefined || this.#sent <= this.#length) return bytes;
    return badAnswer(`its stream has more than the ${this.#length} bytes of its content-length`);
  }

  missing(): Failure | undefined {
    if (this.#length === undefined || this.#sent === this.#length) return undefined;
    return badAnswer(
      `its stream ended after ${this.#sent} of the ${this.#length} bytes of its content-length`,
    );
  }

  lastWords(): undefined {
    return undefined;
  }
}
