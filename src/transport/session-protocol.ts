/** The native protocol's name where peers agree on one: ALPN in TLS, the subprotocol of a WebSocket. */
export const SESSION_PROTOCOL = "lintel.v1";

/** Where sessions are opened when a URL over HTTP names no path. The dot keeps it apart from every subject. */
export const SESSION_PATH = "/.lintel/session";

/** Default time after which clients that have not completed TLS and HTTP are cut off. */
export const HANDSHAKE_TIMEOUT_MS = 5_000;
