/** Finds out the principal of a request, before anything is done for it. */
import { tryAdmit, type Admission, type Admitted } from "../../access/admission.ts";
import { failure, type Failure } from "../../message/failure.ts";
import { bearerToken } from "../../message/peer-identity.ts";
import type { Exchange } from "./connection.ts";

const GATEWAY = "http";
const SEVERAL = Object.freeze(failure("BAD_REQUEST", "there are several Authorization headers"));

export class Authentication {
  readonly #admission: Admission;
  readonly #again: (exchange: Exchange) => void;

  /** `again` is called for an exchange of which nothing was known at first: it is to be asked about once more. */
  constructor(admission: Admission, again: (exchange: Exchange) => void) {
    this.#admission = admission;
    this.#again = again;
  }

  /** The principal that sent it, or why it is unknown; undefined while the access check runs. */
  of(exchange: Exchange): Admitted | Failure | undefined {
    const { everyone, isOpen } = this.#admission;
    if (isOpen) return everyone;
    return exchange.admission ?? this.#admit(exchange);
  }

  #admit(exchange: Exchange): Admitted | Failure | undefined {
    const { remote = "unknown", certificate } = exchange.connection.driver;
    const authorization = authorizationOf(exchange.request.rawHeaders);
    if (typeof authorization !== "string" && authorization !== undefined) return authorization;
    const credentials = { gateway: GATEWAY, remote, certificate, token: bearerToken(authorization) };
    const admitted = tryAdmit(this.#admission, credentials);
    if (!(admitted instanceof Promise)) return admitted;
    void admitted.then((known) => this.#known(exchange, known));
    return undefined;
  }

  #known(exchange: Exchange, admission: Admitted | Failure): void {
    if (exchange.isDone) return; // its caller has left
    exchange.admission = admission;
    this.#again(exchange);
  }
}

/** Two of them could be read as one by us and as the other by a proxy in front of us. */
function authorizationOf(rawHeaders: readonly string[]): string | Failure | undefined {
  let found: string | undefined;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    if (rawHeaders[index]!.toLowerCase() !== "authorization") continue;
    if (found !== undefined) return SEVERAL;
    found = rawHeaders[index + 1];
  }
  return found;
}
