const FIRST_CAPACITY = 64;

/**
 * From numbers to numbers, for keys that mostly count up: a key stands at `key & mask`, and the few that collide stand
 * in an ordinary Map. Zero is no key. An order of magnitude faster than a Map alone, without garbage.
 */
export class NumberMap {
  #keys = new Uint32Array(FIRST_CAPACITY);
  #values = new Uint32Array(FIRST_CAPACITY);
  #mask = FIRST_CAPACITY - 1;
  #size = 0;
  readonly #collided = new Map<number, number>();

  get size(): number {
    return this.#size + this.#collided.size;
  }

  /** The value of a key; 0 when there is none. */
  get(key: number): number {
    const slot = key & this.#mask;
    if (this.#keys[slot] === key) return this.#values[slot]!;
    return this.#collided.size === 0 ? 0 : (this.#collided.get(key) ?? 0);
  }

  /** The caller has made sure that the key is not there. */
  set(key: number, value: number): void {
    if (this.#size * 2 > this.#mask) this.#grow();
    const slot = key & this.#mask;
    if (this.#keys[slot] === 0) {
      this.#keys[slot] = key;
      this.#values[slot] = value;
      this.#size++;
    } else {
      this.#collided.set(key, value);
    }
  }

  /** Removes a key and returns its value; 0 when there was none. */
  take(key: number): number {
    const slot = key & this.#mask;
    if (this.#keys[slot] === key && key !== 0) {
      const value = this.#values[slot]!;
      this.#keys[slot] = 0;
      this.#values[slot] = 0; // what `get(0)` reads from a free slot
      this.#size--;
      return value;
    }
    if (this.#collided.size === 0) return 0;
    const value = this.#collided.get(key);
    this.#collided.delete(key);
    return value ?? 0;
  }

  /** Removes everything and returns the values. */
  clear(): number[] {
    const values: number[] = [...this.#collided.values()];
    for (let slot = 0; slot <= this.#mask; slot++)
      if (this.#keys[slot] !== 0) values.push(this.#values[slot]!);
    this.#collided.clear();
    this.#keys = new Uint32Array(FIRST_CAPACITY);
    this.#values = new Uint32Array(FIRST_CAPACITY);
    this.#mask = FIRST_CAPACITY - 1;
    this.#size = 0;
    return values;
  }

  #grow(): void {
    const keys = this.#keys;
    const values = this.#values;
    const capacity = keys.length * 2;
    this.#keys = new Uint32Array(capacity);
    this.#values = new Uint32Array(capacity);
    this.#mask = capacity - 1;
    for (let slot = 0; slot < keys.length; slot++) {
      const key = keys[slot]!;
      if (key === 0) continue;
      this.#keys[key & this.#mask] = key;
      this.#values[key & this.#mask] = values[slot]!;
    }
  }
}
