/** Ports for commands over TCP and TLS. */
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, type Server as TlsServer } from "node:tls";
import type { PeerIdentity } from "../message/peer-identity.ts";
import { formatAddress, parseAddress, refuseOptions, remoteOf } from "../transport/address.ts";
import { certificateOf } from "../transport/peer-certificate.ts";
import { HANDSHAKE_TIMEOUT_MS } from "../transport/session-protocol.ts";
import { listenOn, stopListening } from "../transport/sockets.ts";
import { renewTls, serverTls } from "../transport/tls-options.ts";
import type { Listener, ListenOptions } from "../transport/transport.ts";

/** A client whose machine is gone is found out by the system, after some minutes of silence: the protocol has no pings. */
const SOCKETS = { noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000, allowHalfOpen: true };

/** Called with a socket, its name for logs, and what it proves. Must listen to the socket before it returns. */
export type AcceptSocket = (socket: Socket, remote: string, identity: () => PeerIdentity | undefined) => void;

/** Listens on `tcp://HOST:PORT` or `tls://HOST:PORT`; port 0 is a free one. */
export async function listenSockets(
  url: string,
  accept: AcceptSocket,
  options: Pick<ListenOptions, "tls"> = {},
): Promise<Listener> {
  const isTls = url.startsWith("tls:");
  const scheme = isTls ? "tls" : "tcp";
  const { host, port } = parseAddress(url, scheme);
  if (!isTls) refuseOptions(url, options, "tls");
  const secure = isTls ? serverTls(url, options.tls) : undefined;
  let isListening = true;
  const accepted = (socket: Socket): void => {
    if (!isListening) return void socket.destroy(); // its handshake was under way
    const identity = (): PeerIdentity | undefined =>
      isTls ? { certificate: certificateOf(socket) } : undefined;
    return accept(socket, remoteOf(scheme, socket), identity);
  };
  const server: Server =
    secure === undefined
      ? createServer(SOCKETS, accepted)
      : createTlsServer({ ...secure, ...SOCKETS, handshakeTimeout: HANDSHAKE_TIMEOUT_MS }, accepted);
  server.on("tlsClientError", (_error, socket: Socket) => socket.destroy()); // node leaves one that is too slow open
  await listenOn(server, { host, port });
  const bound = server.address() as AddressInfo; // a server that listens on a port has one
  const close = (): Promise<void> => {
    isListening = false;
    return stopListening(server);
  };
  // A certificate is for the name.
  const listener = { url: `${scheme}://${formatAddress(isTls ? host : bound.address, bound.port)}`, close };
  if (secure === undefined) return listener;
  return { ...listener, reload: (tls) => renewTls(server as TlsServer, url, secure, tls) };
}
