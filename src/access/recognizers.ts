/** Who it is that shows no token: by its certificate, or by its process at the other end of a unix socket. */
import type { Credentials } from "./access.ts";
import type { CertificateRule, UnixRule } from "./access-options.ts";
import { matchSan, matchSubject, type CertificateMatcher } from "./certificate-name.ts";
import { KnownPrincipal, type Recognizer } from "./configured-access.ts";

/** Principals that a recognizer remembers, so that each is one object; the oldest is forgotten for one more. */
const REMEMBERED = 4_096;

class RememberedPrincipals {
  readonly #known = new Map<string, KnownPrincipal>();

  get(key: string, make: () => KnownPrincipal | undefined): KnownPrincipal | undefined {
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const principal = make();
    if (principal === undefined) return undefined;
    if (this.#known.size >= REMEMBERED) {
      const [oldest] = this.#known.keys();
      this.#known.delete(oldest!);
    }
    this.#known.set(key, principal);
    return principal;
  }
}

/** By the first rule that fits the client's certificate. The principal expires with the certificate. */
export class CertificateRecognizer implements Recognizer {
  readonly #rules: readonly { readonly rule: CertificateRule; readonly match: CertificateMatcher }[];
  readonly #principals = new RememberedPrincipals();

  /** The rules have been checked. */
  constructor(rules: readonly CertificateRule[]) {
    this.#rules = rules.map((rule) => ({
      rule,
      match: rule.san === undefined ? matchSubject(rule.subject ?? "") : matchSan(rule.san),
    }));
  }

  principalOf({ certificate }: Credentials): KnownPrincipal | undefined {
    if (certificate === undefined) return undefined;
    return this.#principals.get(certificate.fingerprint256, () => {
      for (const { rule, match } of this.#rules) {
        const name = match(certificate);
        if (name !== undefined) return new KnownPrincipal(rule.name ?? name, rule, certificate.expiresAt);
      }
      return undefined;
    });
  }
}

/** By the first rule that fits the process. */
export class UnixRecognizer implements Recognizer {
  readonly #rules: readonly UnixRule[];
  readonly #principals = new RememberedPrincipals();

  /** The rules have been checked. */
  constructor(rules: readonly UnixRule[]) {
    this.#rules = rules;
  }

  principalOf({ unix }: Credentials): KnownPrincipal | undefined {
    if (unix === undefined) return undefined;
    const { uid, gid } = unix;
    return this.#principals.get(`${uid}:${gid}`, () => {
      const rule = this.#rules.find(
        (one) => (one.uid === undefined || one.uid === uid) && (one.gid === undefined || one.gid === gid),
      );
      return rule === undefined ? undefined : new KnownPrincipal(rule.name ?? `uid-${uid}`, rule);
    });
  }
}
