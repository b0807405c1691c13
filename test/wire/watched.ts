/** Something that changes, and lets tests wait until it has changed into what they need. */
export class Watched {
  #waiting: { condition: () => boolean; resolve: () => void }[] = [];

  /** To be called after every change. */
  changed(): void {
    const waiting = this.#waiting;
    this.#waiting = waiting.filter(({ condition }) => !condition());
    for (const one of waiting) if (!this.#waiting.includes(one)) one.resolve();
  }

  until(condition: () => boolean): Promise<void> {
    if (condition()) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ condition, resolve }));
  }
}
