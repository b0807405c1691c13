import { failure, type Failure } from "../../message/failure.ts";

const DROPPED = Object.freeze(failure("CALLER_GONE", "its receiver has dropped the stream"));

/** The end of a stream that its objects lead to. */
interface Abortable {
  abort(why: Failure): void;
}

/** What is left of a stream: its end, and how many of the objects. */
interface Held {
  readonly port: Abortable;
  halves: number;
}

/** Ends received streams that nobody can read or write any more, because the objects they came as are collected. */
export class DroppedStreams {
  readonly #registry = new FinalizationRegistry<Held>((held) => {
    held.halves--;
    if (held.halves === 0) held.port.abort(DROPPED);
  });

  /** The port must not lead to the objects. */
  watch(port: Abortable, ...halves: readonly object[]): void {
    const held = { port, halves: halves.length };
    for (const half of halves) this.#registry.register(half, held);
  }
}
