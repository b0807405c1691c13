/** What goes wrong with TLS, said so that a person knows what to do. */

interface Explanation {
  /** Of Node's error code. Names of alerts differ between versions of OpenSSL by what stands before ALERT. */
  readonly code: RegExp;
  readonly text: (name: string) => string;
}

const EXPLANATIONS: readonly Explanation[] = [
  {
    code: /^(DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_GET_ISSUER_CERT(_LOCALLY)?|UNABLE_TO_VERIFY_LEAF_SIGNATURE)$/,
    text: (name) =>
      `the certificate of ${name} is not signed by a trusted authority; pass the authority's certificate as tls.ca`,
  },
  {
    code: /^ERR_TLS_CERT_ALTNAME_INVALID$/,
    text: (name) =>
      `the certificate is not for "${name}"; dial a name that is in it, or pass that name as tls.serverName`,
  },
  {
    code: /^CERT_HAS_EXPIRED$/,
    text: (name) => `the certificate of ${name} has expired; its owner must renew it`,
  },
  {
    code: /^CERT_NOT_YET_VALID$/,
    text: (name) => `the certificate of ${name} is not valid yet; compare the clocks of both machines`,
  },
  {
    code: /ALERT_(CERTIFICATE_REQUIRED|HANDSHAKE_FAILURE)$/,
    text: (name) => `${name} asks for a client certificate; pass one as tls.cert and tls.key`,
  },
  {
    code: /ALERT_(UNKNOWN_CA|BAD_CERTIFICATE|CERTIFICATE_UNKNOWN|CERTIFICATE_EXPIRED|UNSUPPORTED_CERTIFICATE)$/,
    text: (name) => `${name} does not accept the client certificate passed as tls.cert`,
  },
  {
    code: /ALERT_NO_APPLICATION_PROTOCOL$/,
    text: (name) =>
      `${name} speaks TLS, but not the protocol that was asked for: is another program listening there?`,
  },
  {
    code: /^ERR_SSL_(WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|HTTP_REQUEST|UNEXPECTED_MESSAGE)$/,
    text: (name) => `${name} does not speak TLS there`,
  },
];

/** The error with an explanation in front; with its code, and itself as the cause. Others stay as they are. */
export function explainTls(error: Error, name: string): Error {
  const code = codeOf(error);
  const found = code === undefined ? undefined : EXPLANATIONS.find((one) => one.code.test(code));
  if (found === undefined) return error;
  return Object.assign(new Error(`${found.text(name)} (${code})`, { cause: error }), { code });
}

/**
 * Node's code for an error of TLS. When a write meets it first, Node has only EPROTO and OpenSSL's own line,
 * `thread:error:number:library:function:reason:file:line`; the code is then made of the reason, as Node does it.
 */
function codeOf(error: Error): string | undefined {
  const { code } = error as NodeJS.ErrnoException;
  if (code !== "EPROTO") return code;
  const reason = /:error:[0-9A-F]+:[^:]*:[^:]*:([^:]+):/.exec(error.message)?.[1];
  return reason === undefined ? code : `ERR_SSL_${reason.toUpperCase().replaceAll(" ", "_")}`;
}
