import { failure } from "../../message/failure.ts";
import type { Port } from "./port.ts";

const DROPPED = Object.freeze(failure("CALLER_GONE", "its receiver has dropped the stream"));

/** What is left of a stream: its port, and how many of the objects that lead there. */
interface Held {
  readonly port: Port;
  halves: number;
}

/** Ends received streams that nobody can read or write any more, because the objects they came as are collected. */
export class DroppedStreams {
  readonly #registry = new FinalizationRegistry<Held>((held) => {
    held.halves--;
    if (held.halves === 0) held.port.abort(DROPPED);
  });

  /** The port must not lead to the objects. */
  watch(port: Port, ...halves: readonly object[]): void {
    const held = { port, halves: halves.length };
    for (const half of halves) this.#registry.register(half, held);
  }
}
