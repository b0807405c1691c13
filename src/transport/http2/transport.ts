/** `h2://HOST:PORT/PATH` and `h2c://HOST:PORT/PATH`: a connection inside one HTTP/2 stream, with and without TLS. */
import { createSecureServer, createServer, type Http2Server, type ServerHttp2Session } from "node:http2";
import type { AddressInfo } from "node:net";
import { clientCredentials, refuseCredentials, serverCredentials } from "../credentials.ts";
import { refuseWith } from "../problem.ts";
import { listenOn, stopListening } from "../sockets.ts";
import type { Connection, Listener, ListenOptions, Transport } from "../transport.ts";
import { bracketed, formatWebUrl, parseWebUrl } from "../web-url.ts";
import { answerRefusal, Http2Acceptor, type Http2AcceptorOptions } from "./acceptor.ts";
import { dialHttp2 } from "./dial.ts";
import { SERVER_BOUNDS, guardIdle, widen } from "./options.ts";

/** A TLS handshake is given up after this long. */
const HANDSHAKE_MS = 10_000;

export interface Http2Options extends Omit<Http2AcceptorOptions, "path"> {
  /** True for `h2`, over TLS; false for `h2c`, in the clear and known to be HTTP/2 beforehand. */
  readonly encrypted: boolean;
  /** A connection without a stream is closed after this long. Milliseconds, default 10,000. */
  readonly idleMs?: number;
}

export function createHttp2Transport(options: Http2Options): Transport {
  const { encrypted } = options;
  const scheme = encrypted ? "h2" : "h2c";
  return {
    scheme,
    supports: { inProcess: false, remote: true, encrypted },

    // async: what is wrong with the URL rejects
    async dial(url, dialOptions = {}) {
      const { host, port, path } = parseWebUrl(url, scheme);
      if (!encrypted) refuseCredentials(url, dialOptions.tls);
      const authority = `${encrypted ? "https" : "http"}://${bracketed(host)}:${port}`;
      return dialHttp2(authority, path, url, dialOptions, clientCredentials(dialOptions.tls));
    },

    listen: (url, accept, listenOptions = {}) => listen(url, accept, scheme, options, listenOptions),
  };
}

async function listen(
  url: string,
  accept: (connection: Connection) => void,
  scheme: string,
  options: Http2Options,
  { tls }: ListenOptions,
): Promise<Listener> {
  const { host, port, path } = parseWebUrl(url, scheme);
  if (!options.encrypted) refuseCredentials(url, tls);
  const server: Http2Server = options.encrypted
    ? createSecureServer({ ...SERVER_BOUNDS, ...serverCredentials(url, tls), handshakeTimeout: HANDSHAKE_MS })
    : createServer(SERVER_BOUNDS);
  const acceptor = new Http2Acceptor({ ...options, path });
  const sessions = new Set<ServerHttp2Session>();
  server.maxConnections = options.maxConnections ?? 16_384;
  server.on("session", (session) => {
    sessions.add(session);
    session.on("close", () => sessions.delete(session));
    session.on("error", () => undefined); // the streams inside report it
    guardIdle(session, options.idleMs ?? 10_000);
    widen(session);
  });
  server.on("stream", (stream, headers) => {
    if (acceptor.handle(stream, headers, accept)) return;
    answerRefusal(stream, refuseWith("not_found", "there is nothing at this path"));
  });
  await listenOn(server, { host, port });
  const close = (): Promise<void> => {
    acceptor.close();
    for (const session of sessions) session.close();
    return stopListening(server);
  };
  const address = server.address() as AddressInfo; // a server that listens on a port has one
  return { url: formatWebUrl(scheme, address, path), close };
}

export const h2: Transport = createHttp2Transport({ encrypted: true });
export const h2c: Transport = createHttp2Transport({ encrypted: false });
