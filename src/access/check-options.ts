/** What options for access must be, beyond their types. No text repeats what may be a secret. */
import { isTenant, isRole } from "./configured-access.ts";
import type { AccessOptions, Identity, KeyOptions } from "./access-options.ts";
import { problemOfGrants } from "./grants.ts";
import { problemOfJwt } from "./jwt/check-options.ts";
import { ROLES } from "./rights.ts";

const MAX_NAME = 128;
const NAMES: readonly string[] = ["anonymous", "keys", "keysFile", "jwt", "certificates", "unix", "limits"];

/** What is wrong, in words that follow the name of the options; undefined when nothing is. */
export function problemOfAccess(options: AccessOptions): string | undefined {
  const { anonymous, keys = [], jwt, certificates = [], unix = [] } = options;
  const unknown = Object.keys(options).find((name) => !NAMES.includes(name));
  if (unknown !== undefined) return ` has no option "${unknown}"; there are: ${NAMES.join(", ")}`;
  if (anonymous !== undefined && !["none", "client", "service"].includes(anonymous))
    return '.anonymous must be "none", "client" or "service"';
  for (const [name, list] of Object.entries({ keys, certificates, unix }))
    if (!Array.isArray(list)) return `.${name} must be a list`;
  for (const [index, key] of keys.entries()) {
    const problem = problemOfKey(key);
    if (problem !== undefined) return `.keys[${index}]${problem}`;
  }
  for (const [name, rules] of Object.entries({ certificates, unix }))
    for (const [index, rule] of rules.entries()) {
      const problem = problemOfIdentity(rule);
      if (problem !== undefined) return `.${name}[${index}]${problem}`;
    }
  const problem = jwt === undefined ? undefined : problemOfJwt(jwt);
  if (problem === undefined) return undefined;
  return problem.option === undefined
    ? `.jwt: ${problem.message}`
    : `.jwt.${problem.option} ${problem.message}`;
}

/** The same for one key. */
export function problemOfKey(key: KeyOptions): string | undefined {
  const { name, sha256, expires } = key;
  if (typeof name !== "string" || !isName(name)) return ".name must have 1 to 128 printable characters";
  if (typeof sha256 !== "string" || !/^[0-9a-f]{64}$/i.test(sha256))
    return ".sha256 must be the SHA-256 of the key: 64 hexadecimal digits. Never write the key itself here";
  if (expires !== undefined && (typeof expires !== "string" || Number.isNaN(Date.parse(expires))))
    return ".expires must be a date such as 2027-01-31 or 2027-01-31T12:00:00Z";
  return problemOfIdentity(key);
}

function problemOfIdentity({ role, tenant, grants, deny }: Identity): string | undefined {
  if (!isRole(role)) return `.role must be one of ${ROLES.join(", ")}`;
  if (tenant !== undefined && (typeof tenant !== "string" || !isTenant(tenant)))
    return ".tenant must have 1 to 64 letters, digits, _ and -";
  for (const [name, value] of Object.entries({ grants, deny })) {
    const problem = value === undefined ? undefined : problemOfGrants(value);
    if (problem !== undefined) return `.${name} ${problem}`;
  }
  return undefined;
}

function isName(name: string): boolean {
  return name.length >= 1 && name.length <= MAX_NAME && !/[\p{C}\p{Zl}\p{Zp}]/u.test(name);
}
