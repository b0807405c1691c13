import type { Failure } from "../../../message/failure.ts";
import type { Message } from "../../../message/message.ts";

/** How what flows through an answer's stream looks in the body. One for each answer. */
export interface StreamForm {
  /**
   * The head goes out at once. Otherwise it goes with the first piece: a stream that fails before that is answered with a
   * problem.
   */
  readonly eager: boolean;
  /** Written when nothing has been for a while. */
  readonly comment: string | undefined;
  /** Header fields that follow the body; empty for almost all. */
  readonly trailers: readonly [name: string, value: string][];
  /** A message's place in the body; a failure when it has none. */
  piece(message: Message): Uint8Array | Failure;
  /** Asked at the stream's end: a failure when something is missing. */
  missing(): Failure | undefined;
  /** What tells the caller of a failure; undefined when only a body that is cut off does. */
  lastWords(why: Failure): Uint8Array | undefined;
}
