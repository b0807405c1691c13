/** Something that stays open until it is closed. */
export interface Open {
  close(): Promise<void> | void;
}

/** A hub that listens, with the address its clients dial. */
export interface OpenHub extends Open {
  readonly address: string;
}

/** The client side of request/reply. The promise settles when the answer is there. */
export interface Caller extends Open {
  request(payload: Uint8Array): Promise<unknown>;
}

/** What a subscriber receives. Counting must not cost what there is to measure: no names to look up, nothing to allocate. */
export interface Feed {
  readonly name: string;
  /** To be called for every message. */
  readonly deliver: () => void;
}

/** The client side of fan-out. A returned promise asks the publisher to wait before it goes on. */
export interface Publisher extends Open {
  publish(feed: string, payload: Uint8Array): Promise<void> | undefined;
}

/**
 * What each candidate brings. Everything that measures is shared (see load/), so that candidates differ in nothing else.
 * Every function runs in a process of its own.
 */
export interface Candidate {
  /** `directory` is private to this candidate; unix sockets and port files go there. */
  openHub(transport: Transport, directory: string): Promise<OpenHub>;
  /** Answers each request with `answer` as JSON, or with the bytes it carried when there is none. */
  openWorker(address: string, answer?: Answer): Promise<Open>;
  openCaller(address: string): Promise<Caller>;
  openPublisher(address: string): Promise<Publisher>;
  /** One connection that receives every message of the feeds named. Resolves once the hub knows of the subscriptions. */
  openSubscriber(address: string, feeds: readonly Feed[]): Promise<Open>;
}

/** A small JSON object. */
export type Answer = Readonly<Record<string, string>>;

export type Transport = "unix" | "tcp" | "ws";
