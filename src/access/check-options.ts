/** What options for access must be, beyond their types. No text repeats what may be a secret. */
import { isTenant, isRole } from "./configured-access.ts";
import type { AccessOptions, CertificateRule, Identity, KeyOptions, UnixRule } from "./access-options.ts";
import { matchSan, matchSubject } from "./certificate-name.ts";
import { problemOfGrants } from "./grants.ts";
import { problemOfJwt } from "./jwt/check-options.ts";
import { problemOfLimits } from "./quota/check-limits.ts";
import { ROLE_VERBS, ROLES } from "./rights.ts";

const MAX_NAME = 128;
/** The names of all options of an interface: one that is added there has to be added here. */
type Names<T> = { readonly [K in keyof T]-?: true };

const IDENTITY = { role: true, tenant: true, grants: true, deny: true, limits: true } as const;
const OPTIONS: Names<AccessOptions> = {
  anonymous: true,
  keys: true,
  keysFile: true,
  jwt: true,
  certificates: true,
  unix: true,
  limits: true,
};
/** A misspelled `deny` would allow what was to be denied, so no unknown option is passed over. */
const OF_KEY: Names<KeyOptions> = { name: true, sha256: true, created: true, expires: true, ...IDENTITY };
const OF_CERTIFICATE: Names<CertificateRule> = { san: true, subject: true, name: true, ...IDENTITY };
const OF_UNIX: Names<UnixRule> = { uid: true, gid: true, name: true, ...IDENTITY };

/** What comes out where a key was to be read and was not there. */
const DIGEST_OF_NOTHING = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/** A day, or a time with its zone. */
export const DATE: RegExp = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d))?$/;
export const DATE_FORM: string = "a date such as 2027-01-31 or 2027-01-31T12:00:00Z";

/** What is wrong, in words that follow the name of the options; undefined when nothing is. */
export function problemOfAccess(options: AccessOptions): string | undefined {
  const { anonymous, keys = [], keysFile, certificates = [], unix = [], limits = {} } = options;
  if (!isMap(options)) return " must be an object such as { keys: [...] }";
  if (anonymous !== undefined && !["none", "client", "service"].includes(anonymous))
    return '.anonymous must be "none", "client" or "service"';
  if (keysFile !== undefined && (typeof keysFile !== "string" || keysFile === ""))
    return ".keysFile must be the path of a file";
  return (
    problemOfMembers(options, OPTIONS) ??
    problemOfList("keys", keys, problemOfKey) ??
    problemOfRepetition(keys) ??
    problemOfList("certificates", certificates, problemOfCertificate) ??
    problemOfList("unix", unix, problemOfUnix) ??
    problemOfRoleLimits(limits) ??
    problemOfTokens(options)
  );
}

/** The same for one key. */
export function problemOfKey(key: KeyOptions): string | undefined {
  const { name, sha256, expires } = key;
  if (typeof name !== "string" || !isName(name)) return NAME_FORM;
  if (typeof sha256 !== "string" || !/^[0-9a-f]{64}$/i.test(sha256))
    return ".sha256 must be the SHA-256 of the key: 64 hexadecimal digits. Never write the key itself here";
  if (isOfNothing(sha256)) return `.sha256 ${OF_NOTHING}`;
  if (expires !== undefined && (typeof expires !== "string" || !isDate(expires)))
    return `.expires must be ${DATE_FORM}`;
  return problemOfMembers(key, OF_KEY) ?? problemOfIdentity(key);
}

/** True for the time that `expires` says. */
export function isDate(text: string): boolean {
  return DATE.test(text) && !Number.isNaN(Date.parse(text));
}

/** What is wrong with the names of a rule, in words that follow the name of the option. */
export function problemOfNames({ san, subject }: CertificateRule): string | undefined {
  if ((san === undefined) === (subject === undefined)) return " must have either san or subject";
  const [name, text, match] =
    san === undefined ? ([".subject", subject, matchSubject] as const) : ([".san", san, matchSan] as const);
  if (typeof text !== "string") return `${name} must be text`;
  try {
    match(text);
    return undefined;
  } catch (error) {
    return `${name} ${error instanceof Error ? error.message : String(error)}`;
  }
}

export const OF_NOTHING: string = "is that of an empty key";

export function isOfNothing(sha256: string): boolean {
  return sha256.toLowerCase() === DIGEST_OF_NOTHING;
}

