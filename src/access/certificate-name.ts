/** Which names of client certificates a rule is for. */
import { isIP, SocketAddress } from "node:net";
import type { PeerCertificate } from "../message/peer-identity.ts";

/** What a `*` stands for: so much of a name that it never leaves a label, a segment of a path, or a value. */
const WILDCARD = "[A-Za-z0-9_-]+";
/** A `*` that another one in the same label follows. */
const TWO_WILDCARDS = /\*[A-Za-z0-9_-]*\*/;
const DNS_NAME = /^[A-Za-z0-9_*-]+(?:\.[A-Za-z0-9_*-]+)*$/;
const KIND = /^(DNS|URI|email|IP):/i;
const SCHEME = /^[A-Za-z][A-Za-z0-9+.-]*:/;

type Kind = "DNS" | "URI" | "email" | "IP Address";

/** Returns the name in the certificate that fits; undefined when none does. */
export type CertificateMatcher = (certificate: PeerCertificate) => string | undefined;

/**
 * For an alternative name of the kind that the text looks like, or that stands before it, as in `DNS:worker-*`. Names of another
 * kind never fit. Throws a RangeError for a text that is no name.
 */
export function matchSan(text: string): CertificateMatcher {
  const kind = kindOf(text);
  const value = text.replace(KIND, "");
  if (kind === "IP Address") return matchAddress(value);
  if (value === "" || (kind === "DNS" && !DNS_NAME.test(value)))
    throw new RangeError("must be a name such as worker-*.shop.example or spiffe://shop.example/worker");
  const pattern = wildcardPattern(value, kind === "DNS" ? "i" : "");
  const prefix = `${kind}:`;
  return ({ names }) => {
    for (const name of names) {
      if (!name.startsWith(prefix)) continue;
      const found = name.slice(prefix.length);
      if (pattern.test(found)) return kind === "DNS" ? found.toLowerCase() : found;
    }
    return undefined;
  };
}

/**
 * For a subject: a common name, or attributes such as `CN=worker-*,O=Example`. The subject must have each of them, once. What fits
 * is the value of the first. Throws a RangeError for a text that is no such thing.
 */
export function matchSubject(text: string): CertificateMatcher {
  const wanted = (text.includes("=") ? attributesOf(text) : [{ type: "CN", value: text }]).map(
    ({ type, value }) => ({ type, pattern: wildcardPattern(value, "") }),
  );
  if (text === "" || wanted.some(({ type }) => !/^[A-Za-z0-9.]+$/.test(type)))
    throw new RangeError("must be a common name, or attributes such as CN=worker-*,O=Example");
  return ({ subject }) => {
    const attributes = attributesOf(subject);
    let first: string | undefined;
    for (const { type, pattern } of wanted) {
      const [one, another] = attributes.filter((attribute) => attribute.type === type);
      if (one === undefined || another !== undefined || !pattern.test(one.value)) return undefined;
      first ??= one.value;
    }
    return first;
  };
}

interface Attribute {
  readonly type: string;
  readonly value: string;
}

/** The attributes of a subject as a certificate has it: `CN=a,O=b`, with a backslash before what does not separate them. */
export function attributesOf(subject: string): Attribute[] {
  return [...subject.matchAll(/ *((?:[^\\,+]|\\.)+)(?:[,+]|$)/gsu)].map(([, part = ""]) => {
    const middle = part.indexOf("=");
    const value = part.slice(middle + 1).replace(/(?<!\\) +$/, "");
    return { type: part.slice(0, Math.max(middle, 0)).trim(), value: unescaped(value) };
  });
}

function unescaped(text: string): string {
  return text.replaceAll(/\\([0-9A-Fa-f]{2}|.)/gsu, (_, what: string) =>
    what.length === 2 && /^[0-9A-Fa-f]{2}$/.test(what)
      ? String.fromCharCode(Number.parseInt(what, 16))
      : what,
  );
}

function kindOf(text: string): Kind {
  const [, given] = KIND.exec(text) ?? [];
  if (given !== undefined) {
    const name = given.toLowerCase();
    return name === "dns" ? "DNS" : name === "uri" ? "URI" : name === "ip" ? "IP Address" : "email";
  }
  if (isIP(text) !== 0) return "IP Address";
  if (SCHEME.test(text)) return "URI";
  return text.includes("@") ? "email" : "DNS";
}

function matchAddress(text: string): CertificateMatcher {
  const wanted = addressOf(text);
  if (wanted === undefined) throw new RangeError("must be an address without * after IP:");
  const prefix = "IP Address:";
  return ({ names }) => {
    const isIt = (name: string): boolean =>
      name.startsWith(prefix) && addressOf(name.slice(prefix.length)) === wanted;
    return names.some(isIt) ? wanted : undefined;
  };
}

/** In its shortest form; undefined for what is no address. */
function addressOf(text: string): string | undefined {
  const family = isIP(text);
  if (family === 0) return undefined;
  return new SocketAddress({ address: text, family: family === 6 ? "ipv6" : "ipv4" }).address;
}

function wildcardPattern(text: string, flags: string): RegExp {
  if (TWO_WILDCARDS.test(text)) throw new RangeError("must have a dot or a slash between two *");
  const literal = text.replaceAll(/[.+?^${}()|[\]\\/]/g, String.raw`\$&`);
  // No flag u: together with i it would take letters for others that only look like them.
  return new RegExp(`^${literal.replaceAll("*", WILDCARD)}$`, flags);
}
