import { TLSSocket } from "node:tls";
import type { PeerCertificate } from "../message/peer-identity.ts";

/** The certificate of whoever is at the other end of a socket; undefined when there is none, or it was not verified. */
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
