/** Numbers for things under way, given again when they are free: an outcome finds its request by index. */
export class HandleTable<Item> {
  readonly #items: (Item | undefined)[] = [];
  readonly #free: number[] = [];

  /** The number of this item until it is removed. */
  add(item: Item): number {
    const slot = this.#free.pop() ?? this.#items.length;
    this.#items[slot] = item;
    return slot;
  }

  get(slot: number): Item | undefined {
    return this.#items[slot];
  }

  /** Takes out the item with this number. */
  remove(slot: number): Item | undefined {
    const item = this.#items[slot];
    if (item === undefined) return undefined;
    this.#items[slot] = undefined;
    this.#free.push(slot);
    return item;
  }
}
