import type { TlsOptions } from "../transport/transport.ts";
import type { Token } from "./remote/reconnecting-session.ts";

/** Another hub, which routes messages. */
export interface EngineAt {
  /** Where its native sessions connect: `tcp://other:4500`. */
  readonly url: string;
  /** Certificates for the connection to it. */
  readonly tls?: TlsOptions;
  /** The token that identifies this hub, as in `connect`. */
  readonly token?: Token;
  /** In place of `token`: a file with a key, which is read before each attempt to connect. */
  readonly keyFile?: string;
}
