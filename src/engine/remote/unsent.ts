import type { Message } from "../../message/message.ts";

/** What waits in this process because the session is full (P-67), by number, oldest first. */
export class Unsent<E extends { readonly message: Message | undefined }> {
  readonly #limit: number;
  readonly #entries = new Map<number, E>();
  #bytes = 0;

  /** `limit`: so many bytes may wait. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** False when there is no room for it. */
  add(id: number, entry: E): boolean {
    const bytes = sizeOf(entry);
    if (this.#bytes + bytes > this.#limit) return false;
    this.#bytes += bytes;
    this.#entries.set(id, entry);
    return true;
  }

  has(id: number): boolean {
    return this.#entries.has(id);
  }

  take(id: number): E | undefined {
    const entry = this.#entries.get(id);
    if (entry === undefined) return undefined;
    this.#entries.delete(id);
    this.#bytes -= sizeOf(entry);
    return entry;
  }

  /** The number of the oldest. */
  get first(): number | undefined {
    for (const id of this.#entries.keys()) return id;
    return undefined;
  }
}

/** What keeping one costs besides its bytes, so that many small ones are bounded as well. */
const ENTRY_COST = 256;

function sizeOf({ message }: { readonly message: Message | undefined }): number {
  return ENTRY_COST + (message === undefined ? 0 : message.end - message.headStart);
}
