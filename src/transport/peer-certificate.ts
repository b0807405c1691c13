/** What TLS connections and HTTP requests prove about their other end. */
import { TLSSocket } from "node:tls";
import { bearerToken, type PeerCertificate, type PeerIdentity } from "../message/peer-identity.ts";

/** What a request tells that becomes a connection; found out when it is called. */
export function identityOf(request: {
  readonly headers: { readonly authorization?: string | undefined };
  readonly socket: unknown;
}): () => PeerIdentity {
  const { headers, socket } = request;
  const { authorization } = headers; // the rest of the request is not kept
  return () => ({ token: bearerToken(authorization), certificate: certificateOf(socket) });
}

/** The certificate of the other end of a socket; undefined if there is none, or it was not verified. */
export function certificateOf(socket: unknown): PeerCertificate | undefined {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return undefined;
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return undefined;
  const { subject, subjectAltName, issuer, fingerprint256, validTo, raw } = certificate;
  const parts = (subject ?? "").split("\n");
  return {
    subject: parts.join(","),
    commonName: parts.find((part) => part.startsWith("CN="))?.slice("CN=".length),
    names: namesOf(subjectAltName ?? ""),
    issuer: issuer.split("\n").join(","),
    expiresAt: Date.parse(validTo),
    fingerprint256,
    raw,
  };
}

/** One name as Node writes it: what could be taken for more than one name stands in quotes, as in JSON. */
const NAME = /([A-Za-z ]+:)(?:("(?:[^"\\]|\\.)*")|([^"\\,]*))(?:, |$)/gy;

/** The names of `subjectAltName`, as Node writes them. None if any of them has another form, so that nothing is guessed. */
export function namesOf(subjectAltName: string): readonly string[] {
  const names: string[] = [];
  let length = 0;
  for (const [part, kind = "", quoted, plain = ""] of subjectAltName.matchAll(NAME)) {
    length += part.length;
    names.push(kind + (quoted === undefined ? plain : String(JSON.parse(quoted))));
  }
  return length === subjectAltName.length ? names : [];
}
