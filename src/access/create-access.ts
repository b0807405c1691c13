/** Makes an access of what was configured. What tokens need is loaded only where there are tokens. */
import { LintelError } from "../message/failure.ts";
import type { Access } from "./access.ts";
import type { AccessOptions } from "./access-options.ts";
import { problemOfAccess } from "./check-options.ts";
import { ConfiguredAccess, principalOfToken, type Recognizer } from "./configured-access.ts";
import type { JwtVerifier } from "./jwt/verifier.ts";
import { CertificateRecognizer, UnixRecognizer } from "./recognizers.ts";

export interface CreateAccessOptions {
  /** Milliseconds since 1970. */
  readonly timeOfDay?: (() => number) | undefined;
  /** Called with what callers do not hear of. */
  readonly onError?: ((error: unknown, where: string) => void) | undefined;
}

/** Throws and rejects with `invalid_argument` for options that are wrong. */
export async function createAccess(
  options: AccessOptions,
  { timeOfDay = Date.now, onError = () => undefined }: CreateAccessOptions = {},
): Promise<ConfiguredAccess> {
  const problem = problemOfAccess(options);
  if (problem !== undefined) throw new LintelError("invalid_argument", `createHub: access${problem}`);
  const { jwt } = options;
  const loaded = jwt === undefined ? undefined : await import("./jwt/verifier.ts");
  const verifierOf = (access: ConfiguredAccess): JwtVerifier | undefined =>
    loaded === undefined || jwt === undefined
      ? undefined
      : new loaded.JwtVerifier(jwt, {
          principalOf: principalOfToken,
          revoke: (principal) => access.revoke(principal),
          timeOfDay,
          onError,
        });
  return new ConfiguredAccess(options, verifierOf, recognizersOf(options));
}

function recognizersOf({ certificates = [], unix = [] }: AccessOptions): Recognizer[] {
  return [
    ...(certificates.length === 0 ? [] : [new CertificateRecognizer(certificates)]),
    ...(unix.length === 0 ? [] : [new UnixRecognizer(unix)]),
  ];
}

/** True for an access of the user's own, in code. */
export function isAccess(given: AccessOptions | Access): given is Access {
  return typeof (given as Partial<Access>).authenticate === "function";
}
