/** Native sessions on a port of HTTP: WebSocket, and the HTTP/1 fallback, at the path that URLs without one mean. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { Http1Acceptor } from "../../transport/http1/acceptor.ts";
import type { AccessRule } from "../../transport/origins.ts";
import { SESSION_PATH } from "../../transport/session-protocol.ts";
import type { Connection } from "../../transport/transport.ts";
import type { WsAcceptor } from "../../transport/ws/acceptor.ts";
import type { PortPlace, PortSessions } from "../shared-port.ts";

interface PortSessionsOptions extends PortPlace {
  /** Connections of the HTTP/1 fallback at a time. */
  readonly maxConnections: number;
  /** Must call `open` on the connection before it returns. */
  readonly accept: (connection: Connection) => void;
}

export function createPortSessions(options: PortSessionsOptions): PortSessions {
  const { base, atRoot, access, maxConnections, accept } = options;
  const path = base + SESSION_PATH;
  const fallback = new Http1Acceptor({ path, maxConnections, access });
  let acceptor: Promise<WsAcceptor> | undefined;
  return {
    get needsPort(): boolean {
      return fallback.size > 0;
    },

    request: (request: IncomingMessage, response: ServerResponse) =>
      fallback.handle(request, response, accept),

    upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): boolean {
      const [asked] = (request.url ?? "").split("?", 1);
      if (asked !== path && !(atRoot && asked === "/")) return false; // clients whose URL has no path ask for the root
      acceptor ??= loadWebSocket(access);
      const onError = (): void => void socket.destroy();
      socket.on("error", onError);
      acceptor.then((loaded) => {
        socket.off("error", onError);
        loaded.handleUpgrade(request, socket, head, accept);
      }, onError);
      return true;
    },
  };
}

/** Loaded when it is first asked for: few ports of HTTP have sessions. */
async function loadWebSocket(access: AccessRule): Promise<WsAcceptor> {
  const { createWsAcceptor } = await import("../../transport/ws/acceptor.ts");
  return createWsAcceptor({ access });
}
