import { copyOf } from "../../message/bytes.ts";

/** Bytes that may wait before `send` asks to wait. */
const WINDOW = 262_144;

/** Bytes of one upload. Well below what proxies take. */
const MAX_BATCH = 524_288;

/** Attempts without any progress. Since every upload says where its bytes belong, sending again never doubles them. */
const MAX_ATTEMPTS = 3;

/** How one attempt to upload went: the answer's status, and the bytes that have been received of the whole stream. */
export interface UploadAnswer {
  readonly status: number;
  readonly received: number;
}

export interface UploadsOptions {
  /** Sends the chunks, `size` bytes that belong at an offset. Rejects when there is no answer. */
  readonly upload: (chunks: readonly Uint8Array[], size: number, offset: number) => Promise<UploadAnswer>;
  readonly drained: () => void;
  readonly failed: (error: Error) => void;
}

/**
 * The upward stream of the dialing end: one upload at a time, which carries everything that has gathered meanwhile.
 *
 * | state    | meaning                                       | next             |
 * |----------|-----------------------------------------------|------------------|
 * | idle     | nothing to send                               | sending, stopped |
 * | sending  | an upload is under way                        | idle, stopped    |
 * | stopped  | the connection is over                        |                  |
 */
export class Uploads {
  readonly #options: UploadsOptions;
  #state: "idle" | "sending" | "stopped" = "idle";
  #queue: Uint8Array[] = [];
  /** Bytes that no answer has confirmed. */
  #pending = 0;
  #isFull = false;
  #offset = 0;
  #onIdle: (() => void) | undefined;

  constructor(options: UploadsOptions) {
    this.#options = options;
  }

  /** As `Connection.send`. */
  send(bytes: Uint8Array): boolean {
    if (this.#state === "stopped" || this.#onIdle !== undefined) return true;
    this.#queue.push(copyOf(bytes, 0, bytes.length));
    this.#pending += bytes.length;
    this.#isFull ||= this.#pending >= WINDOW;
    const isFull = this.#isFull;
    if (this.#state === "idle") void this.#run();
    return !isFull;
  }

  /** Takes nothing more, and calls back when everything has been sent. */
  finish(onIdle: () => void): void {
    if (this.#state === "stopped" || this.#onIdle !== undefined) return;
    this.#onIdle = onIdle;
    if (this.#state === "idle") onIdle();
  }

  stop(): void {
    this.#state = "stopped";
    this.#queue = [];
  }

  async #run(): Promise<void> {
    this.#state = "sending";
    while (this.#queue.length > 0) {
      const batch = this.#takeBatch();
      const size = batch.reduce((sum, chunk) => sum + chunk.length, 0);
      const failed = await this.#sendBatch(batch, size);
      if (this.#isStopped) return;
      if (failed !== undefined) return this.#options.failed(failed);
      this.#pending -= size;
    }
    this.#state = "idle";
    const wasFull = this.#isFull;
    this.#isFull = false;
    if (this.#onIdle !== undefined) this.#onIdle();
    else if (wasFull) this.#options.drained();
  }

  get #isStopped(): boolean {
    return this.#state === "stopped";
  }

  /** Everything that waits, up to the size of an upload. */
  #takeBatch(): Uint8Array[] {
    const taken: Uint8Array[] = [];
    let room = MAX_BATCH;
    let count = 0;
    for (const chunk of this.#queue) {
      if (chunk.length > room) {
        if (room > 0) taken.push(chunk.subarray(0, room));
        this.#queue[count] = chunk.subarray(room);
        break;
      }
      taken.push(chunk);
      room -= chunk.length;
      count++;
    }
    this.#queue = this.#queue.slice(count);
    return taken;
  }

  /** Sends a batch, and again what did not arrive of it. Resolves with what went wrong for good. */
  async #sendBatch(batch: readonly Uint8Array[], size: number): Promise<Error | undefined> {
    const start = this.#offset;
    const end = start + size;
    let problem = "";
    for (let attempt = 0; attempt < MAX_ATTEMPTS && !this.#isStopped;) {
      const from = this.#offset;
      try {
        const rest = from === start ? batch : without(batch, from - start);
        const { status, received } = await this.#options.upload(rest, end - from, from);
        if (received >= from && received <= end) this.#offset = received;
        else if (status < 500) return new Error(`an upload was answered with status ${status}`);
        problem = `with status ${status}`;
      } catch (error) {
        problem = String(error);
      }
      if (this.#offset === end) return undefined;
      if (this.#offset === from) attempt++;
    }
    return new Error(`an upload failed ${MAX_ATTEMPTS} times, at last ${problem}`);
  }
}

/** The chunks without their first `count` bytes. */
function without(chunks: readonly Uint8Array[], count: number): Uint8Array[] {
  const rest: Uint8Array[] = [];
  let left = count;
  for (const chunk of chunks) {
    if (left < chunk.length) rest.push(chunk.subarray(left));
    left = Math.max(0, left - chunk.length);
  }
  return rest;
}
