/** What options for tokens must be, beyond their types: the rules that hold in code and in a file alike. */
import { createPublicKey } from "node:crypto";
import { isLoopbackHost } from "../../transport/host-names.ts";
import { ALGORITHMS, SECRET_ALGORITHMS, type JwtOptions } from "./options.ts";

/** RFC 7518: a secret is as long as the output of the hash it is used with. Bytes of UTF-8. */
const MIN_SECRET = 32;

/** One thing that is wrong, and the option it is wrong in. */
export interface JwtProblem {
  readonly option: keyof JwtOptions | undefined;
  readonly message: string;
}

/** What is wrong with options whose types are right; undefined when nothing is. Never repeats a key or a secret. */
export function problemOfJwt(options: JwtOptions): JwtProblem | undefined {
  const { jwks, key, secret, issuer, audience, algorithms } = options;
  if ([jwks, key, secret].filter((source) => source !== undefined).length !== 1)
    return problem(undefined, "give one of jwks (a URL), key (a public key in PEM) and secret");
  if (jwks !== undefined && !isIssuerUrl(jwks))
    return problem("jwks", "must be a URL that begins with https://, or with http:// and a loopback address");
  if (key !== undefined && !isPublicKey(key)) return problem("key", "must be a public key in PEM");
  if (secret !== undefined && new TextEncoder().encode(secret).length < MIN_SECRET)
    return problem("secret", `must have at least ${MIN_SECRET} bytes`);
  for (const [option, value] of Object.entries({ issuer, audience })) {
    const all: readonly unknown[] = typeof value === "string" ? [value] : value;
    if (all.length === 0 || all.some((one) => typeof one !== "string" || one === ""))
      return problem(option as "issuer" | "audience", "must name at least one, and none may be empty");
  }
  const known = secret === undefined ? ALGORITHMS : SECRET_ALGORITHMS;
  const unknown = algorithms?.find((one) => !known.includes(one));
  if (unknown === undefined && algorithms?.length !== 0) return undefined;
  const wanted = `must be among ${known.join(", ")}`;
  return problem("algorithms", unknown === undefined ? wanted : `${wanted}; "${unknown}" is not`);
}

function problem(option: JwtProblem["option"], message: string): JwtProblem {
  return { option, message };
}

function isIssuerUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname, username, password } = new URL(text);
  if (username !== "" || password !== "") return false;
  return protocol === "https:" || (protocol === "http:" && isLoopbackHost(hostname));
}

function isPublicKey(pem: string): boolean {
  if (!pem.includes("-----BEGIN PUBLIC KEY-----")) return false; // a private key has a public part, and does not belong here
  try {
    createPublicKey(pem);
    return true;
  } catch {
    return false;
  }
}
