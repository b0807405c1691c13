import { YoungGarbage } from "./young-garbage.ts";
import type { ConnectionHandler } from "./transport.ts";

/** The handler of a connection, which may come after the connection's end, and hears of the end once. */
export class ConnectionEnd {
  #handler: ConnectionHandler | undefined;
  #state: "waiting" | "open" | "over" | "told" = "waiting";
  #error: Error | undefined;
  readonly #garbage = new YoungGarbage();
  readonly #buffers: number;

  /** `buffers`: how many times Node allocates memory for what arrives. */
  constructor(buffers = 1) {
    this.#buffers = buffers;
  }

  get isOver(): boolean {
    return this.#state === "over" || this.#state === "told";
  }

  open(handler: ConnectionHandler): void {
    this.#handler = handler;
    if (this.#state === "waiting") this.#state = "open";
    else setImmediate(() => this.#tell());
  }

  data(bytes: Uint8Array): void {
    this.#garbage.add(bytes.length * this.#buffers);
    if (this.#state === "open") this.#handler?.data(bytes, true);
  }

  drained(): void {
    if (this.#state === "open") this.#handler?.drained();
  }

  /** The connection is over. Only the first call counts. */
  over(error: Error | undefined): void {
    if (this.isOver) return;
    const isOpen = this.#state === "open";
    this.#state = "over";
    this.#error = error;
    if (isOpen) this.#tell();
  }

  #tell(): void {
    if (this.#state !== "over") return;
    this.#state = "told";
    const handler = this.#handler;
    this.#handler = undefined;
    handler?.closed(this.#error);
  }
}
