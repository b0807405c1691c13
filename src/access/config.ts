/** The `access` of the configuration. Loaded only where a file, variables or flags are read. */
import { readPem } from "../transport/config.ts";
import {
  checked,
  duration,
  either,
  hinted,
  integer,
  list,
  map,
  oneOf,
  option,
  size,
  subjectPattern,
  text,
  textLike,
  turned,
  type Field,
} from "../schema/fields.ts";
import type { Section } from "../schema/section.ts";
import type { PrincipalLimits } from "./access.ts";
import type { AccessOptions, CertificateRule, Identity, KeyOptions, UnixRule } from "./access-options.ts";
import {
  DATE,
  DATE_FORM,
  REPEATED,
  isDate,
  problemOfNames,
  repeatedKey,
  OF_NOTHING,
  isOfNothing,
} from "./check-options.ts";
import type { Grants } from "./grants.ts";
import { problemOfJwt } from "./jwt/check-options.ts";
import { ALGORITHMS, SECRET_ALGORITHMS, type JwtClaims, type JwtOptions } from "./jwt/options.ts";
import { ROLES, type Role } from "./rights.ts";

const MAX_COUNT = 1_000_000_000;

const role = (): Field<Role> => oneOf(ROLES);
const tenant = (): Field<string> => textLike("1 to 64 letters, digits, _ and -", /^[A-Za-z0-9_-]{1,64}$/);
const name = (): Field<string> => textLike("1 to 128 printable characters", /^[^\p{C}\p{Zl}\p{Zp}]{1,128}$/u);
const count = (): Field<number> => integer(0, MAX_COUNT);

const patterns = (): Field<string[]> => list(hinted(subjectPattern(), { title: "a pattern" }));

function grants(title: string): Field<Grants> {
  return map<Grants>(title, {
    request: option("subjects that it may send requests to", patterns()),
    publish: option("subjects that it may publish", patterns()),
    subscribe: option("what it may subscribe to", patterns()),
    serve: option("what it may serve", patterns()),
    open: option("subjects that it may open channels to", patterns()),
    admin: option("what it may administer", patterns()),
  });
}

function limits(): Field<PrincipalLimits> {
  return map<PrincipalLimits>("limits", {
    connections: option("sessions, gRPC calls and connections at a time", count()),
    requestsPerSecond: option("requests and publications a second, on average", count()),
    burst: option("so many of them may come at once", count(), "those of two seconds"),
    inFlight: option("requests without an outcome yet", count()),
    subscriptions: option("subscriptions at a time", count()),
    bytesPerSecond: option(
      "bytes of requests and publications a second, on average",
      size(Number.MAX_SAFE_INTEGER),
    ),
  });
}

/** What all rules have. */
const identity = {
  role: option("its role", role()),
  tenant: option("its tenant", tenant(), "`main`"),
  grants: option("what it may do, in place of all that its role may", grants("grants")),
  deny: option("what it may not do, whatever else it may", grants("deny")),
  limits: option("how much it may use", limits(), "`limits` of its role"),
} satisfies Record<keyof Identity, unknown>;

/** Keys, as `access.keys` and the file of keys have them. Whatever stands there may be a key itself, so no message repeats it. */
export function keyList(): Field<readonly KeyOptions[]> {
  const keys = hinted(list(hinted(key(), { isSecret: true })), { isSecret: true });
  return checked<readonly KeyOptions[]>(keys, (all, findings, isSound) => {
    if (!all.every((_, index) => isSound(index))) return;
    for (const [place, { sha256 }] of all.entries())
      if (isOfNothing(sha256)) findings.add(`sha256 ${OF_NOTHING}`, [place, "sha256"]);
    const index = repeatedKey(all);
    if (index !== undefined) findings.add(`sha256 ${REPEATED}`, [index, "sha256"]);
  });
}

function key(): Field<KeyOptions> {
  return map<KeyOptions>(
    "a key",
    {
      name: option("names the principal; several keys may have one name", name()),
      sha256: option(
        "SHA-256 of the key, as `lintel keys create` writes it",
        hinted(
          textLike(
            "the SHA-256 of a key, 64 hexadecimal digits, and never the key itself",
            /^[0-9a-fA-F]{64}$/,
          ),
          { isSecret: true },
        ),
      ),
      created: option("when it was made, for people", text()),
      expires: option("when it ends, such as `2027-01-31`", date(), "never"),
      ...identity,
    },
    ["name", "sha256", "role"],
  );
}

