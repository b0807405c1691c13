/** The `content-length` that a worker gives an answer whose body comes in pieces: callers rely on it. */
import { LintelError } from "./failure.ts";

const LENGTH = /^\d{1,15}$/;

/** True for what can be the value of `content-length`. */
export function isLength(value: string): boolean {
  return LENGTH.test(value);
}

/** Counts a body whose length was announced. What it throws is `BAD_ANSWER`. */
export class DeclaredLength {
  readonly #length: number;
  #sent = 0;

  /** Throws when the value is no number of bytes. */
  constructor(value: string) {
    if (!isLength(value)) throw bad("its content-length is not a number of bytes");
    this.#length = Number(value);
  }

  /** So many bytes more. Throws when that is too much. */
  add(size: number): void {
    this.#sent += size;
    if (this.#sent > this.#length)
      throw bad(`its body has more than the ${this.#length} bytes of its content-length`);
  }

  /** The body is complete. Throws when something is missing. */
  end(): void {
    if (this.#sent < this.#length)
      throw bad(`its body ended after ${this.#sent} of the ${this.#length} bytes of its content-length`);
  }
}

function bad(why: string): LintelError {
  return LintelError.of("BAD_ANSWER", `the worker answered, but ${why}`);
}
