import { bareHost, refuseOptions } from "../address.ts";
import { clientTls } from "../tls-options.ts";
import type { Connection, Listener, ListenOptions, Transport } from "../transport.ts";
import { parseWs } from "../ws-limits.ts";
import { createWsAcceptor } from "./acceptor.ts";
import { dialWs } from "./dial.ts";
import { HTTP_PROTOCOL, listenUpgrades } from "./upgrade-listener.ts";

/** `ws://HOST:PORT/PATH`: binary messages of the subprotocol `lintel.v1`; port 0 listens on a free one. */
export const ws: Transport = {
  scheme: "ws",
  supports: { inProcess: false, remote: true, encrypted: false, bypasses: false },

  async dial(url, options = {}) {
    const target = parseWs(url, "ws");
    refuseOptions(url, options, "tls");
    return dialWs(target, options, {});
  },

  listen: (url, accept, options = {}) => listen(url, "ws", accept, options),
};

/** `wss://HOST:PORT/PATH`: the same inside TLS. */
export const wss: Transport = {
  scheme: "wss",
  supports: { inProcess: false, remote: true, encrypted: true, bypasses: false },

  async dial(url, options = {}) {
    const target = parseWs(url, "wss");
    const secure = clientTls(url, bareHost(target), options.tls);
    return dialWs(target, options, { ...secure, ALPNProtocols: [HTTP_PROTOCOL] });
  },

  listen: (url, accept, options = {}) => listen(url, "wss", accept, options),
};

/** Listens with an HTTP server that has nothing but this one path. */
async function listen(
  url: string,
  scheme: "ws" | "wss",
  accept: (connection: Connection) => void,
  options: ListenOptions,
): Promise<Listener> {
  const parsed = parseWs(url, scheme);
  const { pathname: path } = parsed;
  return listenUpgrades(url, parsed, options, (access) => {
    const acceptor = createWsAcceptor({ access, path });
    return {
      path,
      upgrade: (request, socket, head) => acceptor.handleUpgrade(request, socket, head, accept),
    };
  });
}
