import type { TlsOptions } from "../transport/transport.ts";

/** A gateway turns a foreign protocol into messages for an engine. */
export interface Listening {
  /** Where it is reached, with the port it really has: `http://127.0.0.1:8500`. */
  readonly url: string;
  /** Uses other certificates from the next connection on, where connections have any. Throws when they are wrong. */
  reload?(tls: TlsOptions): void;
  /** Accepts nothing new, finishes what is under way, then resolves. */
  drain(): Promise<void>;
  /** Ends at once. */
  close(): Promise<void>;
}
