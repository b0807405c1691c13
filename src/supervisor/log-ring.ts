/** The last lines that a service has written, kept in memory. */
export interface LogLine {
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** The instance that wrote it, such as `greet.1`. */
  readonly instance: string;
  readonly stream: "stdout" | "stderr";
  /** Without its line end; bytes that are no UTF-8 are replaced. May contain control characters. */
  readonly text: string;
}

/** Longer lines are cut into several. Bytes. */
export const MAX_LINE = 16_384;
/** What one service's lines may take, each counted with what it costs besides its text. */
const MAX_SIZE = 2_097_152;
const LINE_COST = 128;

export class LogRing {
  #lines: LogLine[] = [];
  /** Where the oldest line stands in `#lines`: those before it are gone. */
  #head = 0;
  /** The number of the oldest line; lines count up from 0. */
  #first = 0;
  #size = 0;
  readonly #waiting = new Set<() => void>();

  /** The number the next line will have. */
  get next(): number {
    return this.#first + this.#lines.length - this.#head;
  }

  append(line: LogLine): void {
    this.#lines.push(line);
    this.#size += sizeOf(line);
    while (this.#size > MAX_SIZE) {
      this.#size -= sizeOf(this.#lines[this.#head]!);
      this.#head++;
      this.#first++;
    }
    if (this.#head > 1_024 && this.#head * 2 > this.#lines.length) {
      this.#lines = this.#lines.slice(this.#head);
      this.#head = 0;
    }
    for (const wake of this.#waiting) wake();
  }

  /** The last lines, at most so many, oldest first. */
  last(count: number): LogLine[] {
    return this.#lines.slice(Math.max(this.#head, this.#lines.length - count));
  }

  /** The line of this number, or the oldest there is if that is gone; undefined when there is none yet. */
  read(number: number): { readonly line: LogLine; readonly number: number } | undefined {
    const at = Math.max(number, this.#first);
    const line = this.#lines[this.#head + at - this.#first];
    return line === undefined ? undefined : { line, number: at };
  }

  /** Resolves when there is a line of this number, or the signal has fired. */
  async until(number: number, signal: AbortSignal): Promise<void> {
    while (this.next <= number && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          this.#waiting.delete(wake);
          signal.removeEventListener("abort", wake);
          resolve();
        };
        this.#waiting.add(wake);
        signal.addEventListener("abort", wake, { once: true });
      });
    }
  }
}

function sizeOf({ text }: LogLine): number {
  return 2 * text.length + LINE_COST;
}
