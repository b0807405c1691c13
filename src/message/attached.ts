/**
 * Sockets and files that a message carries. Each is a stream that stands for it: the receiver of the message takes it, as
 * the thing itself where that can be handed over, as its bytes where the sender lets them flow instead.
 */
export type AttachedKind = "socket" | "file";

/** How it is handed over, the best way first: each includes those after it. */
export type Way = "object" | "descriptor" | "bytes";

/** What a stream stands for. Both its directions are quiet until it is taken, and over when it was handed over. */
export interface Attached {
  readonly kind: AttachedKind;
  /** Its bytes may flow instead. */
  readonly fallback: boolean;
  /**
   * Asks for it, once, in the best way the caller can do with. `then` is called once, possibly before this returns, unless
   * the stream is reset first, which says why.
   */
  take(way: Way, then: (handover: Handover) => void): void;
}

/** What comes of taking: the taker's from then on. */
export type Handover =
  | { readonly way: "object"; readonly object: unknown }
  | Passed
  /** The bytes flow through the stream from now on. */
  | { readonly way: "bytes" };

/** An open descriptor, which the owner of this object must close. */
export interface Passed {
  readonly way: "descriptor";
  readonly descriptor: number;
  close(): void;
}
