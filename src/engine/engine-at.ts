import type { TlsOptions } from "../transport/transport.ts";
import type { Token } from "./remote/reconnecting-session.ts";

/** Another hub, which routes messages. */
export interface EngineAt {
  /** Where its native sessions connect: `tcp://other:4500`. */
  readonly url: string;
  /** Certificates for the connection to it. */
  readonly tls?: TlsOptions;
  /** Shows it who this hub is, as `token` of `connect`. */
  readonly token?: Token;
}