/** The first key whose digest another before it has, so that only one of them would count. */
export function repeatedKey(keys: readonly KeyOptions[]): number | undefined {
  const digests = keys.map(({ sha256 }) => sha256.toLowerCase());
  if (new Set(digests).size === digests.length) return undefined;
  return digests.findIndex((digest, index) => digests.indexOf(digest) < index);
}

export const REPEATED: string = "is the digest of another key too; remove one of them";

const NAME_FORM = ".name must have 1 to 128 printable characters";

function problemOfList<T>(
  name: string,
  items: readonly T[],
  problemOf: (item: T) => string | undefined,
): string | undefined {
  if (!Array.isArray(items)) return `.${name} must be a list`;
  for (const [index, item] of items.entries()) {
    const problem = isMap(item) ? problemOf(item) : ' must be an object such as { role: "client" }';
    if (problem !== undefined) return `.${name}[${index}]${problem}`;
  }
  return undefined;
}

function problemOfRepetition(keys: readonly KeyOptions[]): string | undefined {
  const index = repeatedKey(keys);
  return index === undefined ? undefined : `.keys[${index}].sha256 ${REPEATED}`;
}

function problemOfCertificate(rule: CertificateRule): string | undefined {
  return problemOfMembers(rule, OF_CERTIFICATE) ?? problemOfNames(rule) ?? problemOfRule(rule);
}

function problemOfUnix(rule: UnixRule): string | undefined {
  const { uid, gid } = rule;
  if (uid === undefined && gid === undefined) return " must have uid or gid";
  for (const [name, number] of Object.entries({ uid, gid }))
    if (number !== undefined && !(Number.isSafeInteger(number) && number >= 0))
      return `.${name} must be a whole number, 0 or more`;
  return problemOfMembers(rule, OF_UNIX) ?? problemOfRule(rule);
}

function problemOfRule(rule: CertificateRule | UnixRule): string | undefined {
  const { name } = rule;
  if (name !== undefined && (typeof name !== "string" || !isName(name))) return NAME_FORM;
  return problemOfIdentity(rule);
}

function problemOfTokens({ jwt }: AccessOptions): string | undefined {
  if (jwt === undefined) return undefined;
  if (!isMap(jwt)) return ".jwt must be an object such as { jwks, issuer, audience }";
  const problem = problemOfJwt(jwt);
  if (problem === undefined) return undefined;
  return problem.option === undefined
    ? `.jwt: ${problem.message}`
    : `.jwt.${problem.option} ${problem.message}`;
}

function problemOfRoleLimits(limits: NonNullable<AccessOptions["limits"]>): string | undefined {
  if (!isMap(limits)) return ".limits must be an object such as { client: { connections: 20 } }";
  const unknown = problemOfMembers(limits, ROLE_VERBS);
  if (unknown !== undefined) return `.limits${unknown}`;
  for (const [role, one] of Object.entries(limits)) {
    const problem = one === undefined ? undefined : problemOfLimits(one);
    if (problem !== undefined) return `.limits.${role}${problem}`;
  }
  return undefined;
}

function problemOfIdentity({ role, tenant, grants, deny, limits }: Identity): string | undefined {
  if (!isRole(role)) return `.role must be one of ${ROLES.join(", ")}`;
  if (tenant !== undefined && (typeof tenant !== "string" || !isTenant(tenant)))
    return ".tenant must have 1 to 64 letters, digits, _ and -";
  for (const [name, value] of Object.entries({ grants, deny })) {
    const problem = value === undefined ? undefined : problemOfGrants(value);
    if (problem !== undefined) return `.${name} ${problem}`;
  }
  const problem = limits === undefined ? undefined : problemOfLimits(limits);
  return problem === undefined ? undefined : `.limits${problem}`;
}

function problemOfMembers(options: object, known: object): string | undefined {
  const unknown = Object.keys(options).find((name) => !Object.hasOwn(known, name));
  return unknown === undefined
    ? undefined
    : ` has no option "${unknown}"; there are: ${Object.keys(known).join(", ")}`;
}

/** What programs without types give is looked at. */
function isMap(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isName(name: string): boolean {
  return name.length >= 1 && name.length <= MAX_NAME && !/[\p{C}\p{Zl}\p{Zp}]/u.test(name);
}
