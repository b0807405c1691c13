import type { Connection } from "../transport/transport.ts";
import { deferToEndOfTick, type Defer } from "../runtime/defer-to-end-of-tick.ts";

/** Size of a slab. A turn of the loop usually fits in one. */
const SLAB_SIZE = 65_536;
/** Idle slabs kept for reuse. */
const POOL_SIZE = 64;
/** Frames from this size on come in numbers: they go into large slabs, of which a few are kept. */
const LARGE_FRAME = 16_384;
const LARGE_SLAB_SIZE = 262_144 + 1_024;
const LARGE_POOL_SIZE = 8;
/**
 * When more sessions than the pool has slabs write in one turn, each of the others begins with a small one: a slab for each of
 * ten thousand pings would be 640 MB.
 */
const SMALL_SLAB_SIZE = 4_096;
const SMALL_POOL_SIZE = 1_024;
/** Connections that are written to in one turn of the loop; each takes a system call. The others follow in the next turns. */
const FLUSHED_PER_TURN = 256;

/** Memory that is not cleared, where the platform has such. It is safe: only what was written is ever sent. */
const allocate: (size: number) => Uint8Array =
  typeof Buffer === "function" ? (size) => Buffer.allocUnsafeSlow(size) : (size) => new Uint8Array(size);