function date(): Field<string> {
  const check = (given: string): void => {
    if (!isDate(given)) throw new RangeError(`must be ${DATE_FORM}`);
  };
  return text(check, { pattern: DATE.source });
}

function certificate(): Field<CertificateRule> {
  const fields = map<CertificateRule>(
    "a certificate",
    {
      san: option(
        "an alternative name in it: `worker-*.shop.example`; a `*` stands for letters, digits, `-` and `_`",
        text(),
      ),
      subject: option("its subject: a common name, or attributes such as `CN=worker-*,O=Example`", text()),
      name: option("names the principal", name(), "the name in the certificate"),
      ...identity,
    },
    ["role"],
    { oneOf: [{ required: ["san"] }, { required: ["subject"] }] },
  );
  return checked(fields, (rule, findings) => {
    const problem = problemOfNames(rule);
    if (problem !== undefined) findings.add(`a certificate${problem.replace(/^\./, "'s ")}`);
  });
}

function unixPeer(): Field<UnixRule> {
  const fields = map<UnixRule>(
    "a unix peer",
    {
      uid: option("number of the user whose process it is", integer(0, 2 ** 32 - 1)),
      gid: option("number of its group", integer(0, 2 ** 32 - 1)),
      name: option("names the principal", name(), "`uid-` and the number"),
      ...identity,
    },
    ["role"],
    { oneOf: [{ required: ["uid"] }, { required: ["gid"], not: { required: ["uid"] } }] },
  );
  return checked(fields, ({ uid, gid }, findings) => {
    if (uid === undefined && gid === undefined) findings.add("a unix peer needs uid or gid");
  });
}

const oneOrMore = (): Field<string | readonly string[]> =>
  either("text or a list of texts", text(), list(text()));

function jwt(): Field<JwtOptions> {
  const claims = map<JwtClaims>("claims", {
    id: option("the claim that names the principal", text(), "`sub`"),
    role: option("the claim with the role", text(), "`role`"),
    tenant: option("the claim with the tenant", text(), "`tenant`"),
    grants: option("the claim with the grants", text(), "`grants`"),
    deny: option("the claim with the denials", text(), "`deny`"),
  });
  const fields = map<JwtOptions>(
    "jwt",
    {
      jwks: option("URL of the issuer's key set", text()),
      key: option(
        "file with the issuer's public key in PEM, in place of `jwks`",
        hinted(text(readPem), { isPath: true }),
      ),
      secret: option(
        "secret that the issuer shares with the hub, in place of `jwks`: give it by a variable, `${JWT_SECRET}`",
        hinted(text(), { isSecret: true }),
      ),
      issuer: option("the `iss` that tokens must have, or a list", oneOrMore()),
      audience: option("the `aud` that tokens must have, or a list", oneOrMore()),
      algorithms: option(
        "algorithms of signatures",
        list(oneOf([...ALGORITHMS, ...SECRET_ALGORITHMS])),
        "all that fit the key",
      ),
      clockSkew: option("how far the clocks may differ", duration(), "`30s`"),
      claims: option("names of claims", claims),
      role: option("the role of tokens without a claim for it", role(), "`client`"),
      roles: option("roles that tokens may have", list(role()), "`client`, `service`, `observer`"),
      tenant: option("the tenant of tokens without a claim for it", tenant(), "`main`"),
    },
    ["issuer", "audience"],
  );
  return turned(fields, (given, findings) => {
    const options = given.key === undefined ? given : { ...given, key: readPem(given.key) };
    const problem = problemOfJwt(options);
    if (problem === undefined) return options;
    findings.add(problem.option === undefined ? problem.message : `${problem.option} ${problem.message}`);
    return undefined;
  });
}

const fields = map<AccessOptions>("access", {
  anonymous: option("what callers without credentials are", oneOf(["none", "client", "service"]), "`none`"),
  keys: option("API keys, known by their SHA-256", keyList()),
  keysFile: option("file with more keys, which `lintel keys` writes", hinted(text(), { isPath: true })),
  jwt: option("JSON Web Tokens of an issuer", jwt()),
  certificates: option("client certificates, by the first rule that fits", list(certificate())),
  unix: option("processes at the other end of unix sockets, by the first rule that fits", list(unixPeer())),
  limits: option(
    "how much each principal of a role may use",
    map<Exclude<AccessOptions["limits"], undefined>>("limits", {
      service: option("of services", limits()),
      client: option("of clients", limits()),
      observer: option("of observers", limits()),
      admin: option("of administrators", limits()),
    }),
  ),
});

export const access: Section<AccessOptions> = {
  schema: option("Who may do what. Without it every caller may do everything.", fields),
};
