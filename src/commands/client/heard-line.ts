import type { CommandLine, LineEnd, LineEvents } from "../line.ts";

/** A line that tells when anything comes, and that can be given up for a reason. It ends when the server sends nothing more. */
export class HeardLine implements CommandLine {
  readonly #line: CommandLine;
  readonly #onHeard: () => void;
  #why: Error | undefined;

  constructor(line: CommandLine, onHeard: () => void) {
    this.#line = line;
    this.#onHeard = onHeard;
  }

  get remote(): string {
    return this.#line.remote;
  }

  get buffered(): number {
    return this.#line.buffered;
  }

  open(events: LineEvents): void {
    this.#line.open({
      data: (chunk) => {
        this.#onHeard();
        events.data(chunk);
      },
      drained: () => events.drained(),
      closed: (why) => events.closed(this.#why ?? why),
    });
  }

  send(encoded: string | Uint8Array): boolean {
    return this.#line.send(encoded);
  }

  read(going: boolean): void {
    this.#line.read(going);
  }

  close(why?: LineEnd): void {
    this.#line.close(why);
  }

  abort(): void {
    this.#line.abort();
  }

  /** Ends the line at once; its end is told with this reason. */
  giveUp(why: Error): void {
    this.#why = why;
    this.#line.abort();
  }
}
