/** Smaller buffers are left out: they are too little memory to matter. Bytes. */
const LEAST = 4_096;
/** Garbage for each byte is half a byte: an array has places of eight bytes. */
const SHIFT = 4;

/**
 * Makes V8 free buffers early that are used once, such as what Node has read into. Their memory is outside the heap of V8, and V8
 * begins a collection of the young generation by what is allocated inside. A process that reads much and allocates little else
 * holds tens of megabytes of dead buffers, and V8 then begins full collections, which cost ten times as much. So each such
 * buffer comes with a piece of garbage in the young generation, in proportion to its size.
 */
export class YoungGarbage {
  /** The newest piece. If it was not kept, the compiler would remove the allocation. */
  last: readonly unknown[] = [];

  /** So many bytes were allocated outside the heap. */
  add(size: number): void {
    if (size >= LEAST) this.last = new Array<unknown>(size >> SHIFT);
  }
}
