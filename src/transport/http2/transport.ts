/** `h2://HOST:PORT/PATH` and `h2c://HOST:PORT/PATH`: a connection inside one HTTP/2 stream, with and without TLS. */
import { createSecureServer, createServer, type Http2Server, type ServerHttp2Session } from "node:http2";
import { formatAddress, parseWebAddress, refuseOptions } from "../address.ts";
import { ANYWHERE, AccessRule, type ListenerAddress } from "../origins.ts";
import { refuseWith } from "../problem.ts";
import { HANDSHAKE_TIMEOUT_MS } from "../session-protocol.ts";
import { stopListening } from "../sockets.ts";
import { explainTls } from "../tls-errors.ts";
import { clientTls } from "../tls-options.ts";
import type { Connection, Listener, ListenOptions, Transport } from "../transport.ts";
import { listenAt, secureFor } from "../web-listener.ts";
import { answerRefusal, Http2Acceptor, type Http2AcceptorOptions } from "./acceptor.ts";
import { dialHttp2 } from "./dial.ts";
import { SERVER_BOUNDS, guardIdle, widen } from "./options.ts";
import { StreamFloods } from "./stream-floods.ts";

export interface Http2Options extends Omit<Http2AcceptorOptions, "path" | "access" | "at"> {
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
    supports: { inProcess: false, remote: true, encrypted, bypasses: true },

    async dial(url, dialOptions = {}) {
      const { host, port, path } = parseWebAddress(url, scheme);
      if (!encrypted) refuseOptions(url, dialOptions, "tls");
      const authority = `${encrypted ? "https" : "http"}://${formatAddress(host, port)}`;
      const secure = encrypted ? clientTls(url, host, dialOptions.tls) : {};
      try {
        return await dialHttp2(authority, path, url, dialOptions, secure);
      } catch (error) {
        throw error instanceof Error ? explainTls(error, dialOptions.tls?.serverName ?? host) : error;
      }
    },

    listen: (url, accept, listenOptions = {}) => listen(url, accept, scheme, options, listenOptions),
  };
}

async function listen(
  url: string,
  accept: (connection: Connection) => void,
  scheme: string,
  options: Http2Options,
  listenOptions: ListenOptions,
): Promise<Listener> {
  const address = parseWebAddress(url, scheme);
  const secure = secureFor(url, listenOptions, options.encrypted);
  const { handshakeTimeoutMs } = listenOptions;
  const server: Http2Server =
    secure === undefined
      ? createServer(SERVER_BOUNDS)
      : createSecureServer({
          ...SERVER_BOUNDS,
          ...secure,
          handshakeTimeout: handshakeTimeoutMs ?? HANDSHAKE_TIMEOUT_MS,
        });
  new StreamFloods().watch(server, secure !== undefined);
  const access = new AccessRule({ ...listenOptions, isPlain: secure === undefined });
  const at = (): ListenerAddress => access.addressOfServer(server) ?? ANYWHERE;
  const acceptor = new Http2Acceptor({ ...options, access, at, path: address.path });
  const sessions = new Set<ServerHttp2Session>();
  server.maxConnections = options.maxConnections ?? 16_384;
  server.on("session", (session) => {
    sessions.add(session);
    session.on("close", () => sessions.delete(session));
    session.on("error", () => undefined); // the streams inside report it
    guardIdle(session, options.idleMs ?? handshakeTimeoutMs ?? 10_000);
    widen(session);
  });
  server.on("stream", (stream, headers) => {
    if (acceptor.handle(stream, headers, accept)) return;
    answerRefusal(stream, refuseWith("not_found", "there is no session endpoint at this path"));
  });
  return listenAt(server, {
    url,
    address,
    access,
    secure,
    close: () => {
      acceptor.close();
      for (const session of sessions) session.close();
      return stopListening(server);
    },
  });
}

export const h2: Transport = createHttp2Transport({ encrypted: true });
export const h2c: Transport = createHttp2Transport({ encrypted: false });
