/** Message sockets on a port of their own. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { urlText } from "../../message/url-text.ts";
import { hasSecret, remoteOf } from "../address.ts";
import { cluesOf, type AccessRule } from "../origins.ts";
import { answerRefusal, refusalOf, writeRefusal } from "../problem.ts";
import type { Listener, ListenOptions } from "../transport.ts";
import { noSuchPath, pathOf } from "./acceptor.ts";
import { createMessageAcceptor, type MessageAcceptorOptions } from "./message-acceptor.ts";
import type { MessageSocket } from "./message-socket.ts";
import { listenUpgrades } from "./upgrade-listener.ts";

export interface MessageListenOptions extends ListenOptions, Omit<MessageAcceptorOptions, "access"> {
  /** The only path that has WebSockets; default: every path. */
  readonly path?: string;
  /**
   * Answers a request that asks for no upgrade; false, with nothing touched, when it has no answer for it. Called for requests of
   * pages and for host names that may connect.
   */
  readonly request?: (request: IncomingMessage, response: ServerResponse) => boolean;
}

/**
 * Listens on `ws://HOST:PORT` or `wss://HOST:PORT`; port 0 is a free one. `accept` must call `open` on the socket before it
 * returns. Rejects with a TypeError for a URL or certificates that are wrong, and with the system's errors.
 */
export async function listenMessages(
  url: string,
  accept: (socket: MessageSocket) => void,
  options: MessageListenOptions,
): Promise<Listener> {
  const { path, request: answer } = options;
  const parsed = parseOrigin(url);
  if (path !== undefined) parsed.pathname = path;
  return listenUpgrades(url, parsed, options, (access) => {
    const acceptor = createMessageAcceptor({ ...options, access });
    return {
      path,
      upgrade(request, socket, head) {
        if (path !== undefined && pathOf(request) !== path)
          return writeRefusal(socket, noSuchPath(pathOf(request)));
        return acceptor.handleUpgrade(request, socket, head, accept);
      },
      request: (request, response) =>
        answer !== undefined && (refuseForeign(access, request, response) || answer(request, response)),
    };
  });
}

/** True when the request came from a page, or for a host name, that has no access: it has its answer then. */
function refuseForeign(access: AccessRule, request: IncomingMessage, response: ServerResponse): boolean {
  const { socket, headers } = request;
  const isSecure = "encrypted" in socket;
  const why = access.objection(cluesOf(headers, isSecure), access.addressOf(socket), () =>
    remoteOf(isSecure ? "wss" : "ws", socket),
  );
  if (why !== undefined) answerRefusal(response, refusalOf(why));
  return why !== undefined;
}

function parseOrigin(url: string): URL {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  const isWebSocket = parsed?.protocol === "ws:" || parsed?.protocol === "wss:";
  if (!isWebSocket || hasSecret(parsed) || parsed.pathname !== "/")
    throw new TypeError(`"${urlText(url)}" is not of the form ws://HOST:PORT or wss://HOST:PORT`);
  return parsed;
}
