import type { Route } from "../message/delivery.ts";

/** A subject the other end has bound to a number, with what the receiver made of it. */
export interface Binding<R> {
  readonly subject: string;
  /** The registration of this end it belongs to; 0: whichever match. */
  readonly registration: number;
  /** Filled in by the receiver at the first message. */
  resolved: R | undefined;
}

const PAGE = 256;

/** Numbers the other end has given to subjects. Pages, so that one high number does not cost a whole table. */
export class BindingTable<R> {
  readonly #pages: ((Binding<R> | undefined)[] | undefined)[] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(number: number): Binding<R> | undefined {
    return this.#pages[number >>> 8]?.[number & (PAGE - 1)];
  }

  /** Binds, or binds anew. The caller has checked the number. */
  set(number: number, subject: string, registration: number): void {
    let page = this.#pages[number >>> 8];
    if (page === undefined) {
      page = new Array<Binding<R> | undefined>(PAGE).fill(undefined);
      this.#pages[number >>> 8] = page;
    }
    if (page[number & (PAGE - 1)] === undefined) this.#size++;
    page[number & (PAGE - 1)] = { subject, registration, resolved: undefined };
  }
}

/** A number this end has given to a subject. `number` becomes 0 when the number is taken for another subject. */
export interface OutBinding extends Route {
  readonly subject: string;
  readonly registration: number;
  number: number;
}

/** Gives numbers to subjects, from `first` to `last`; when they are used up the oldest is taken again. */
export class NumberPool {
  readonly #first: number;
  readonly #last: number;
  readonly #owners: (OutBinding | undefined)[] = [];
  #next: number;

  constructor(first: number, last: number) {
    this.#first = first;
    this.#last = last;
    this.#next = first;
  }

  /** Gives the binding a number, which the caller then announces. */
  assign(binding: OutBinding): void {
    const number = this.#next;
    this.#next = number < this.#last ? number + 1 : this.#first;
    const owner = this.#owners[number - this.#first];
    if (owner !== undefined) owner.number = 0;
    this.#owners[number - this.#first] = binding;
    binding.number = number;
  }

  /** Takes every number back. */
  clear(): void {
    for (const owner of this.#owners) if (owner !== undefined) owner.number = 0;
    this.#owners.length = 0;
  }
}
