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
  const { subject, subjectAltName, issuer, fingerprint256, raw } = certificate;
  const parts = (subject ?? "").split("\n");
  return {
    subject: parts.join(","),
    commonName: parts.find((part) => part.startsWith("CN="))?.slice("CN=".length),
    names: subjectAltName === undefined || subjectAltName === "" ? [] : subjectAltName.split(", "),
    issuer: issuer.split("\n").join(","),
    fingerprint256,
    raw,
  };
}
