/** Smaller reads are left out: they are too little memory to matter. Bytes. */
const LEAST_READ = 4_096;
/** Young garbage for each byte that was read is a quarter of a byte: an array has places of eight bytes. */
const SHIFT = 5;

/**
 * Makes V8 free the memory of reads early. Node allocates that memory outside the heap of V8, and V8 begins a collection of the
 * young generation by what is allocated inside, not outside. A process that reads much and allocates little else holds tens
 * of megabytes of dead reads, and V8 then begins full collections, which cost ten times as much. So each read allocates a
 * piece of garbage in the young generation, in proportion to its size.
 */
export class ReadGarbage {
  /** The newest piece. If it was not kept, the compiler would remove the allocation. */
  last: readonly unknown[] = [];

  /** So many bytes were read into memory that Node has allocated for them. */
  add(size: number): void {
    if (size >= LEAST_READ) this.last = new Array<unknown>(size >> SHIFT);
  }
}
