/** `lintel/commands` where there is no Node: in pages and their workers. */
import type { Actions, AnyActions } from "./client/actions.ts";
import type { CommandClientOptions } from "./client/client-options.ts";
import type { CommandClient } from "./client/command-client.ts";
import type { CommandRouter } from "./client/command-router.ts";
import { connectRouterTo, connectTo } from "./client/connect.ts";
import type { HostRule } from "./client/host-rules.ts";
import { urlTarget } from "./client/target.ts";
import { webTarget, type WebDial } from "./client/web-target.ts";
import { openWebSocketLine, type DialedWebSocket } from "./client/websocket-line.ts";

export * from "./client/api.ts";

type WebSocketClass = new (url: string) => DialedWebSocket;

const dial: WebDial = (url, signal) => {
  const { WebSocket } = globalThis as { WebSocket?: WebSocketClass };
  if (WebSocket === undefined) throw new TypeError("this platform has no WebSocket");
  return openWebSocketLine(new WebSocket(url), url, signal);
};

const targetOf = urlTarget((url) => webTarget(url, dial), "ws://HOST:PORT/PATH", "wss://HOST:PORT/PATH");

/**
 * Connects to a server of commands over WebSocket, for example at `ws://127.0.0.1:12000/socket`. After a lost connection it connects
 * again, without a limit of attempts; in the meantime calls fail at once. Rejects with `NOT_CONNECTED` if there is no first connection
 * in time, with `UNAUTHENTICATED` when the token is refused, and with a TypeError for a URL that is not `ws:` or `wss:`.
 */
export async function connectCommands<
  Remote extends Actions<Remote> = AnyActions,
  Local extends Actions<Local> = AnyActions,
>(url: string, options: CommandClientOptions = {}): Promise<CommandClient<Remote, Local>> {
  return connectTo(targetOf(url), options);
}

/**
 * Connects to several servers, and sends each command to one of the hosts that a rule names for its action. Rejects with
 * `NOT_CONNECTED` when a rule has no host that can be reached in time.
 */
export async function connectCommandRouter<
  Remote extends Actions<Remote> = AnyActions,
  Local extends Actions<Local> = AnyActions,
>(rules: readonly HostRule[], options: CommandClientOptions = {}): Promise<CommandRouter<Remote, Local>> {
  return connectRouterTo(rules, targetOf, options);
}
