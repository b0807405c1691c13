/** What listening with an HTTP server of Node has in common, whatever the sessions inside look like. */
import type { AddressInfo, Server } from "node:net";
import type { Server as TlsServer } from "node:tls";
import { formatAddress, refuseOptions, type WebAddress } from "./address.ts";
import type { AccessRule } from "./origins.ts";
import { listenOn } from "./sockets.ts";
import { renewTls, serverTls, type ServerTls } from "./tls-options.ts";
import type { Listener, ListenOptions } from "./transport.ts";

/** The certificates to listen with, or none. Throws a TypeError where they are missing, wrong, or of no use. */
export function secureFor(url: string, options: ListenOptions, encrypted: boolean): ServerTls | undefined {
  if (encrypted) return serverTls(url, options.tls);
  refuseOptions(url, options, "tls");
  return undefined;
}

export interface WebListenerOptions {
  /** As it was given. */
  readonly url: string;
  readonly address: WebAddress;
  readonly access: AccessRule;
  readonly secure: ServerTls | undefined;
  readonly close: () => Promise<void>;
}

/** Waits until the server listens. */
export async function listenAt(server: Server, options: WebListenerOptions): Promise<Listener> {
  const { url, address, access, secure, close } = options;
  const { host, path } = address;
  await listenOn(server, { host, port: address.port });
  access.addressOfServer(server, host);
  const { port } = server.address() as AddressInfo; // a server that listens on a port has one
  const scheme = url.slice(0, url.indexOf(":"));
  const listener = { url: `${scheme}://${formatAddress(host, port)}${path}`, close };
  if (secure === undefined) return listener;
  return { ...listener, reload: (renewed) => renewTls(server as TlsServer, url, secure, renewed) };
}
