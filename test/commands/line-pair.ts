/** Two ends of a line in memory, for tests of connections. */
import type { CommandLine, LineEnd, LineEvents } from "../../src/commands/line.ts";

export class MemoryLine implements CommandLine {
  readonly remote = "memory://other";
  /** Everything that was sent, as text. */
  readonly sent: string[] = [];
  buffered = 0;
  /** What `send` returns. */
  isTaking = true;
  isReading = true;
  end: LineEnd | "aborted" | undefined;
  events: LineEvents | undefined;
  other: MemoryLine | undefined;

  open(events: LineEvents): void {
    this.events = events;
  }

  send(encoded: string | Uint8Array): boolean {
    const text = typeof encoded === "string" ? encoded : Buffer.from(encoded).toString();
    this.sent.push(text);
    if (this.other !== undefined) queueMicrotask(() => this.other?.events?.data(text));
    return this.isTaking;
  }

  read(going: boolean): void {
    this.isReading = going;
  }

  close(why?: LineEnd): void {
    this.#end(why ?? { code: 1000, reason: "" });
  }

  abort(): void {
    this.#end("aborted");
  }

  /** What has come from the other end. */
  receive(text: string | Uint8Array): void {
    this.events!.data(text);
  }

  /** The commands that were sent. */
  get commands(): Record<string, unknown>[] {
    return this.sent.map((text) => JSON.parse(text) as Record<string, unknown>);
  }

  #end(how: LineEnd | "aborted"): void {
    if (this.end === undefined) queueMicrotask(() => this.events?.closed());
    this.end = how;
    const { other } = this;
    this.other = undefined;
    if (other !== undefined) queueMicrotask(() => other.events?.closed());
  }
}

export function linePair(): [MemoryLine, MemoryLine] {
  const pair: [MemoryLine, MemoryLine] = [new MemoryLine(), new MemoryLine()];
  [pair[0].other, pair[1].other] = [pair[1], pair[0]];
  return pair;
}