/** Runs `flush` of everything that has something to send once per turn of the loop, and lends out slabs. */
export class Flusher {
  readonly #defer: Defer;
  #dirty: { flush(): void }[] = [];
  #spare: { flush(): void }[] = [];
  readonly #pool: Uint8Array[] = [];
  readonly #largePool: Uint8Array[] = [];
  readonly #smallPool: Uint8Array[] = [];
  readonly #run = (): void => {
    const batch = this.#dirty;
    this.#dirty = this.#spare;
    const count = Math.min(batch.length, FLUSHED_PER_TURN);
    for (let index = 0; index < count; index++) batch[index]!.flush();
    if (batch.length > count) this.#goOn(batch.slice(count));
    batch.length = 0;
    this.#spare = batch;
  };

  constructor(defer: Defer = deferToEndOfTick()) {
    this.#defer = defer;
  }

  schedule(item: { flush(): void }): void {
    if (this.#dirty.push(item) === 1) this.#defer(this.#run);
  }

  /** What was not flushed in this turn goes before what has been scheduled meanwhile. */
  #goOn(left: { flush(): void }[]): void {
    if (this.#dirty.length === 0) this.#defer(this.#run);
    this.#dirty = left.concat(this.#dirty);
  }

  /** A slab with room for a frame of this size; `isFirst` when it is the first since the last flush. */
  takeSlab(size: number, isFirst = false): Uint8Array {
    if (size < LARGE_FRAME) {
      const slab = this.#pool.pop();
      if (slab !== undefined) return slab;
      if (isFirst && size <= SMALL_SLAB_SIZE && this.#dirty.length > POOL_SIZE)
        return this.#smallPool.pop() ?? allocate(SMALL_SLAB_SIZE);
      return allocate(SLAB_SIZE);
    }
    if (size <= LARGE_SLAB_SIZE) return this.#largePool.pop() ?? allocate(LARGE_SLAB_SIZE);
    return allocate(size);
  }

  /** Keeps no idle slabs. */
  trim(): void {
    this.#pool.length = 0;
    this.#largePool.length = 0;
    this.#smallPool.length = 0;
  }

  giveSlab(slab: Uint8Array): void {
    if (slab.length === SLAB_SIZE && this.#pool.length < POOL_SIZE) this.#pool.push(slab);
    else if (slab.length === LARGE_SLAB_SIZE && this.#largePool.length < LARGE_POOL_SIZE)
      this.#largePool.push(slab);
    else if (slab.length === SMALL_SLAB_SIZE && this.#smallPool.length < SMALL_POOL_SIZE)
      this.#smallPool.push(slab);
  }
}

/**
 * What one session has to send. Frames are written into a slab, and the slab goes out in one write per turn of the loop,
 * earlier when it is full. While the connection is full, slabs queue up; code that fills the queue watches `queued`.
 */
export class Outbox {
  readonly #connection: Connection;
  readonly #flusher: Flusher;
  #slab: Uint8Array | undefined;
  #used = 0;
  /** Full slabs, and the bytes of each that count. */
  #waiting: { slab: Uint8Array; bytes: Uint8Array }[] = [];
  #waitingBytes = 0;
  /** The slab the connection holds while it is full. */
  #held: Uint8Array | undefined;
  #blocked = false;
  #scheduled = false;
  #closed = false;
  /** Bytes that were given to the connection, since the start. */
  handedOver = 0;
  /** Called when a blocked connection has taken everything. */
  onDrained: () => void = () => undefined;

  constructor(connection: Connection, flusher: Flusher) {
    this.#connection = connection;
    this.#flusher = flusher;
  }

  /** Bytes that wait for a connection that is full. */
  get queued(): number {
    return this.#blocked ? this.#waitingBytes + this.#used : 0;
  }

  /** True when nothing is waiting, so that bytes may go straight to the connection. */
  get isEmpty(): boolean {
    return !this.#blocked && this.#used === 0;
  }

  /** Room for `size` bytes: write them at `offset` of `slab`, then call `advance`. */
  reserve(size: number): Uint8Array {
    let slab = this.#slab;
    if (slab !== undefined && this.#used + size <= slab.length) return slab;
    if (slab !== undefined && slab.length === SMALL_SLAB_SIZE && size < LARGE_FRAME) return this.#grow(slab);
    const isFirst = slab === undefined;
    if (!isFirst) this.#sendSlab();
    slab = this.#flusher.takeSlab(size, isFirst);
    this.#slab = slab;
    this.#used = 0;
    return slab;
  }

  get offset(): number {
    return this.#used;
  }

  /** Ends a write: the slab is used up to `offset` now. */
  advance(offset: number): void {
    this.#used = offset;
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#flusher.schedule(this);
  }

  /** Appends bytes that are ready. */
  append(bytes: Uint8Array): void {
    const slab = this.reserve(bytes.length);
    slab.set(bytes, this.#used);
    this.advance(this.#used + bytes.length);
  }

  /** Sends bytes without copying them, if nothing waits: false when they were not taken, true when they may be reused. */
  sendDirect(bytes: Uint8Array): boolean {
    if (this.#closed) return true;
    this.handedOver += bytes.length;
    if (this.#connection.send(bytes)) return true;
    this.#blocked = true;
    return false;
  }

  /** True while the connection is full: it holds what it was given, and the rest waits here. */
  get isBlocked(): boolean {
    return this.#blocked;
  }

  /** True when `sendBody` may be called. */
  get takesBody(): boolean {
    return !this.#blocked && !this.#closed && this.#connection.sendBoth !== undefined;
  }

  /** Sends what was written, at least a header, and `body` behind it, which is not copied: do not write to it until the outbox is no longer blocked. */
  sendBody(body: Uint8Array): void {
    const slab = this.#slab!;
    const bytes = slab.subarray(0, this.#used);
    this.#used = 0;
    this.handedOver += bytes.length + body.length;
    if (this.#connection.sendBoth!(bytes, body)) return;
    this.#slab = undefined;
    this.#held = slab;
    this.#blocked = true;
  }

  flush(): void {
    this.#scheduled = false;
    if (this.#used > 0 && !this.#blocked) this.#sendSlab();
  }

  /** The connection has taken everything it held. */
  drained(): void {
    if (this.#held !== undefined) this.#flusher.giveSlab(this.#held);
    this.#held = undefined;
    this.#blocked = false;
    while (this.#waiting.length > 0 && !this.#blocked) {
      const { slab, bytes } = this.#waiting.shift()!;
      this.#waitingBytes -= bytes.length;
      this.#send(slab, bytes);
    }
    if (!this.#blocked && this.#used > 0) this.#sendSlab();
    if (!this.#blocked) this.onDrained();
  }

  /** Drops what the connection has not been given. What is written later is sent. */
  discard(): void {
    for (const { slab } of this.#waiting) this.#flusher.giveSlab(slab);
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#used = 0;
  }

  /** Drops everything; later writes go nowhere. */
  close(): void {
    this.#closed = true;
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#blocked = false;
    if (this.#slab !== undefined) this.#flusher.giveSlab(this.#slab);
    this.#slab = undefined;
    this.#used = 0;
  }

  /** A small slab was too small for what is written in one turn, which goes out together all the same. */
  #grow(small: Uint8Array): Uint8Array {
    const slab = this.#flusher.takeSlab(SMALL_SLAB_SIZE);
    slab.set(small.subarray(0, this.#used));
    this.#flusher.giveSlab(small);
    this.#slab = slab;
    return slab;
  }

  #sendSlab(): void {
    const slab = this.#slab!;
    const bytes = slab.subarray(0, this.#used);
    this.#slab = undefined;
    this.#used = 0;
    if (this.#closed) {
      this.#flusher.giveSlab(slab);
    } else if (this.#blocked) {
      this.#waiting.push({ slab, bytes });
      this.#waitingBytes += bytes.length;
    } else {
      this.#send(slab, bytes);
    }
  }

  #send(slab: Uint8Array, bytes: Uint8Array): void {
    this.handedOver += bytes.length;
    const isLent = bytes.length >= LARGE_FRAME && this.#connection.lend !== undefined;
    const goesOn = isLent
      ? this.#connection.lend!(bytes, () => this.#flusher.giveSlab(slab))
      : this.#connection.send(bytes);
    if (goesOn) {
      if (!isLent) this.#flusher.giveSlab(slab);
    } else {
      this.#held = slab;
      this.#blocked = true;
    }
  }
}
